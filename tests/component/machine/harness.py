"""A toy on both sides of the machine: the registry's log and relay, and a vendor that hears the registry's events."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from shared.bus import Bus
from shared.clock import SetClock
from shared.db import Database, Tx, address, doc
from shared.events import Fact, Stream
from shared.events.registry import WorkerLaidOff, WorkerLeft, WorkerProposed, WorkerRecalled, WorkerRegistered
from shared.identity.scope import Scope
from shared.ids import new_id
from shared.kafka import Kafka
from shared.migrations import TABLES, create_machine, drop_machine, secure
from shared.parking import Sealer
from shared.rebuild import state_hash
from shared.relay import Relay
from shared.subscriptions import Heard, Outcome, Subscription, parked, projection, reaction, refused
from shared.topics import Topic, apply
from tests.support.servers import Dsns, Servers, fresh_database

REGION = "13.74"
PARTITIONS = 4
DAY = date(2026, 1, 5)
HEARD = (WorkerRegistered, WorkerLaidOff, WorkerRecalled, WorkerProposed)
"""`worker.left` is on the topic too and nobody hears it."""
TOPICS = {
    "registry.events": "event",
    "registry.internal": "event",
    "registry.contacts": "state",
    "vendor.events": "event",
    "vendor.internal": "event",
    "resend-requests": "request",
}
VIEW = """
CREATE TABLE view (
    worker_id uuid PRIMARY KEY,
    region text NOT NULL,
    told text NOT NULL,
    last int NOT NULL,
    CONSTRAINT not_a_ghost CHECK (told NOT LIKE '%ghost%')
)
"""


def migrate_up(connection: Connection) -> None:
    """What a service's first migration does."""
    op = Operations(MigrationContext.configure(connection))
    create_machine(op)
    op.execute(VIEW)
    secure(op, tables=["view"])


def migrate_down(connection: Connection) -> None:
    """And its way back."""
    op = Operations(MigrationContext.configure(connection))
    op.execute("DROP TABLE view")
    drop_machine(op)


async def migrated(dsns: Dsns, step: Callable[[Connection], None] = migrate_up) -> None:
    """Run a step as the owner."""
    engine = create_async_engine(address(dsns.owner))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(step)
    finally:
        await engine.dispose()


async def until(check: Callable[[], Awaitable[Any]], what: str, seconds: float = 60.0) -> Any:
    """Wait until the check says something true; its answer."""
    began = time.monotonic()
    while True:
        found = await check()
        if found:
            return found
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not in {seconds:.0f} s: {what}")
        await asyncio.sleep(0.05)


def registered(worker: UUID, region: str = REGION, agency: str = "dinas") -> WorkerRegistered:
    """The first fact of a worker."""
    return WorkerRegistered(
        region=region,
        effective_on=DAY,
        worker_id=worker,
        worker_number="W-1",
        agency=agency,
        job_family="cleaning",
        kecamatan="13.74.01",
        service_start=date(2019, 1, 1),
    )


def laid_off(worker: UUID, number: str = "1", region: str = REGION) -> WorkerLaidOff:
    """A later fact."""
    return WorkerLaidOff(region=region, effective_on=DAY, worker_id=worker, decree_number=number, decree_date=DAY)


def left(worker: UUID) -> WorkerLeft:
    """A fact that nobody hears."""
    return WorkerLeft(region=REGION, effective_on=DAY, worker_id=worker, reason="resigned")


def story(worker: UUID, length: int) -> list[Fact]:
    """The first `length` facts of a worker; their order shows in what the view tells."""
    return [registered(worker), *(laid_off(worker, str(n)) for n in range(2, length + 1))]


