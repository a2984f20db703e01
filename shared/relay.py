"""The relay: events that wait in `pending` go to Kafka in order, and stop waiting when the broker has them.

Each partition is a shard, held by one relay of the service through a session advisory lock on a direct connection. The
same connection reads what waits and deletes what was acknowledged: with the lock, both are lost. A record may reach the
broker twice (a relay died before it could delete); its version says so to whoever hears it. Never are two events of one
aggregate sent out of order: a shard is read by sequence, and a failed send ends the turn.
"""

import asyncio
import contextlib
import json
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from shared import logs, metrics
from shared.db import SERVER_SETTINGS, Database, keep_alive, plain_address
from shared.envelope import header, headers_of
from shared.eventlog import SEALED
from shared.identity.scope import Scope
from shared.kafka import SEND_SECONDS, Kafka, ends, streams_of

CHANNEL: Final = "jembatan_pending"
LOCK_CLASS: Final = 0x4A454D42
BATCH: Final = 2_000
POLL_SECONDS: Final = 0.25
LOCK_SECONDS: Final = 1.0
CHECK_DEPTH: Final = 20
LONGEST_PAUSE: Final = 3.0
CALM_SECONDS: Final = 10.0
log = logs.logger("relay")

Reseal = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, str]]]
"""For a service with sealed payloads: aggregate ids -> freshly sealed text; an absent one has been erased."""


class NotOurs(RuntimeError):
    """The broker is not the one we knew, or knows more than we do: nothing may be sent."""


