"""Hearing: one FastStream subscriber per subscription, made by one factory that knows acknowledgement, retry and parking.

A batch is handled in one transaction (`shared.inbox`). What will pass is tried again in place, for less than half a
minute; then the batch is given back, its partition waits, and its lag shows. A batch is acknowledged only after its
transaction has committed; the database, not the broker, remembers what was applied.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage

from shared import logs, metrics, parking, rebuild, resend, tracing
from shared.db import Database, transient
from shared.envelope import Reader, Record, header
from shared.identity.scope import Scope
from shared.inbox import Inbox, StaleGeneration
from shared.kafka import REQUEST_MS, RESEND, SESSION, Kafka, ends
from shared.parking import Sealer
from shared.subscriptions import Subscription

BATCH: Final = 2_000
FETCH_BYTES: Final = 8 * 1024 * 1024
IN_PLACE_SECONDS: Final = 25.0
LONGEST_PAUSE: Final = 5.0
KEEP_HOUSE_SECONDS: Final = 1.0
STOP_SECONDS: Final = 3.0
log = logs.logger("bus")

Handle = Callable[[Sequence[Record]], Awaitable[None]]


def subscribe(kafka: Kafka, topic: str, group: str, handle: Handle, listener: ConsumerRebalanceListener) -> KafkaBroker:
    """A broker with the one subscriber for this topic and group: the only place where subscribers are made."""
    broker = KafkaBroker(
        # A list: a comma-separated string would be taken for one host.
        list(kafka.bootstrap),
        client_id=group,
        consumer_only=True,
        allow_auto_create_topics=False,
        request_timeout_ms=REQUEST_MS,
        metadata_max_age_ms=10_000,
        # A dozen subscribers that ask a broker that is away ten times a second keep its machine from starting it.
        retry_backoff_ms=500,
        graceful_timeout=STOP_SECONDS,
        apply_types=False,
        serializer=None,
        logger=None,
    )
    subscriber: Any = None

    async def parse(records: tuple[Record, ...]) -> KafkaAckableMessage:
        # Nothing of a record is read here: bad or null headers, a foreign `reply_to` must not reach FastStream.
        return KafkaAckableMessage(
            raw_message=records,
            body=b"",
            headers={},
            reply_to="",
            message_id=f"{records[0].offset}",
            correlation_id="",
            consumer=subscriber.consumer,
        )

    async def decode(message: KafkaAckableMessage) -> Any:
        return message.raw_message

    subscriber = broker.subscriber(
        topic,
        batch=True,
        group_id=group,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
        auto_offset_reset="earliest",
        max_records=BATCH,
        batch_timeout_ms=50,
        max_partition_fetch_bytes=FETCH_BYTES,
        parser=parse,
        decoder=decode,
        listener=listener,
        **SESSION,
    )

    async def hear(records: Any) -> None:
        # Annotated loosely on purpose: FastStream would check every record against a Protocol.
        await handle(records)

    subscriber(hear)
    assert_safe(broker)
    return broker


def assert_safe(broker: KafkaBroker) -> None:
    """Fail the process, not the data, when a subscriber was made elsewhere or otherwise. Raises RuntimeError."""
    for subscriber in broker.subscribers:
        options = subscriber._connection_args  # type: ignore[attr-defined]
        if (
            subscriber.ack_policy is not AckPolicy.NACK_ON_ERROR
            or not subscriber._no_reply
            or options.get("auto_offset_reset") != "earliest"
            or options.get("enable_auto_commit")
            or not hasattr(subscriber, "max_records")
            or len(subscriber.topics) != 1  # type: ignore[attr-defined]
        ):
            raise RuntimeError("a subscriber was not made by shared.bus.subscribe")


class Ear(ConsumerRebalanceListener):  # type: ignore[misc]
    """One subscriber that is kept alive, with how far it has come."""

    def __init__(self, name: str, topic: str, work: Handle) -> None:
        self.name = name
        self.topic = topic
        self.done: dict[TopicPartition, int] = {}
        """next offset per partition that this process has dealt with"""
        self.assigned: frozenset[TopicPartition] = frozenset()
        self.shown: set[int] = set()
        """partitions whose lag is on the gauge"""
        self.joined = False
        self.moving = False
        """between two assignments: what was ours may be anybody's"""
        self.again = asyncio.Event()
        """set when the subscriber must be started anew"""
        self.stopping = False
        self._work = work
        self._broker: KafkaBroker | None = None

    async def on_partitions_revoked(self, revoked: Any) -> None:
        """Before a rebalance."""
        self.assigned, self.moving = frozenset(), True

    async def on_partitions_assigned(self, assigned: Any) -> None:
        """After a rebalance."""
        self.assigned = frozenset(assigned)
        self.done = {tp: at for tp, at in self.done.items() if tp in self.assigned}
        self.joined, self.moving = True, False

    async def keep(self, kafka: Kafka, group: Callable[[], str]) -> None:
        """Run the subscriber until cancelled; start it anew when asked to or when it has died."""
        failures = 0
        while True:
            self.again.clear()
            self.stopping = False
            self.done, self.assigned, self.joined = {}, frozenset(), False
            self._broker = subscribe(kafka, self.topic, group(), self.handle, self)
            try:
                await self._broker.start()
                failures = 0
                await self.again.wait()
            except (KafkaError, OSError) as error:
                failures += 1
                log.warning("consumer cannot start", consumer=self.name, error=logs.kind(error))
                await asyncio.sleep(min(LONGEST_PAUSE, 0.2 * 2 ** min(failures, 8)) * random.uniform(0.5, 1))
            finally:
                await self._stop()

    async def _stop(self) -> None:
        broker, self._broker = self._broker, None
        # A batch that is waiting for better times is given back at once.
        self.joined, self.stopping = False, True
        if broker is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await broker.stop()

    @property
    def consumer(self) -> AIOKafkaConsumer | None:
        """The client underneath, while it runs."""
        if self._broker is None:
            return None
        for subscriber in self._broker.subscribers:
            return subscriber.consumer  # type: ignore[attr-defined]
        return None

    @property
    def alive(self) -> bool:
        """Whether the consuming task is there (FastStream's ping stays true without it)."""
        if self._broker is None or not self.joined:
            return False
        return all(any(not task.done() for task in s.tasks) for s in self._broker.subscribers)  # type: ignore[attr-defined]

    async def handle(self, records: Sequence[Record]) -> None:
        """Deal with a batch; transient failures are met in place, then the batch is given back by raising."""
        began = asyncio.get_running_loop().time()
        for turn in range(1, 1000):
            try:
                with tracing.span(header(records[0].headers, "traceparent")):
                    await self._work(records)
                break
            except StaleGeneration:
                self.again.set()
                raise
            except Exception as error:
                pause = min(LONGEST_PAUSE, 0.05 * 2 ** min(turn, 10)) * random.uniform(0.5, 1)
                log.warning("batch not taken", consumer=self.name, error=logs.kind(error), where=logs.where(error), turn=turn)
                if self.stopping or asyncio.get_running_loop().time() + pause - began > IN_PLACE_SECONDS:
                    raise
                await asyncio.sleep(pause)
        for record in records:
            tp = TopicPartition(record.topic, record.partition)
            self.done[tp] = max(self.done.get(tp, 0), record.offset + 1)


