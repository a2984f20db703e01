"""Through the real broker: poison, floods, foreign records, rebuilds, sealed payloads."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaProducer

from shared import metrics, parking, rebuild, resend
from shared.db import Tx
from shared.events import CATALOGUE
from shared.events.registry import CONTACTS, EVENTS, ContactChanged, WorkerRegistered
from shared.identity.scope import Scope
from shared.ids import new_id
from shared.subscriptions import Heard, projection
from tests.component.machine.harness import (
    DAY,
    REGION,
    Raw,
    Toy,
    actor,
    consumed,
    laid_off,
    raws,
    registered,
    say,
    story,
    until,
    viewer,
    waiting,
    workers,
)

OPERATOR = Scope.system("operator")


async def test_repeated_ten_times_reordered_and_replayed_whole_the_state_stays(t: Toy) -> None:
    t.relay()
    t.bus(viewer(), actor())
    people = workers(12)
    for worker in people:
        await t.registry.write(*story(worker, 4))
    await t.delivered(48)
    await until(lambda: t.vendor.number("SELECT count(*) / 12 FROM event"), "12 reactions")
    before = await t.vendor.hash()
    records = await raws(t)
    deck = [raw for raw in records for _ in range(10)]
    random.Random(7).shuffle(deck)
    await say(t, deck)
    async with t.registry.db.begin("worker", OPERATOR, "events.resend") as tx:
        assert await resend.resend_since(tx, tx.stamp.wall - timedelta(days=1)) == 48
    await until(lambda: t.registry.number("SELECT (count(*) = 0)::int FROM pending"), "all sent again")
    await consumed(t)
    assert len(await t.records(EVENTS)) == 48 * 12
    assert await t.vendor.hash() == before
    assert await t.vendor.number("SELECT count(*) FROM event") == 12
    assert await waiting(t) == []


async def test_poison_is_parked_to_the_last_record_and_harms_nobody_else(t: Toy) -> None:
    t.bus(viewer())
    good = workers(10)
    victims = workers(8)
    await t.registry.write(*[registered(worker) for worker in [*good, *victims]])
    await t.registry.write(*[laid_off(worker) for worker in [*good, *victims]])
    records = await raws(t)
    first, second = records[:18], records[18:]
    template = second[10:]
    prefix = t.kafka.prefix.encode()
    major = prefix + b".worker.laid_off.v9"
    elsewhere = b"/jembatan/test/vendor"
    poison = [
        # Claiming the next version of a victim, in its place:
        template[0].but(value=b'{"worker_id": '),
        template[1].but(value=b"\xff\xfe\x00"),
        template[2].but(value=None),
        template[3].but(ce_type=major),
        template[4].but(value=b"x" * 2_000_000),
        template[5].but(value=template[6].value),
        template[6].but(value=b"[" * 100_000),
        template[7].but(ce_type=prefix + b".contact.changed.v1"),
        # Of nobody's aggregate:
        second[0].but(ce_source=elsewhere),
        second[1].but(ce_source=elsewhere, reply_to=t.kafka.topic("vendor.events").encode()),
        second[2].but(ce_source=b"/jembatan/other/registry"),
        second[3].but(ce_id=b"\xc3\x28", ce_region=b"\xff"),
        second[4].but(ce_subject=None),
        second[5].but(ce_sequence=b"0"),
        second[6].but(ce_sequence=b"99999999999999999999"),
        second[7].but(ce_time=b"yesterday"),
        Raw(second[8].topic, 0, b"hello", []),
        Raw(second[8].topic, 1, None, [("ce_id", None), ("reply_to", b"x")]),
        second[9].but(ce_type=b"other.worker.laid_off.v1", ce_source=b"\xff\xff"),
    ]
    async with _packing(t) as producer:
        for raw in [*first[:9], *poison[8:], *first[9:], *poison[:8], *second[:10]]:
            await producer.send(raw.topic, value=raw.value, key=raw.key, headers=raw.headers, partition=raw.partition)
        await producer.flush()
    await consumed(t)
    rows = await t.vendor.rows("SELECT told FROM view WHERE worker_id = ANY(CAST(:ids AS uuid[]))", ids=good)
    assert [row["told"] for row in rows] == ["1:- 2:1"] * 10
    rows = await t.vendor.rows("SELECT told FROM view WHERE worker_id = ANY(CAST(:ids AS uuid[]))", ids=victims)
    assert [row["told"] for row in rows] == ["1:-"] * 8
    found = await waiting(t)
    assert len(found) == len(poison)
    assert {kind for kind, _ in found} == {"poison"}
    assert {reason for _, reason in found} == {
        "bad-body",
        "bad-envelope",
        "envelope-and-body-differ",
        "foreign-source",
        "no-envelope",
        "tombstone",
        "unknown-major",
        "wrong-topic",
    }
    assert await t.records("vendor.events") == [], "nothing was answered to a foreign reply_to"
    # The good copies take the places of what could not be read.
    await say(t, template)
    await consumed(t)
    rows = await t.vendor.rows("SELECT told FROM view WHERE worker_id = ANY(CAST(:ids AS uuid[]))", ids=victims)
    assert [row["told"] for row in rows] == ["1:- 2:1"] * 8
    assert len(await waiting(t)) == len(poison) - 8


async def test_what_follows_poison_waits_behind_it_and_goes_on_after_a_discard(t: Toy) -> None:
    t.bus(viewer())
    (worker,) = workers(1)
    await t.registry.write(*story(worker, 4))
    first, second, third, fourth = await raws(t)
    await say(t, [first, second.but(value=b"{"), third, fourth])
    await consumed(t)
    assert [kind for kind, _ in await waiting(t)] == ["behind", "behind", "poison"]
    (row,) = await t.vendor.rows("SELECT id FROM parked WHERE kind = 'poison'")
    async with t.vendor.db.begin("worker", OPERATOR, "parked.discard") as tx:
        await parking.discard(tx, row["id"])

    async def drained() -> bool:
        rows = await t.vendor.rows("SELECT told FROM view")
        return [row["told"] for row in rows] == ["1:- 3:3 4:4"]

    await until(drained, "the rest of the story")
    assert await waiting(t) == []


async def test_a_gap_is_asked_for_and_filled_by_its_owner(t: Toy) -> None:
    t.relay()
    bus = t.bus(viewer())
    bus.ask_after = timedelta(seconds=0)
    t.bus(side=t.registry)
    (worker,) = workers(1)
    await t.registry.write(*story(worker, 1))
    await t.delivered(1)
    await t.registry.write(laid_off(worker, "2"), laid_off(worker, "3"))
    await t.delivered(3)
    # The broker loses what the log holds: versions 4 and 5 never get there.
    await t.stop(t.registry)
    await t.registry.write(laid_off(worker, "4"), laid_off(worker, "5"), laid_off(worker, "6"))
    await t.registry.rows("WITH x AS (DELETE FROM pending RETURNING 1) SELECT * FROM x")
    await say(t, (await raws(t))[-1:])
    await until(lambda: _one(waiting(t), ("gap", "gap")), "the gap")
    t.relay()
    t.bus(side=t.registry)
    await t.delivered(6)
    assert await waiting(t) == []
    replayed = [r for r in await t.records(EVENTS) if ("replay", b"1") in r.headers]
    assert len(replayed) == 2


async def test_hearers_that_come_and_go_and_lose_their_sessions_apply_everything_once(t: Toy) -> None:
    t.relay()
    view, echo = viewer(), actor()
    chance = random.Random(5)
    people = workers(40)
    t.bus(view, echo)

    async def write() -> None:
        for n in range(1, 13):
            await t.registry.write(*[registered(w) if n == 1 else laid_off(w, str(n)) for w in people])
            await asyncio.sleep(0.1)

    writing = asyncio.create_task(write())
    killed = rounds = 0
    while not writing.done() or killed < 5 or rounds < 4:
        rounds += 1
        t.bus(view, echo)
        await asyncio.sleep(chance.uniform(0.2, 0.6))
        rows = await t.vendor.rows(
            "SELECT pg_terminate_backend(pid) AS ended FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename = current_user"
        )
        killed += len(rows)
        oldest = t.vendor.tasks.pop(0)
        t.buses.pop(0)
        oldest.cancel()
        await asyncio.gather(oldest, return_exceptions=True)
    await writing
    await t.delivered(480)
    expected = "1:- " + " ".join(f"{n}:{n}" for n in range(2, 13))
    assert {row["told"] for row in await t.vendor.rows("SELECT told FROM view")} == {expected}
    await until(lambda: t.vendor.number("SELECT count(*) / 40 FROM event"), "40 reactions")
    await consumed(t)
    assert await t.vendor.number("SELECT count(*) FROM event") == 40
    assert await waiting(t) == []


async def test_a_rebuild_reads_everything_again_into_the_same_state(t: Toy) -> None:
    t.relay()
    view = viewer()
    t.bus(view)
    for worker in workers(15):
        await t.registry.write(*story(worker, 3))
    await t.delivered(45)
    await consumed(t)
    await t.buses[0].sample()
    lags = {s.labels["partition"]: s.value for m in metrics.LAG.collect() for s in m.samples if s.labels["consumer"] == "view"}
    assert lags == {str(n): 0 for n in range(t.kafka.partitions)}
    before = await t.vendor.hash()
    assert await rebuild.begin(t.vendor.db, t.kafka, view, OPERATOR) == 2
    async with t.vendor.db.begin("worker", OPERATOR, "toy") as tx:
        assert await rebuild.rebuilding(tx) == ["view"]

    async def live() -> bool:
        async with t.vendor.db.begin("worker", OPERATOR, "toy") as tx:
            return await rebuild.rebuilding(tx) == []

    await until(live, "the mark to go")
    assert await t.vendor.hash() == before
    (row,) = await t.vendor.rows("SELECT generation, state FROM consumer WHERE name = 'view'")
    assert (row["generation"], row["state"]) == (2, "live")
    with pytest.raises(Exception, match="reactions-are-resumed"):
        await rebuild.begin(t.vendor.db, t.kafka, actor(), OPERATOR)


async def test_a_late_subscriber_reads_from_the_start(t: Toy) -> None:
    t.relay()
    for worker in workers(5):
        await t.registry.write(*story(worker, 2))
    await until(lambda: t.registry.number("SELECT (count(*) = 0)::int FROM pending"), "sent")
    t.bus(viewer())
    await t.delivered(10)


async def test_sealed_payloads_travel_and_are_kept_nowhere(t: Toy) -> None:
    async def reseal(aggregates: object) -> dict[object, str]:
        return {contact: "sealed afresh"}

    t.relay(reseal=reseal)
    contact, worker = new_id(), new_id()
    fact = ContactChanged(region=REGION, effective_on=DAY, contact_id=contact, worker_id=worker, sealed="sealed bytes")
    await t.registry.write(fact)
    await until(lambda: _length(t.records(CONTACTS), 1), "the contact")
    await until(lambda: t.registry.number("SELECT (count(*) = 0)::int FROM pending"), "acknowledged")
    assert await t.registry.number("SELECT count(*) FROM sealed_body") == 0
    assert await t.registry.number("SELECT count(*) FROM event WHERE body LIKE '%bytes%'") == 0
    async with t.registry.db.begin("worker", OPERATOR, "events.resend") as tx:
        await resend.resend_aggregate(tx, contact)
    await until(lambda: _length(t.records(CONTACTS), 2), "the contact again")
    first, second = await t.records(CONTACTS)
    assert b'"sealed":"sealed bytes"' in first.value
    assert b'"sealed":"sealed afresh"' in second.value
    assert first.key == second.key == str(contact).encode()


async def test_a_compacted_topic_is_read_newest_first_wins_and_a_tombstone_deletes(t: Toy) -> None:
    gone: list[object] = []

    async def forget(tx: Tx, aggregates: object) -> None:
        gone.append(aggregates)

    seen: list[str] = []

    @projection("contacts", ContactChanged, gone=forget)
    async def contacts(tx: Tx, heard: Sequence[Heard]) -> None:
        seen.extend(h.fact.sealed for h in heard if isinstance(h.fact, ContactChanged))

    contact, worker = new_id(), new_id()

    def change(sealed: str) -> ContactChanged:
        return ContactChanged(region=REGION, effective_on=DAY, contact_id=contact, worker_id=worker, sealed=sealed)

    relay = t.relay()
    await t.registry.write(change("one"))
    await t.registry.write(change("two"))
    async with t.registry.db.begin("worker", OPERATOR, "toy") as tx:
        tx.emit(change(""), tombstone=True)
    relay.hint()
    await until(lambda: _length(t.records(CONTACTS), 3), "three records")
    records = await t.records(CONTACTS)
    assert [r.value is None for r in records] == [False, False, True]
    bus = t.bus(contacts)
    await until(lambda: t.vendor.number("SELECT coalesce(max(version), 0) / 3 FROM position"), "the tombstone")
    assert seen == []
    assert [[str(a) for a in found] for found in gone] == [[str(contact)]]  # type: ignore[attr-defined]
    # An old record that comes late does not bring anything back.
    old = records[1]
    await say(t, [Raw(old.topic, old.partition, old.value, list(old.headers), old.key)])
    await consumed(t)
    assert seen == [] and bus.connected


async def test_the_largest_event_gets_through(t: Toy) -> None:
    t.relay()
    t.bus(viewer())
    await t.registry.write(registered(new_id(), agency="x" * 899_000))
    await t.delivered(1)


async def test_every_type_of_the_catalogue_survives_the_envelope(t: Toy) -> None:
    assert WorkerRegistered.kind.type in CATALOGUE
    await t.registry.write(registered(new_id()))
    t.relay()
    await until(lambda: _length(t.records(EVENTS), 1), "the record")
    (record,) = await t.records(EVENTS)
    names = dict(record.headers)
    assert names["ce_type"].decode() == f"{t.kafka.prefix}.worker.registered.v1"
    assert names["ce_source"] == b"/jembatan/test/registry"
    assert names["ce_specversion"] == b"1.0"
    assert {name for name in names if name.startswith("ce_")} >= {"ce_id", "ce_subject", "ce_sequence", "ce_region"}
    assert all(name.removeprefix("ce_").isalnum() for name in names if name.startswith("ce_"))


async def _one(found: object, wanted: tuple[str, str]) -> bool:
    return wanted in await found  # type: ignore[misc]


async def _length(found: object, wanted: int) -> bool:
    return len(await found) >= wanted  # type: ignore[misc]


class _packing:
    """A producer that compresses: what is too large for the topic in plain bytes gets in."""

    def __init__(self, t: Toy) -> None:
        self._bootstrap = list(t.kafka.bootstrap)

    async def __aenter__(self) -> AIOKafkaProducer:
        self._producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, max_request_size=8_000_000, compression_type="gzip")
        await self._producer.start()
        return self._producer

    async def __aexit__(self, *_: object) -> None:
        await self._producer.stop()
