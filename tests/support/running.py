"""A service as tests want it: in this process, on a real port, with real Kafka and Postgres and a clock that is set by hand.

    async with Running("vendor", servers) as vendor:
        await vendor.activate_pack("13.74")
        answer = await vendor.http.post("/v1/vendors", json={...}, headers=vendor.bearer("procurement_officer"))
        await vendor.say(registry.WorkerLeft(...))          # a neighbour's fact, through Kafka
        await vendor.settle()                               # heard, pending sent, due timers fired, jobs done
        assert await vendor.events("contract.signed")       # own log, as facts
        vendor.clock.move(date(2026, 4, 1))

Every `Running` has a database, topics and an issuer of its own. Further settings are keyword arguments by their field's name
(`kek="..."`, `roles="api"`); keys that are not given are made.
"""

import asyncio
import base64
import contextlib
import importlib
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import asyncpg
import httpx2
import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from deploy.local.processes import free_port
from deploy.local.servers.issuer import Issuer
from shared import envelope, topics
from shared.clock import WIB, SetClock
from shared.events import CATALOGUE, Fact, registry
from shared.http.system import SystemDoors
from shared.identity import ROLES
from shared.ids import derived_id, new_id
from shared.kafka import Kafka
from shared.migrating import upgrade
from shared.packs import remember
from shared.privacy.boxes import new_pair
from shared.serve import listen, server
from shared.service import Service
from tests.support.servers import Dsns, Servers, fresh_database

PARTITIONS = 3
PATIENCE = 30.0
OPENING = datetime(2026, 1, 5, 9, 0, tzinfo=WIB)
PROVINCES = [str(code) for code in range(11, 100)]


def _key() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


@contextlib.contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """These environment variables, and no other JEMBATAN_ ones, while the block runs."""
    before = {name: value for name, value in os.environ.items() if name.startswith("JEMBATAN_")}
    for name in before:
        del os.environ[name]
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update(before)