class Bus:
    """All subscriptions of a service in this process. `run` works until cancelled: run it supervised."""

    def __init__(self, db: Database, kafka: Kafka, subscriptions: Sequence[Subscription], sealer: Sealer) -> None:
        self.db = db
        self.kafka = kafka
        self.subscriptions = {s.name: s for s in subscriptions}
        if len(self.subscriptions) != len(subscriptions):
            raise ValueError("two subscriptions have one name")
        self.reachable = False
        self.ask_after = resend.ASK_AFTER
        self._sealer = sealer
        self._scope = Scope.system(db.service)
        self._generations: dict[str, int] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._ears: dict[str, Ear] = {}
        self._turns: dict[str, asyncio.Lock] = {name: asyncio.Lock() for name in self.subscriptions}
        self._pace = resend.Pace()
        self._probe: AIOKafkaConsumer | None = None
        self._looking = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Whether the broker answers and every subscriber is in its group with a living task."""
        return self.reachable and bool(self._ears) and all(ear.alive for ear in self._ears.values())

    @property
    def away(self) -> int:
        """How many subscribers are not at work: what waits for them shows in nobody's lag."""
        working = sum(ear.alive and not ear.moving for ear in self._ears.values()) if self.reachable else 0
        return len(self.subscriptions) + 1 - working

    async def run(self) -> None:
        """Hear until cancelled."""
        await self._known()
        self._ears = {name: Ear(name, self.kafka.topic(s.stream), self._taker(name)) for name, s in self.subscriptions.items()}
        self._ears[RESEND] = Ear(RESEND, self.kafka.topic(RESEND), self._answer)
        try:
            async with asyncio.TaskGroup() as group:
                for name, ear in self._ears.items():
                    group.create_task(ear.keep(self.kafka, self._grouper(name)), name=f"ear {name}")
                group.create_task(self._keep_house(), name="bus housekeeping")
        finally:
            await self._drop_probe()
            self.reachable = False

    async def _known(self) -> None:
        """Register, once the database is there."""
        while True:
            try:
                return await self._register()
            except Exception as error:
                if not transient(error):
                    raise
                log.warning("waiting for the database", error=logs.kind(error))
            await asyncio.sleep(1)

    def _grouper(self, name: str) -> Callable[[], str]:
        return lambda: self.kafka.group(self.db.service, name, self._generations.get(name, 1))

    async def _register(self) -> None:
        async with self.db.begin("worker", self._scope, "bus.register") as tx:
            found = await rebuild.register(tx, self.subscriptions.values())
        for name, generation in found.items():
            if self._generations.get(name) == generation:
                continue
            subscription = self.subscriptions[name]
            reader = Reader(self.kafka.prefix, self.kafka.installation, subscription.stream, subscription.types)
            self._inboxes[name] = Inbox(self.db, subscription, reader, self._sealer, generation=generation)
            self._generations[name] = generation
            if name in self._ears:
                self._ears[name].again.set()

    def _taker(self, name: str) -> Handle:
        async def take(records: Sequence[Record]) -> None:
            async with self._turns[name]:
                await self._inboxes[name].take(records)

        return take

    async def _answer(self, records: Sequence[Record]) -> None:
        requests = self._pace.due(resend.decode(records, self.db.service))
        if not requests:
            return
        async with self.db.begin("worker", self._scope, "events.answer") as tx:
            number = await resend.answer(tx, requests)
        log.info("events sent again on request", events=number, aggregates=len(requests))

    async def _keep_house(self) -> None:
        """Once a second: parked rows whose turn has come, gaps to ask for, rebuilds that are done, whether Kafka answers."""
        while True:
            try:
                await self._register()
                await self._drain()
                await self._ask()
                await self._finish_rebuilds()
            except Exception as error:  # noqa: BLE001 - whatever fails here is tried again at the next turn
                log.warning("housekeeping failed", error=logs.kind(error), where=logs.where(error))
            await self._look()
            await asyncio.sleep(KEEP_HOUSE_SECONDS)

    async def _drain(self) -> None:
        compacted = {self.kafka.topic(s.stream) for s in self.subscriptions.values() if s.stream.compacted}
        async with self.db.begin("worker", self._scope, "bus.drainable") as tx:
            found = await parking.drainable(tx, list(self.subscriptions), sorted(compacted))
        for name, aggregates in found.items():
            async with self._turns[name]:
                await self._inboxes[name].take((), drain=aggregates)

    async def _ask(self) -> None:
        async with self.db.begin("worker", self._scope, "bus.ask") as tx:
            requests = await resend.to_ask(tx, list(self.subscriptions), self.db.service, self.ask_after)
            if not requests:
                return
            producer = self.kafka.producer()
            await producer.start()
            try:
                async with asyncio.timeout(10):
                    for request in requests:
                        await producer.send(self.kafka.topic(RESEND), resend.encode(request), key=request.aggregate_id.bytes)
                    await producer.flush()
            finally:
                await producer.stop()
        log.warning("gaps: missing events asked for", aggregates=len(requests))

    async def _finish_rebuilds(self) -> None:
        async with self.db.begin("worker", self._scope, "bus.rebuilds") as tx:
            for name in await rebuild.rebuilding(tx, list(self.subscriptions) or [""]):
                async with self.kafka.admin() as admin:
                    group = self._grouper(name)()
                    offsets = await admin.list_consumer_group_offsets(group)
                if await rebuild.finish(tx, name, self._generations[name], {tp.partition: found.offset for tp, found in offsets.items()}):
                    log.info("projection rebuilt", consumer=name)

    async def _look(self) -> None:
        """Ask the broker how far its topics go: for the lag, and to know that it answers."""
        try:
            async with asyncio.timeout(5):
                await self.sample()
            self.reachable = True
        except (KafkaError, OSError, TimeoutError) as error:
            if self.reachable:
                log.warning("Kafka does not answer", error=logs.kind(error))
            self.reachable = False
            await self._drop_probe()

    async def sample(self) -> None:
        """Bring the lag gauges up to date. Raises what the client raises when the broker does not answer."""
        async with self._looking:
            if self._probe is None:
                probe = self.kafka.consumer()
                await probe.start()
                self._probe = probe
        limits = await ends(self._probe, sorted({ear.topic for ear in self._ears.values()}))
        for name, ear in self._ears.items():
            if name == RESEND:
                continue
            shown: set[int] = set()
            for tp in ear.assigned:
                if tp in limits:
                    metrics.LAG.labels(name, str(tp.partition)).set(max(0, limits[tp][1] - await self._reached(ear, tp)))
                    shown.add(tp.partition)
            # What went to another process is no longer ours to report.
            for partition in ear.shown - shown:
                with contextlib.suppress(KeyError):
                    metrics.LAG.remove(name, str(partition))
            ear.shown = shown

    async def _reached(self, ear: Ear, tp: TopicPartition) -> int:
        if tp not in ear.done:
            consumer = ear.consumer
            if consumer is None or tp not in consumer.assignment():
                return 0
            # Nothing dealt with since the partition came to us: what the group had committed before.
            ear.done.setdefault(tp, await consumer.committed(tp) or 0)
        return ear.done[tp]

    async def _drop_probe(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(2):
                    await probe.stop()