class Relay:
    """Publishes one service's events. `run` works until it is cancelled: what fails is built anew and tried again."""

    def __init__(self, db: Database, kafka: Kafka, *, direct_url: str, reseal: Reseal | None = None, batch: int = BATCH) -> None:
        self.db = db
        self.kafka = kafka
        self.connected = False
        self.restored_behind = False
        self.problem = ""
        self.held: frozenset[int] = frozenset()
        self._direct_url = plain_address(direct_url)
        self._reseal = reseal
        self._batch = batch
        self._wake = asyncio.Event()
        self._topics = {stream.topic: kafka.topic(stream) for stream in streams_of(db.service)}
        self._compacted = {kafka.topic(stream) for stream in streams_of(db.service) if stream.compacted}
        self._source = kafka.source(db.service)

    def hint(self) -> None:
        """There may be something to send: a wake-up that may be lost, for polling stays."""
        self._wake.set()

    async def run(self) -> None:
        """Hold shards and send what waits in them; `problem` says what keeps us from it."""
        failures = 0
        while True:
            began = asyncio.get_running_loop().time()
            try:
                await self._session()
            except Exception as error:  # noqa: BLE001 - client and driver fail in many ways; each one means: build anew
                self.problem = str(error) if isinstance(error, NotOurs) else logs.kind(error)
                log.warning("relay interrupted", problem=self.problem, where=logs.where(error))
            failures = failures + 1 if asyncio.get_running_loop().time() - began < CALM_SECONDS else 1
            await asyncio.sleep(min(LONGEST_PAUSE, 0.1 * 2 ** min(failures, 8)) * random.uniform(0.5, 1))

    async def _session(self) -> None:
        """One connection, one producer, until one of them fails."""
        link: asyncpg.Connection[Any] | None = None
        producer: AIOKafkaProducer | None = None
        try:
            link = await self._link()
            producer = self.kafka.producer()
            await producer.start()
            await self._check(link)
            self.connected, self.problem = True, ""
            log.info("relay started", pending=await link.fetchval("SELECT count(*) FROM pending"))
            await self._work(link, producer)
        finally:
            self.connected = False
            self.held = frozenset()
            await self._close(link, producer)

    async def _close(self, link: "asyncpg.Connection[Any] | None", producer: AIOKafkaProducer | None) -> None:
        # The lock is let go last: what was handed to the producer may still be on its way.
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await producer.stop()
        if link is not None:
            link.terminate()

    async def _link(self) -> "asyncpg.Connection[Any]":
        link = await asyncpg.connect(self._direct_url, timeout=10, server_settings=dict(SERVER_SETTINGS))
        transport = getattr(link, "_transport", None)
        keep_alive(transport.get_extra_info("socket") if transport is not None else None)
        await link.add_listener(CHANNEL, lambda *_: self.hint())
        return link

    async def _work(self, link: "asyncpg.Connection[Any]", producer: AIOKafkaProducer) -> None:
        loop = asyncio.get_running_loop()
        next_lock = 0.0
        while True:
            if len(self.held) < self.kafka.partitions and loop.time() >= next_lock:
                await self._lock(link)
                next_lock = loop.time() + LOCK_SECONDS
            self._wake.clear()
            sent = await self._turn(link, producer) if self.held else 0
            if sent < self._batch:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wake.wait()

    async def _lock(self, link: "asyncpg.Connection[Any]") -> None:
        """Try for every shard that we do not hold."""
        wanted = [shard for shard in range(self.kafka.partitions) if shard not in self.held]
        rows = await link.fetch("SELECT s AS shard FROM unnest($2::int[]) AS s WHERE pg_try_advisory_lock($1, s)", LOCK_CLASS, wanted)
        if rows:
            self.held |= {row["shard"] for row in rows}
            log.info("relay holds shards", held=len(self.held))

    async def _turn(self, link: "asyncpg.Connection[Any]", producer: AIOKafkaProducer) -> int:
        """Send one batch of what waits in the held shards; the number of events read."""
        rows = await link.fetch(_READ, sorted(self.held), self._batch)
        if not rows:
            return 0
        seals = await self._seals(rows)
        lanes: dict[TopicPartition, list[asyncpg.Record]] = {}
        for row in rows:
            topic = self._topics.get(row["topic"])
            if topic is None:
                raise NotOurs(f"the log holds events for {row['topic']}, which is not ours")
            lanes.setdefault(TopicPartition(topic, row["shard"]), []).append(row)
        acknowledged: list[int] = []
        # Lanes go at once, each in its own order. A lane that fails does not undo what the others sent.
        results = await asyncio.gather(
            *(self._lane(producer, lane, of, seals, acknowledged) for lane, of in lanes.items()), return_exceptions=True
        )
        if acknowledged:
            await link.execute(_DONE, acknowledged, [row["id"] for row in rows if row["sealed"]])
            metrics.RELAYED.inc(len(acknowledged))
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return len(rows)

    async def _lane(
        self,
        producer: AIOKafkaProducer,
        lane: TopicPartition,
        rows: Sequence[asyncpg.Record],
        seals: Mapping[UUID, str | None],
        acknowledged: list[int],
    ) -> None:
        """Send the events of one partition, batch after batch; each must be acknowledged before the next is handed over."""
        builder, inside = producer.create_batch(), list[int]()
        for row in rows:
            value = self._value(row, seals)
            if value is None and not row["gone"]:
                log.warning("sealed payload is gone; event not sent again", topic=lane.topic, partition=lane.partition)
                acknowledged.append(row["seq"])
                continue
            record: dict[str, Any] = {
                "timestamp": int(row["recorded_at"].timestamp() * 1000),
                "key": str(row["aggregate_id"] if lane.topic in self._compacted else row["key"]).encode(),
                "value": value,
                "headers": headers_of(row, prefix=self.kafka.prefix, source=self._source, replay=row["replay"]),
            }
            if builder.append(**record) is None:
                await self._send(producer, builder, lane)
                acknowledged.extend(inside)
                builder, inside = producer.create_batch(), []
                if builder.append(**record) is None:
                    raise RuntimeError("an event does not fit into an empty batch")
            inside.append(row["seq"])
        if inside:
            await self._send(producer, builder, lane)
            acknowledged.extend(inside)

    async def _send(self, producer: AIOKafkaProducer, builder: Any, lane: TopicPartition) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            waiting = await producer.send_batch(builder, lane.topic, partition=lane.partition)
            await waiting

    def _value(self, row: asyncpg.Record, seals: Mapping[UUID, str | None]) -> bytes | None:
        if row["gone"]:
            return None
        body: str = row["body"]
        if not row["sealed"]:
            return body.encode()
        sealed = seals.get(row["id"])
        if sealed is None:
            return None
        return json.dumps({**json.loads(body), SEALED: sealed}, separators=(",", ":"), ensure_ascii=False).encode()

    async def _seals(self, rows: Iterable[asyncpg.Record]) -> Mapping[UUID, str | None]:
        """Sealed payloads by event id: from the side table, else sealed afresh, else absent."""
        found: dict[UUID, str | None] = {row["id"]: row["payload"] for row in rows if row["sealed"]}
        missing = [row for row in rows if row["sealed"] and row["payload"] is None and not row["gone"]]
        if missing and self._reseal is not None:
            fresh = await self._reseal([row["aggregate_id"] for row in missing])
            for row in missing:
                found[row["id"]] = fresh.get(row["aggregate_id"])
        return found

    async def _check(self, link: "asyncpg.Connection[Any]") -> None:
        """Refuse to send to a broker that is another one than before, or that holds events which the log does not."""
        topics = sorted(self._topics.values())
        cluster, ids = await self.kafka.identity(topics)
        known = {row["topic"]: row for row in await link.fetch("SELECT topic, cluster_id, topic_id FROM relay_state")}
        for topic, topic_id in ids.items():
            before = known.get(topic)
            if before is not None and (before["cluster_id"], before["topic_id"]) != (cluster, topic_id):
                raise NotOurs(f"{topic} is another topic than the one we filled: refill it before sending")
        missing = [topic for topic in topics if topic not in ids]
        if missing:
            raise RuntimeError(f"topics are missing: {', '.join(missing)}; run `jembatan topics apply`")
        unknown = await self._unknown(link, topics)
        self.restored_behind = bool(unknown)
        metrics.RESTORED_BEHIND.set(len(unknown) > 0)
        if unknown:
            raise NotOurs(f"restored_behind_kafka: the broker holds {len(unknown)} events that the log does not; recover first")
        await link.executemany(
            "INSERT INTO relay_state (topic, cluster_id, topic_id, seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            [(topic, cluster, topic_id, self.db.clock.now().wall) for topic, topic_id in ids.items()],
        )

    async def _unknown(self, link: "asyncpg.Connection[Any]", topics: Sequence[str]) -> list[UUID]:
        """Our events among the last of each partition that the log does not hold."""
        consumer = self.kafka.consumer()
        await consumer.start()
        try:
            limits = {tp: end for tp, (first, end) in (await ends(consumer, topics)).items() if end > first}
            if not limits:
                return []
            consumer.assign(list(limits))
            for tp, end in limits.items():
                consumer.seek(tp, max(0, end - CHECK_DEPTH))
            last: dict[TopicPartition, UUID] = {}
            async with asyncio.timeout(30):
                while limits:
                    for tp, records in (await consumer.getmany(timeout_ms=200)).items():
                        for record in records:
                            if header(record.headers, "ce_source") == self._source:
                                with contextlib.suppress(ValueError):
                                    last[tp] = UUID(header(record.headers, "ce_id"))
                    for tp in list(limits):
                        if await consumer.position(tp) >= limits[tp]:
                            del limits[tp]
                            consumer.pause(tp)
        finally:
            await consumer.stop()
        wanted = list(last.values())
        rows = await link.fetch("SELECT id FROM event WHERE id = ANY($1::uuid[])", wanted)
        return sorted(set(wanted) - {row["id"] for row in rows})


class Notifier:
    """For processes without the relay: tells the service's relay after commits, at most every 20 ms."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._wake = asyncio.Event()

    def hint(self) -> None:
        """Events were committed."""
        self._wake.set()

    async def run(self) -> None:
        """Send the wake-ups; losing one only costs the relay's polling interval."""
        scope = Scope.system(self._db.service)
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self._db.begin("worker", scope, "relay.notify") as tx:
                await tx.run(f"NOTIFY {CHANNEL}")
            await asyncio.sleep(0.02)


_READ: Final = """
SELECT e.*, p.replay, s.sealed AS payload
FROM (SELECT shard, seq, replay FROM pending WHERE shard = ANY($1::int[]) ORDER BY seq LIMIT $2) p
JOIN event e ON e.seq = p.seq
LEFT JOIN sealed_body s ON s.event_id = e.id
ORDER BY e.seq
"""
_DONE: Final = """
WITH gone AS (DELETE FROM sealed_body WHERE event_id = ANY($2::uuid[])
              AND event_id IN (SELECT id FROM event WHERE seq = ANY($1::bigint[])))
DELETE FROM pending WHERE seq = ANY($1::bigint[])
"""