class Running:
    """See the module. `package` is where `main.create_app` and `migrations` are; `start` the first business time.

    `replica_of` shares another Running's database and topics (a second replica, a restart), `topics_of` only the topics (a
    neighbour). `in_process=False` makes database and topics only, for processes that `spawn` starts.
    """

    http: httpx2.AsyncClient
    system: httpx2.AsyncClient
    service: Service
    owner: "asyncpg.Pool[Any]"
    issuer: Issuer
    folder: Path
    dsns: Dsns

    def __init__(
        self,
        name: str,
        servers: Servers,
        *,
        package: str = "",
        start: datetime = OPENING,
        partitions: int = PARTITIONS,
        replica_of: "Running | None" = None,
        topics_of: "Running | None" = None,
        in_process: bool = True,
        **settings: Any,
    ) -> None:
        self.name = name
        self.servers = servers
        self.package = package or f"services.{name}"
        self.settings: dict[str, Any] = settings
        self.clock: SetClock = replica_of.clock if replica_of else topics_of.clock if topics_of else SetClock(start)
        self._replica_of = replica_of
        self._topics_of = topics_of or replica_of
        self.prefix: str = self._topics_of.prefix if self._topics_of else f"t{secrets.token_hex(6)}"
        self.kafka: Kafka = Kafka(
            tuple(servers.bootstrap.split(",")), self.prefix, "local", self._topics_of.kafka.partitions if self._topics_of else partitions
        )
        self._versions: dict[UUID, int] = self._topics_of._versions if self._topics_of else {}
        self._said: dict[TopicPartition, int] = self._topics_of._said if self._topics_of else {}
        self._producer: AIOKafkaProducer | None = None
        self._stack = contextlib.AsyncExitStack()
        self._in_process = in_process
        self.url = ""
        self.system_url = ""
        self.environment: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        try:
            return await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def _start(self) -> Self:
        stack = self._stack
        if self._replica_of is None:
            self.folder = Path(tempfile.mkdtemp(prefix="jembatan-"))
            stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
            self.dsns = await fresh_database(self.servers, self.name)
            place = Path(str(importlib.import_module(self.package).__path__[0])) / "migrations"
            await upgrade(place, self.dsns.owner)
            # An issuer known to every Running of one set of topics: a token is good for the neighbours too.
            self.issuer = self._topics_of.issuer if self._topics_of else Issuer("tests", "https://issuer.test", self.folder, "ES256")
            (self.folder / "issuers.json").write_text(json.dumps([self.issuer.trust(sorted(ROLES), PROVINCES)]))
            self.environment = self._made_environment()
        else:
            one = self._replica_of
            self.folder, self.dsns, self.issuer = one.folder, one.dsns, one.issuer
            self.environment = one.environment | self._given()
        if self._topics_of is None:
            await topics.apply(self.kafka, topics.wanted(self.prefix, partitions=self.kafka.partitions), replication=1)
        self.owner = await stack.enter_async_context(asyncpg.create_pool(self.dsns.owner, min_size=0, max_size=2))

        if not self._in_process:
            return self
        main = importlib.import_module(f"{self.package}.main")
        with environment(self.environment):
            self.app = main.create_app()
        self.service = self.app.state.service
        self.service.keep_time(self.clock)
        await stack.enter_async_context(self.service.running())
        self.url = await stack.enter_async_context(_serving(self.app))
        self.system_url = await stack.enter_async_context(_serving(SystemDoors(self.service)))
        self.http = await stack.enter_async_context(httpx2.AsyncClient(base_url=self.url, timeout=60))
        self.system = await stack.enter_async_context(httpx2.AsyncClient(base_url=self.system_url, timeout=60))
        return self

    def _given(self) -> dict[str, str]:
        return {f"JEMBATAN_{name.upper()}": str(value) for name, value in self.settings.items()}

    def _made_environment(self) -> dict[str, str]:
        private, public = new_pair()
        return {
            "JEMBATAN_SERVICE": self.name,
            "JEMBATAN_OWNER_URL": self.dsns.owner,
            "JEMBATAN_API_URL": self.dsns.api,
            "JEMBATAN_WORKER_URL": self.dsns.worker,
            "JEMBATAN_KAFKA_BOOTSTRAP": self.servers.bootstrap,
            "JEMBATAN_TOPIC_PREFIX": self.prefix,
            "JEMBATAN_TOPIC_PARTITIONS": str(self.kafka.partitions),
            "JEMBATAN_HTTP_PORT": "0",
            "JEMBATAN_ISSUERS_FILE": str(self.folder / "issuers.json"),
            "JEMBATAN_PACKS_FOLDER": str(self.folder / "packs"),
            "JEMBATAN_CACHE_FOLDER": str(self.folder / "cache"),
            "JEMBATAN_MAC_KEY": _key(),
            "JEMBATAN_ACTOR_KEY": _key(),
            "JEMBATAN_KEK": _key(),
            "JEMBATAN_INDEX_KEY": _key(),
            "JEMBATAN_SIGNING_KEY": _key(),
            "JEMBATAN_CONTACTS_PRIVATE_KEY": private,
            "JEMBATAN_CONTACTS_PUBLIC_KEY": public,
            "JEMBATAN_PUBLIC_URL": "https://jawab.test",
            **self._given(),
        }

    async def spawn(self, **settings: Any) -> "Spawned":
        """A process of this service with these settings on top, on the same database and topics; killed at the end if need be."""
        given = {f"JEMBATAN_{name.upper()}": str(value) for name, value in settings.items()}
        ports = {"JEMBATAN_HTTP_PORT": str(free_port()), "JEMBATAN_METRICS_PORT": str(free_port())}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("JEMBATAN_")}
        log = self.folder / f"process-{secrets.token_hex(4)}.log"
        with log.open("wb") as out:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", f"{self.package}.main", env=inherited | self.environment | ports | given, stdout=out, stderr=out
            )
        spawned = Spawned(process, log, *(f"http://127.0.0.1:{port}" for port in ports.values()))
        self._stack.push_async_callback(spawned.kill)
        return spawned

    @property
    def db(self) -> Any:
        """The service's `Database`."""
        return self.service.db

    # -- callers

    def token(
        self,
        *roles: str,
        regions: Iterable[str] = ("13.74",),
        agencies: Iterable[str] = (),
        vendor: UUID | None = None,
        subject: str = "u1",
        ttl: float = 3600,
    ) -> str:
        """A token of the trusted issuer."""
        return self.issuer.mint(subject, roles, regions, agencies, vendor, ttl=ttl)

    def bearer(self, *roles: str, key: str = "", **claims: Any) -> dict[str, str]:
        """The headers of a caller with such a token; `key` adds an Idempotency-Key."""
        headers = {"Authorization": f"Bearer {self.token(*roles, **claims)}"}
        return headers | {"Idempotency-Key": key} if key else headers

    # -- neighbours

    async def say(self, *facts: Fact, times: int = 1, actor: str = "neighbour", pack: str = "") -> list[UUID]:
        """Publish facts as their owners would, each with the next version of its aggregate; `times` sends each so often.

        Returns the event ids. `settle` then waits until this service has heard them.
        """
        ids: list[UUID] = []
        for fact in facts:
            version = self._versions.get(fact.aggregate_id, 0) + 1
            self._versions[fact.aggregate_id] = version
            event_id = new_id()
            ids.append(event_id)
            await self.tell(fact, event_id, version, times=times, actor=actor, pack=pack)
        return ids

    async def tell(self, fact: Fact, event_id: UUID, version: int, *, times: int = 1, actor: str = "neighbour", pack: str = "") -> None:
        """Publish one fact under this id and version: for duplicates, gaps and reordering."""
        kind = fact.kind
        row = {
            "id": event_id,
            "type": kind.type,
            "aggregate_id": fact.aggregate_id,
            "key": fact.partition_key,
            "version": version,
            "region": fact.region,
            "recorded_at": datetime.now(UTC),
            "causation_id": None,
            "correlation_id": event_id,
            "actor": actor,
            "pack": pack,
            "traceparent": "",
        }
        headers = envelope.headers_of(row, prefix=self.prefix, source=self.kafka.source(kind.stream.owner))
        for _ in range(times):
            await self.publish(kind.stream.topic, msgspec.json.encode(fact), key=fact.partition_key, headers=headers)

    async def publish(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: UUID | None = None,
        headers: Iterable[tuple[str, Any]] = (),
        partition: int | None = None,
    ) -> tuple[str, int, int]:
        """Put any record on a topic (named without prefix): poison, tombstones, forgeries. Returns topic, partition, offset."""
        if self._producer is None:
            self._producer = AIOKafkaProducer(bootstrap_servers=list(self.kafka.bootstrap), acks="all", max_request_size=2_000_000)
            await self._producer.start()
            self._stack.push_async_callback(self._producer.stop)
        full = self.kafka.topic(topic)
        where = partition if partition is not None else (key.int % self.kafka.partitions if key is not None else 0)
        raw = None if key is None else str(key).encode()
        sent = await self._producer.send_and_wait(full, value, key=raw, headers=list(headers), partition=where)
        place = TopicPartition(full, sent.partition)
        self._said[place] = max(self._said.get(place, 0), sent.offset + 1)
        return full, sent.partition, sent.offset

    async def activate_pack(self, region: str = "13.74", effective_on: date = date(2025, 1, 1)) -> str:
        """Compile the region's rule pack, mount it, make it count; returns its hash."""
        from shared.regulation import sources

        pack = sources.build(region)
        sources.write(pack, self.folder / "packs")
        fact = registry.RulepackActivated(
            rulepack_id=derived_id("test pack", region, effective_on), region=region, effective_on=effective_on, sha256=pack.sha256
        )
        if self.name == "registry":
            async with self.db.begin("worker", self.service.scope, "test.pack") as tx:
                await remember(tx, [(fact, new_id(), tx.stamp.wall)])
        else:
            await self.say(fact)
            await self.settle()
        return pack.sha256

    # -- looking

    async def events(self, type: str | type[Fact] | None = None) -> list[Any]:
        """The service's own log in order, as facts; of one type (`"offer.made"` or its class) or all."""
        name = None if type is None else type if isinstance(type, str) else type.kind.type
        if name is not None and ".v" not in name:
            name += ".v1"
        rows = await self.owner.fetch("SELECT type, body FROM event WHERE $1::text IS NULL OR type = $1 ORDER BY seq", name)
        return [msgspec.json.decode(row["body"], type=CATALOGUE[row["type"]]) for row in rows]

    async def rows(self, sql: str, *args: Any) -> list[Any]:
        """Rows as the owner sees them (past row-level security)."""
        return [dict(row) for row in await self.owner.fetch(sql, *args)]

    async def settle(self, patience: float = PATIENCE) -> None:
        """Wait until what was said is heard, nothing is pending, no timer is due, no job is open. Raises AssertionError."""
        async with asyncio.timeout(patience + 30):
            end = asyncio.get_running_loop().time() + patience
            async with self.kafka.admin() as admin:
                while True:
                    left = await self._unheard(admin) or await self._open()
                    if not left:
                        return
                    if asyncio.get_running_loop().time() > end:
                        raise AssertionError(f"{self.name} did not settle: {left}")
                    await asyncio.sleep(0.05)

    async def _unheard(self, admin: Any) -> dict[str, Any]:
        left: dict[str, Any] = {}
        generations = {row["name"]: row["generation"] for row in await self.owner.fetch("SELECT name, generation FROM consumer")}
        for one in self.service.subscriptions:
            wanted = {place: offset for place, offset in self._said.items() if place.topic == self.kafka.topic(one.stream)}
            if not wanted:
                continue
            group = self.kafka.group(self.name, one.name, generations.get(one.name, 1))
            try:
                committed = await admin.list_consumer_group_offsets(group, partitions=list(wanted))
            except KafkaError as error:
                # A broker that has just started may not have found the group's coordinator yet.
                if not error.retriable:
                    raise
                left[one.name] = type(error).__name__
                continue
            behind = {f"{p.topic}/{p.partition}": n for p, n in wanted.items() if (known := committed.get(p)) is None or known.offset < n}
            if behind:
                left[one.name] = behind
        return left

    async def _open(self) -> dict[str, Any]:
        row = await self.owner.fetchrow(
            "SELECT (SELECT count(*) FROM pending) AS pending, (SELECT count(*) FROM timer WHERE due <= $1) AS timers_due,"
            " (SELECT count(*) FROM job WHERE state IN ('queued', 'running')) AS jobs_open",
            self.clock.now().business,
        )
        return {name: count for name, count in dict(row or {}).items() if count}


@dataclass(frozen=True, slots=True)
class Spawned:
    """A service as a process."""

    process: asyncio.subprocess.Process
    log: Path
    url: str
    system_url: str

    async def ready(self, status: int = 200, patience: float = 120) -> dict[str, Any]:
        """Wait until `/readyz` answers with this status; its body. Raises AssertionError with the log."""
        async with httpx2.AsyncClient(base_url=self.system_url) as client:
            for _ in range(int(patience / 0.1)):
                with contextlib.suppress(httpx2.TransportError):
                    answer = await client.get("/readyz")
                    if answer.status_code == status:
                        body: dict[str, Any] = answer.json()
                        return body
                if self.process.returncode is not None:
                    break
                await asyncio.sleep(0.1)
        raise AssertionError(f"not {status} in time: {self.log.read_text()[-4000:]}")

    async def kill(self) -> None:
        """End it without notice, if it still runs."""
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()


@contextlib.asynccontextmanager
async def _serving(app: Any) -> AsyncIterator[str]:
    """Serve an application on a free port of loopback."""
    sock = listen("127.0.0.1", 0)
    one = server(app)
    task = asyncio.create_task(one.serve([sock]))
    try:
        while not one.started and not task.done():
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        one.should_exit = True
        await task
