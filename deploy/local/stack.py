"""The whole installation on this machine: Kafka, Postgres, the four services, and what surrounds them.

async with interruptible(), Stack(Path("var/demo")) as stack:
    stack.url("registry"), stack.mint("padang-panjang", "budi", ["desk"], ["13.74"])
    stack.kill("vendor"); await stack.start("vendor")
"""

import asyncio
import fcntl
import itertools
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import UUID

import httpx2

from deploy.local.installation import Addresses, Installation, Unit, units
from deploy.local.kafka import Broker, aot, home
from deploy.local.pair import EXTERNAL_KAFKA
from deploy.local.postgres import Postgres, external_url
from deploy.local.processes import Process, ProcessError, Processes
from deploy.local.provision import SERVICES, Dsns, drop, provision, with_database
from deploy.local.servers import ClockServer, MailSink, Message

Result = TypeVar("Result")

OPENING = datetime(2025, 1, 1, 2, tzinfo=UTC)
"""Business time at the start, unless the caller says otherwise: 09:00 WIB."""
READY_SECONDS = 300.0
"""Forty processes may start at once on two cores."""
STOP_SECONDS = 30.0
RUNNING = "running.json"
"""In the folder of a running installation, readable by us only: what `Stack.describe` says."""
PREPARE_SECONDS = 180.0


@dataclass(frozen=True)
class Commands:
    """The programs of an installation; a test may put stand-ins in their place."""

    serve: Callable[[Unit], Sequence[str]] = lambda unit: [sys.executable, "-m", f"services.{unit.service}.main"]
    migrate: Callable[[str], Sequence[str]] = lambda service: [sys.executable, "-m", "shared.cli", "migrate", service]
    topics: Callable[[], Sequence[str]] = lambda: [sys.executable, "-m", "shared.cli", "topics", "apply"]