async def fold(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """Load once, fold in order, save once: each fact is written behind the ones before it."""
    ids = sorted({h.fact.aggregate_id for h in heard})
    rows = await tx.rows("SELECT worker_id, told FROM view WHERE worker_id = ANY(CAST(:ids AS uuid[]))", ids=ids)
    told: dict[UUID, str] = {row["worker_id"]: row["told"] for row in rows}
    last: dict[UUID, Heard] = {}
    answers: list[Outcome] = []
    for h in heard:
        what = f"{h.version}:{h.fact.decree_number if isinstance(h.fact, WorkerLaidOff) else '-'}"
        if "refuse" in what:
            answers.append(refused("not-like-this"))
            continue
        if "park" in what:
            answers.append(parked("look-at-this"))
            continue
        if "bug" in what:
            raise KeyError("a bug of ours")
        worker = h.fact.aggregate_id
        told[worker] = f"{told[worker]} {what}" if worker in told else what
        last[worker] = h
        answers.append(Outcome("applied"))
    await tx.run(
        "INSERT INTO view (worker_id, region, told, last)"
        " SELECT worker_id, region, told, last FROM json_to_recordset(CAST(:d AS json))"
        " AS t(worker_id uuid, region text, told text, last int) ORDER BY worker_id"
        " ON CONFLICT (worker_id) DO UPDATE SET told = excluded.told, last = excluded.last",
        d=doc([{"worker_id": worker, "region": h.fact.region, "told": told[worker], "last": h.version} for worker, h in last.items()]),
    )
    return answers


def viewer(name: str = "view") -> Subscription:
    """The toy projection."""
    return projection(name, *HEARD, tables=("view",))(fold)


def actor(name: str = "echo") -> Subscription:
    """The toy reaction: hears registrations, and answers each with a fact of its own."""
    from shared.events.vendor import CaseClosed

    @reaction(name, WorkerRegistered)
    async def echo(tx: Tx, heard: Sequence[Heard]) -> None:
        for h in heard:
            tx.emit(
                CaseClosed(region=h.fact.region, effective_on=DAY, case_id=h.fact.aggregate_id),
                cause=h.cause,
            )

    return echo


@dataclass(slots=True)
class Side:
    """One service's database and what runs on it."""

    service: str
    dsns: Dsns
    db: Database
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    async def write(self, *facts: Fact) -> list[UUID]:
        """Commit facts in one transaction."""

        async def work(tx: Tx) -> list[UUID]:
            return [tx.emit(fact) for fact in facts]

        return await self.db.attempt("worker", Scope.system(self.service), "toy.write", work)

    async def rows(self, sql: str, **params: Any) -> Sequence[Any]:
        """Rows as the worker sees them."""
        async with self.db.begin("worker", Scope.system(self.service), "toy.look") as tx:
            return await tx.rows(sql, **params)

    async def number(self, sql: str, **params: Any) -> int:
        """One number."""
        return int((await self.rows(f"SELECT ({sql}) AS n", **params))[0]["n"])

    async def hash(self) -> str:
        """Of the toy projection."""
        async with self.db.begin("worker", Scope.system(self.service), "toy.hash") as tx:
            return await state_hash(tx, ["view"])

    async def owner(self) -> "asyncpg.Connection[Any]":
        """A connection of the owner, for what no role may do."""
        return await asyncpg.connect(self.dsns.owner)


async def keep(run: Callable[[], Awaitable[None]]) -> None:
    """As the supervisor does: start again after a failure."""
    while True:
        with contextlib.suppress(Exception):
            await run()
        await asyncio.sleep(0.1)


@dataclass(slots=True)
class Toy:
    """Both sides."""

    registry: Side
    vendor: Side
    kafka: Kafka
    sealer: Sealer
    relays: list[Relay] = field(default_factory=list)
    buses: list[Bus] = field(default_factory=list)

    def relay(self, *, side: Side | None = None, batch: int = 2000, hinted: bool = True, **more: Any) -> Relay:
        """Start a relay, supervised."""
        side = side or self.registry
        made = Relay(side.db, self.kafka, direct_url=side.dsns.worker, batch=batch, **more)
        if hinted:
            side.db.on_events(made.hint)
        self.relays.append(made)
        side.tasks.append(asyncio.create_task(keep(made.run)))
        return made

    def bus(self, *subscriptions: Subscription, side: Side | None = None) -> Bus:
        """Start a bus, supervised."""
        side = side or self.vendor
        made = Bus(side.db, self.kafka, subscriptions, self.sealer)
        self.buses.append(made)
        side.tasks.append(asyncio.create_task(keep(made.run)))
        return made

    async def stop(self, side: Side) -> None:
        """End what runs on a side."""
        tasks, side.tasks = side.tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def producer(self) -> AsyncIterator[AIOKafkaProducer]:
        """Somebody else who writes to the topics."""
        made = AIOKafkaProducer(bootstrap_servers=list(self.kafka.bootstrap), max_request_size=4_000_000)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()

    async def records(self, stream: Stream | str) -> list[Any]:
        """Everything a topic holds, per partition in order."""
        from shared.kafka import ends

        consumer = self.kafka.consumer()
        await consumer.start()
        try:
            limits = {tp: e for tp, (f, e) in (await ends(consumer, [self.kafka.topic(stream)])).items() if e > f}
            found: list[Any] = []
            if limits:
                consumer.assign(list(limits))
                await consumer.seek_to_beginning()
                while any([await consumer.position(tp) < end for tp, end in limits.items()]):
                    for batch in (await consumer.getmany(timeout_ms=100)).values():
                        found += batch
            return found
        finally:
            await consumer.stop()

    async def delivered(self, expected: int, seconds: float = 60.0) -> None:
        """Until the view counts as many facts."""

        async def check() -> bool:
            return await self.vendor.number("SELECT coalesce(sum(last), 0) FROM view") == expected

        await until(check, f"{expected} facts in the view", seconds)


async def sides(servers: Servers) -> list[Side]:
    """The two databases, made once for all tests of the machine."""
    clock = SetClock(datetime(2026, 1, 5, 3, tzinfo=UTC))
    found = []
    for service in ("registry", "vendor"):
        dsns = await fresh_database(servers, service)
        await migrated(dsns)
        db = Database(service, api_url=dsns.api, worker_url=dsns.worker, clock=clock, partitions=PARTITIONS)
        found.append(Side(service, dsns, db))
    return found


async def clean(side: Side) -> None:
    """As after the migration: nothing in any table."""
    owner = await side.owner()
    try:
        await owner.execute("ALTER TABLE event DISABLE TRIGGER ALL; ALTER TABLE audit DISABLE TRIGGER ALL")
        await owner.execute(f"TRUNCATE view, {', '.join(TABLES)} RESTART IDENTITY")
        await owner.execute("ALTER TABLE event ENABLE TRIGGER ALL; ALTER TABLE audit ENABLE TRIGGER ALL")
    finally:
        await owner.close()


@contextlib.asynccontextmanager
async def toy(servers: Servers, both: list[Side], *, topics: bool = True) -> AsyncIterator[Toy]:
    """Clean databases and a fresh set of topics."""
    kafka = Kafka((servers.bootstrap,), f"t{secrets.token_hex(5)}", "test", PARTITIONS)
    if topics:
        await apply(kafka, [Topic(kafka.topic(n), kind, "", (), PARTITIONS) for n, kind in TOPICS.items()], replication=1)
    made = Toy(both[0], both[1], kafka, Sealer(secrets.token_bytes(32)))
    for side in both:
        await clean(side)
    try:
        yield made
    finally:
        for side in both:
            await made.stop(side)
            side.db._hints.clear()


def workers(number: int) -> list[UUID]:
    """Fresh ids."""
    return [new_id() for _ in range(number)]


@dataclass(slots=True)
class Raw:
    """A record as somebody may send it."""

    topic: str
    partition: int
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    key: bytes = b"k"
    offset: int = 0

    def but(self, value: Any = ..., **headers: bytes | None) -> "Raw":
        """The same, with another value or other headers (None: a null header; b"" takes it away)."""
        changed: list[tuple[str, bytes | None]] = [(n, v) for n, v in self.headers if n not in headers]
        changed += [(n, v) for n, v in headers.items() if v != b""]
        return Raw(self.topic, self.partition, self.value if value is ... else value, changed, self.key, self.offset)


async def raws(t: Toy) -> list[Raw]:
    """What the relay would send for everything in the registry's log, in order."""
    from shared.envelope import headers_of

    return [
        Raw(
            t.kafka.topic(row["topic"]),
            row["shard"],
            row["body"].encode(),
            list(headers_of(row, prefix=t.kafka.prefix, source=t.kafka.source("registry"))),
            str(row["key"]).encode(),
            row["seq"],
        )
        for row in await t.registry.rows("SELECT * FROM event ORDER BY seq")
    ]


async def say(t: Toy, records: Sequence[Raw]) -> None:
    """Send them, in this order."""
    async with t.producer() as producer:
        for raw in records:
            await producer.send(raw.topic, value=raw.value, key=raw.key, headers=raw.headers, partition=raw.partition)
        await producer.flush()


async def consumed(t: Toy, *streams: Stream) -> None:
    """Until every subscription has dealt with all that its topic holds."""

    async def check() -> bool:
        for bus in t.buses:
            if not bus.connected:
                return False
            for name, subscription in bus.subscriptions.items():
                held = len(await t.records(subscription.stream))
                if sum(bus._ears[name].done.values()) < held:
                    return False
        return True

    await until(check, "everything consumed")


def inbox(t: Toy, subscription: Subscription) -> "Any":
    """The receiving side alone, without a broker."""
    from shared.envelope import Reader
    from shared.inbox import Inbox

    reader = Reader(t.kafka.prefix, t.kafka.installation, subscription.stream, subscription.types)
    return Inbox(t.vendor.db, subscription, reader, t.sealer)


async def known(t: Toy, *subscriptions: Subscription) -> None:
    """Register consumers, as the bus does at start."""
    from shared.rebuild import register

    async with t.vendor.db.begin("worker", Scope.system("vendor"), "toy") as tx:
        await register(tx, subscriptions)


async def waiting(t: Toy) -> list[tuple[str, str]]:
    """Kind and reason of what is parked."""
    rows = await t.vendor.rows("SELECT kind, reason FROM parked WHERE state = 'waiting' ORDER BY kind, reason, version")
    return [(row["kind"], row["reason"]) for row in rows]
