"""One service: its rooms put together with the machine, started in order and stopped without losing anything."""

import asyncio
import contextlib
import importlib.metadata
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI

from shared import logs, metrics, packs
from shared.clock import Clock, clock_for
from shared.db import Database, transient
from shared.files import Files
from shared.http import idempotency
from shared.http import jobs as job_doors
from shared.http.app import http_app
from shared.identity import Scope, Verifier
from shared.jobs import Handler as JobHandler
from shared.jobs import JobRunner
from shared.kafka import Kafka
from shared.parking import Sealer
from shared.relay import Notifier, Relay, Reseal
from shared.settings import Settings
from shared.subscriptions import Subscription
from shared.supervised import Supervised
from shared.timers import Handler as TimerHandler
from shared.timers import TimerRunner

if TYPE_CHECKING:
    from shared.bus import Bus

STOP_SECONDS = 4.0
CLEAN_SECONDS = 3600.0
log = logs.logger("service")


@dataclass(frozen=True, slots=True)
class Rooms:
    """What a service brings. Subscriptions, timers and jobs may be functions of the service, called once its own resources
    (`lifespan`) are there; `daily` names timers that come back each day at a local time (WIB); `reseal` seals the contacts of
    these aggregates afresh when the relay has to send them again."""

    name: str
    settings: Settings
    routers: Sequence[APIRouter] = ()
    subscriptions: "Sequence[Subscription] | Callable[[Service], Sequence[Subscription]]" = ()
    timers: "Mapping[str, TimerHandler] | Callable[[Service], Mapping[str, TimerHandler]]" = field(default_factory=dict)
    jobs: "Mapping[str, JobHandler] | Callable[[Service], Mapping[str, JobHandler]]" = field(default_factory=dict)
    daily: Mapping[str, time] = field(default_factory=dict)
    lifespan: "Callable[[Service], AbstractAsyncContextManager[Mapping[str, Any] | None]] | None" = None
    reseal: "Callable[[Service], Reseal] | None" = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process can do its work now; what is away, and what is away but can be done without."""

    ready: bool
    missing: tuple[str, ...] = ()
    degraded: tuple[str, ...] = ()


class Service:
    """The machine behind the doors of one process."""

    def __init__(self, rooms: Rooms) -> None:
        settings = rooms.settings
        self.name = rooms.name
        self.rooms = rooms
        self.settings = settings
        self.version = importlib.metadata.version("jembatan")
        self.clock: Clock = clock_for(settings.clock_url, settings.environment)
        self.scope = Scope.system(rooms.name)
        self.db = Database(
            rooms.name,
            api_url=settings.api_url.get_secret_value(),
            worker_url=settings.worker_url.get_secret_value(),
            clock=self.clock,
            packs_folder=settings.packs_folder,
            partitions=settings.topic_partitions,
            pool=settings.database_pool,
        )
        self.kafka = Kafka(tuple(settings.kafka_bootstrap), settings.topic_prefix, settings.installation, settings.topic_partitions)
        self.files = Files(settings.mac)
        self.extra: dict[str, Any] = {}
        self.started = False
        self.stopping = False
        self.subscriptions: tuple[Subscription, ...] = ()
        self.relay: Relay | None = None
        self.bus: Bus | None = None
        self.timer_runner: TimerRunner | None = None
        self.job_runner: JobRunner | None = None
        self.tasks: list[Supervised] = []
        self._verifier: Verifier | None = None

    def keep_time(self, clock: Clock) -> None:
        """Live by this clock; before the start only."""
        self.clock = clock
        self.db.clock = clock

    async def caller(self, token: str) -> Scope:
        """Who holds this token. Raises `Unauthenticated`."""
        if self._verifier is None:
            settings = self.settings
            self._verifier = Verifier(settings.issuers_file, settings.cache_folder, settings.actor)
        return (await self._verifier.verify(token)).scope

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything but HTTP, from start to stop. Starting needs neither Postgres nor Kafka: what is away is waited for."""
        await self.clock.start()
        try:
            async with contextlib.AsyncExitStack() as stack:
                if self.rooms.lifespan is not None:
                    own = await stack.enter_async_context(self.rooms.lifespan(self))
                    self.extra |= dict(own or {})
                self._assemble()
                for task in self.tasks:
                    task.start()
                self.started = True
                try:
                    yield
                finally:
                    self.stopping = True
                    await self._stop_tasks()
        finally:
            await self.db.close()
            await self.clock.stop()

    def begin_stopping(self) -> None:
        """Unready from now on; running jobs are told to come to an end."""
        self.stopping = True
        if self.job_runner is not None:
            self.job_runner.stop()

    def _given(self, room: Any) -> Any:
        return room(self) if callable(room) else room

    def _assemble(self) -> None:
        rooms, settings = self.rooms, self.settings
        own = () if rooms.name == "registry" else (packs.subscription(rooms.name),)
        self.subscriptions = (*self._given(rooms.subscriptions), *own)
        works: list[tuple[str, Callable[[], Any]]] = []
        self._deliver(works)
        if "timers" in settings.roles:
            self.timer_runner = TimerRunner(self.db, self.name, self._given(rooms.timers), rooms.daily)
            works += [("timers", self.timer_runner.run), ("cleaner", self._clean)]
        if "jobs" in settings.roles:
            self.job_runner = JobRunner(self.db, self.name, self._given(rooms.jobs), self.files, settings.job_workers)
            works.append(("jobs", self.job_runner.run))
        self.tasks = [Supervised(name, work) for name, work in works]

    def _deliver(self, works: list[tuple[str, Callable[[], Any]]]) -> None:
        """Add the relay and the consumers, as the roles of this process say."""
        settings = self.settings
        if "relay" in settings.roles:
            reseal = None if self.rooms.reseal is None else self.rooms.reseal(self)
            self.relay = Relay(self.db, self.kafka, direct_url=settings.direct, reseal=reseal)
            self.db.on_events(self.relay.hint)
            works.append(("relay", self.relay.run))
        else:
            notifier = Notifier(self.db)
            self.db.on_events(notifier.hint)
            works.append(("notifier", notifier.run))
        if "consumer" in settings.roles:
            # Only consumers pay for importing FastStream.
            from shared.bus import Bus

            self.bus = Bus(self.db, self.kafka, self.subscriptions, Sealer(settings.mac))
            works.append(("consumer", self.bus.run))

    async def _stop_tasks(self) -> None:
        if self.job_runner is not None:
            self.job_runner.stop()
        for task in self.tasks:
            task.cancel()
        if not self.tasks:
            return
        _, late = await asyncio.wait([asyncio.create_task(task.ended()) for task in self.tasks], timeout=STOP_SECONDS)
        if late:
            log.warning("tasks did not end in time", count=len(late))

    async def _clean(self) -> None:
        while True:
            try:
                await self.db.attempt("worker", self.scope, "idempotency.forget", idempotency.forget)
            except Exception as error:
                if not transient(error):
                    raise
            await asyncio.sleep(CLEAN_SECONDS)

    async def readiness(self) -> Readiness:
        """What `/readyz` says, by the roles of this process.

        `api` needs Postgres and the active packs; Kafka away is degraded, for writes go on. `consumer` and `relay` need
        both. `timers` and `jobs` need Postgres. A process that does it all answers as `api`.
        """
        roles = self.settings.roles
        missing: list[str] = []
        degraded: list[str] = []
        if self.stopping or not self.started:
            missing.append("stopping" if self.stopping else "starting")
        try:
            async with asyncio.timeout(3), self.db.begin("worker", self.scope, "readiness") as tx:
                if "api" in roles:
                    missing += [f"pack {region}" for region in await packs.missing(tx, self.settings.packs_folder)]
                else:
                    await tx.one("SELECT 1 AS one")
        except Exception as error:  # noqa: BLE001 - whatever keeps us from the database makes us unready, by name
            missing.append("database")
            log.debug("not ready", error=logs.kind(error))
        away = [name for name, part in (("relay", self.relay), ("consumer", self.bus)) if part is not None and not part.connected]
        if self.relay is not None and self.relay.restored_behind:
            missing.append("restored_behind_kafka")
        (degraded if "api" in roles else missing).extend(f"kafka ({name})" for name in away)
        ready = not missing
        metrics.READY.labels("api" if "api" in roles else "+".join(sorted(roles))).set(ready)
        return Readiness(ready, tuple(missing), tuple(degraded))

    async def sample(self) -> None:
        """Bring the gauges that live in the database up to date; on a scrape, so that they are true when read."""
        now = self.clock.now()
        metrics.BUSINESS_TIME.set(now.business.timestamp())
        async with self.db.begin("worker", self.scope, "metrics") as tx:
            row = await tx.one(_SAMPLE, business=now.business, wall=now.wall)
        assert row is not None
        metrics.PENDING.set(row["pending"])
        metrics.LOG_AGE.set(max(0.0, float(row["log_age"])))
        metrics.PARKED.set(row["parked"])
        metrics.GAPS.set(row["gaps"])
        metrics.TIMERS_DUE.set(row["timers_due"])
        metrics.JOBS_OPEN.set(row["jobs_open"])
        away = int(self.relay is not None and not self.relay.connected)
        if self.bus is not None:
            hearing = await self._hearing(self.bus)
            metrics.HEARING.set(hearing)
            # A lag that could not be read is no lag of zero.
            away += max(self.bus.away, int(not hearing))
        metrics.AWAY.set(away)

    async def _hearing(self, bus: "Bus") -> bool:
        """Bring the lags up to date; whether they can be believed."""
        from aiokafka.errors import KafkaError

        if not bus.connected:
            return False
        try:
            async with asyncio.timeout(3):
                await bus.sample()
        except (KafkaError, OSError, TimeoutError) as error:
            log.warning("lags not sampled", error=logs.kind(error))
            return False
        return bus.connected


_SAMPLE = """
SELECT (SELECT count(*) FROM pending) AS pending,
       coalesce((SELECT extract(epoch FROM :wall - min(e.recorded_at)) FROM event e
                 WHERE e.seq = (SELECT min(p.seq) FROM pending p)), 0) AS log_age,
       (SELECT count(*) FROM parked WHERE state = 'waiting' AND kind NOT IN ('gap', 'behind')) AS parked,
       (SELECT count(DISTINCT (consumer, aggregate_id)) FROM parked WHERE state = 'waiting' AND kind = 'gap') AS gaps,
       (SELECT count(*) FROM timer WHERE due <= :business) AS timers_due,
       (SELECT count(*) FROM job WHERE state IN ('queued', 'running')) AS jobs_open
"""


def build_service(rooms: Rooms) -> FastAPI:
    """The application of a service; `app.state.service` is the machine behind it. Nothing runs before its lifespan."""
    service = Service(rooms)

    @contextlib.asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with service.running():
            yield

    return http_app(service, (*rooms.routers, job_doors.router), lifespan, service.version, rooms.about)