class Stack:
    """An asynchronous context: inside it every service is ready; leaving it stops all, services first.

    Raises ProcessError when something does not come up; the text quotes its log.
    """

    def __init__(
        self,
        folder: Path,
        apart: bool = False,
        replicas: int = 1,
        *,
        opening: datetime = OPENING,
        durable: bool = True,
        make_cache: bool = False,
        say: Callable[[str], None] = lambda _: None,
        commands: Commands | None = None,
    ) -> None:
        """`folder` is emptied at the start and then this run's own. `apart`: each role of each service in its own
        process, `replicas` of each. `durable`: Postgres with fsync. `make_cache`: use idle time for Kafka's start-up cache.
        `say` is told one line per stage.
        """
        self.folder = folder.absolute()
        self.units = tuple(units(apart=apart, replicas=replicas))
        self.clock = ClockServer(opening)
        self.sink = MailSink()
        self.seconds: dict[str, float] = {}
        """Wall seconds of `setup` (jars fetched) and `ready` (everything up)."""
        self.exits: list[tuple[str, int]] = []
        """(unit, exit code) of every orderly stop; 0 is what a service promises."""
        self._apart = apart
        self._durable = durable
        self._make_cache = make_cache
        self._say = say
        self._commands = commands or Commands()
        self._exit = AsyncExitStack()
        self._dsns: dict[str, Dsns] = {}
        self._children: dict[str, Process] = {}
        self._turn: Iterator[int] = itertools.count()
        self.admin_dsn = ""
        """postgresql:// URL of the superuser."""
        self.bootstrap = ""
        """host:port of Kafka."""
        self.broker: Broker | None = None
        """None when an external Kafka is used."""
        self.postgres: Postgres | None = None
        """None when an external Postgres is used."""
        self.processes: Processes
        self.installation: Installation
        self.addresses: Addresses

    # -- addresses (what the scenario needs of a place)

    def url(self, service: str) -> str:
        """The doors of a service; with several processes at them, each in turn."""
        doors = [unit for unit in self.of(service) if "api" in unit.roles]
        return doors[next(self._turn) % len(doors)].url

    def metrics_urls(self, service: str) -> Sequence[str]:
        """Probes and metrics of every process of a service, without a path."""
        return [unit.metrics_url for unit in self.of(service)]

    def of(self, service: str, role: str | None = None) -> list[Unit]:
        """The processes of a service; with `role`, those that have it. Raises KeyError for an unknown service or role."""
        found = [unit for unit in self.units if unit.service == service and (role is None or role in unit.roles)]
        if not found:
            raise KeyError(f"no process of {service} with role {role}")
        return found

    def mint(
        self,
        issuer: str,
        subject: str,
        roles: Sequence[str],
        regions: Sequence[str],
        agencies: Sequence[str] = (),
        vendor: UUID | None = None,
    ) -> str:
        """A token of one of the issuers, for twelve hours of wall time."""
        return self.installation.issuers[issuer].mint(subject, roles, regions, agencies, vendor, ttl=12 * 3600)

    def move_clock(self, to: datetime) -> None:
        """Set business time; ValueError for a time before the present one."""
        self.clock.move(to)

    def business_now(self) -> datetime:
        """Business time in UTC."""
        return self.clock.now

    def mails(self, to: str) -> Sequence[Message]:
        """Mail that arrived for a recipient, oldest first."""
        return self.sink.messages(to)

    def dsns(self, service: str) -> Dsns:
        """The three roles' URLs of a service's database."""
        return self._dsns[service]

    def reader_dsns(self) -> dict[str, str]:
        """service -> URL of a role that may read everything, for checks from outside the services."""
        return {service: with_database(self.admin_dsn, dsns.database) for service, dsns in self._dsns.items()}

    def describe(self) -> dict[str, Any]:
        """Where everything is, for other processes; with the clock's token and the superuser's password."""
        return {
            "pid": os.getpid(),
            "services": {service: self.of(service, "api")[0].url for service in SERVICES},
            "metrics": {unit.name: unit.metrics_url for unit in self.units},
            "clock": {"url": self.clock.url, "token": self.clock.token},
            "mail": {"smtp": self.sink.smtp_url, "messages": f"{self.sink.url}/messages"},
            "kafka": self.bootstrap,
            "topic_prefix": self.installation.topic_prefix,
            "databases": self.reader_dsns(),
        }

    # -- life

    async def __aenter__(self) -> Self:
        try:
            await self._up()
        except BaseException:
            await self._exit.aclose()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            await asyncio.gather(*(self.stop(service) for service in SERVICES))
        finally:
            await self._exit.aclose()

    async def _up(self) -> None:
        begun = time.monotonic()
        await asyncio.to_thread(self._claim)
        self.processes = await self._exit.enter_async_context(Processes(self.folder))
        await self._exit.enter_async_context(self.sink.serving())
        await self._exit.enter_async_context(self.clock)
        if not os.environ.get(EXTERNAL_KAFKA):
            self._say("Kafka: fetching and checking its jars")
            await asyncio.to_thread(home)
        self.seconds["setup"] = time.monotonic() - begun
        begun = time.monotonic()
        # databases are provisioned while the broker's JVM starts
        made, *_ = await _all(asyncio.to_thread(self._install), self._start_kafka(), self._start_postgres())
        assert isinstance(made, Installation)
        self.installation = made
        self.addresses = Addresses(self.bootstrap, self.clock.url, self.sink.smtp_url, self.url("notify"))
        self._say("databases and topics")
        await _all(*(self._prepare(f"migrate-{name}", self._commands.migrate(name), name) for name in SERVICES), self._topics())
        self._say(f"{len(self.units)} service processes")
        await _all(*(self.start(service) for service in SERVICES))
        self.seconds["ready"] = time.monotonic() - begun
        await asyncio.to_thread(self._publish)
        if self._make_cache and self.broker is not None:
            await aot.in_background(self.processes)

    def _claim(self) -> None:
        """Make the folder ours alone, and empty. The kernel frees the lock when we die."""
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._exit.enter_context((self.folder / ".lock").open("a"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ProcessError(f"another installation runs in {self.folder}: stop it (Ctrl-C in its terminal) or use another") from None
        (self.folder / RUNNING).unlink(missing_ok=True)
        for name in ("kafka", "postgres", "logs", "cache", "packs", "issuers"):
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def _publish(self) -> None:
        path = self.folder / RUNNING
        path.touch(mode=0o600)
        path.write_text(json.dumps(self.describe(), indent=1))
        self._exit.callback(path.unlink, missing_ok=True)

    def _install(self) -> Installation:
        return Installation(self.folder, topic_prefix=f"jembatan{self._suffix(EXTERNAL_KAFKA)}")

    def _suffix(self, setting: str) -> str:
        # servers of somebody else hold what other runs left
        return f"_{secrets.token_hex(4)}" if os.environ.get(setting) else ""

    async def _start_kafka(self) -> None:
        if external := os.environ.get(EXTERNAL_KAFKA):
            self._say(f"Kafka: the one at {external}")
            self.bootstrap = external
            return
        self._say("Kafka: the embedded one (Apache Kafka from pinned jars)")
        self.broker = Broker(self.processes, self.folder / "kafka")
        await self.broker.start()
        self.bootstrap = self.broker.bootstrap

    async def _start_postgres(self) -> None:
        suffix = ""
        if external := external_url():
            self._say("Postgres: the one named by JEMBATAN_POSTGRES_URL")
            self.admin_dsn, suffix = external, f"_{secrets.token_hex(4)}"
        else:
            self._say("Postgres: the embedded one")
            self.postgres = Postgres(self.processes, self.folder / "postgres", durable=self._durable)
            await self.postgres.start()
            self.admin_dsn = self.postgres.admin_dsn
        made = await _all(*(provision(self.admin_dsn, service, suffix=suffix) for service in SERVICES))
        self._dsns = dict(zip(SERVICES, made, strict=True))
        if external:
            for service in SERVICES:
                self._exit.push_async_callback(drop, self.admin_dsn, service, suffix=suffix)

    async def _topics(self) -> None:
        await self._prepare("topics", self._commands.topics(), "registry")

    async def _prepare(self, name: str, argv: Sequence[str], service: str) -> None:
        """Run one program that ends by itself."""
        environment = self.installation.administration(self.of(service)[0], self._dsns[service], self.addresses)
        child = await self._spawn(service, name, argv, environment)
        if await child.wait(PREPARE_SECONDS) != 0:
            raise ProcessError(f"{name} failed; {child.log}:\n{child.tail()}")

    async def _spawn(self, _service: str, name: str, argv: Sequence[str], environment: dict[str, str]) -> Process:
        """Start one program of a service. A test may start it in another way."""
        return await self.processes.start(name, argv, env=environment, stop_seconds=STOP_SECONDS)

    # -- services

    async def start(self, service: str, role: str | None = None) -> None:
        """Start what is not running of a service (of a role of it) and wait until it is ready."""
        await _all(*(self._start(unit) for unit in self.of(service, role) if not self._running(unit)))

    async def stop(self, service: str, role: str | None = None) -> None:
        """SIGTERM, then wait; exit codes go to `exits`."""
        for code in await asyncio.gather(*(self._stop(unit) for unit in self.of(service, role))):
            self.exits += code

    async def restart(self, service: str, role: str | None = None) -> None:
        """Stop and start the processes one after the other, each ready before the next is stopped."""
        for unit in self.of(service, role):
            self.exits += await self._stop(unit)
            await self._start(unit)

    async def kill(self, service: str, role: str | None = None) -> None:
        """kill -9 of all processes of a service (of a role of it); they stay down until `start`."""
        await asyncio.gather(*(self._children[unit.name].kill() for unit in self.of(service, role) if self._running(unit)))

    def process(self, unit: Unit) -> Process:
        """The child of a unit; KeyError when it was never started."""
        return self._children[unit.name]

    def down(self) -> list[Unit]:
        """Units whose process has ended."""
        return [unit for unit in self.units if not self._running(unit)]

    def _running(self, unit: Unit) -> bool:
        child = self._children.get(unit.name)
        return child is not None and child.running

    async def _start(self, unit: Unit) -> None:
        environment = self.installation.environment(
            unit,
            self._dsns[unit.service],
            self.addresses,
            # 300 connections of the server among up to 40 processes with two pools each
            pool=3 if self._apart else 8,
        )
        child = await self._spawn(unit.service, unit.name, self._commands.serve(unit), environment)
        self._children[unit.name] = child
        async with httpx2.AsyncClient(timeout=10) as client:

            async def ready() -> bool:
                try:
                    return (await client.get(f"{unit.metrics_url}/readyz")).status_code == 200
                except httpx2.TransportError:
                    return False

            await child.until(ready, "a ready answer", READY_SECONDS, every=0.1)

    async def _stop(self, unit: Unit) -> list[tuple[str, int]]:
        return [(unit.name, await self._children[unit.name].stop())] if self._running(unit) else []


async def _all(*things: Awaitable[Result]) -> list[Result]:
    """Await all; the first failure ends the others before it is raised, so that nothing starts while all is being stopped."""
    tasks = [asyncio.ensure_future(thing) for thing in things]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
