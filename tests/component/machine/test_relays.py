"""Relays and the real broker: killed, many at once, a log or a topic that is not the one we filled, no broker at all."""

import asyncio
import random

from shared.events.registry import EVENTS
from shared.ids import new_id
from shared.relay import LOCK_CLASS
from shared.topics import Topic, apply
from tests.component.machine.harness import (
    Toy,
    consumed,
    laid_off,
    registered,
    story,
    until,
    viewer,
    waiting,
    workers,
)


async def test_relays_whose_sessions_are_killed_leave_no_gap_and_no_disorder(t: Toy) -> None:
    for _ in range(3):
        t.relay(batch=50)
    t.bus(viewer())
    people = workers(60)
    chance = random.Random(3)
    killed = 0
    admin = await t.registry.owner()
    try:

        async def write() -> None:
            for n in range(1, 21):
                for at in range(0, 60, 20):
                    some = people[at : at + 20]
                    facts = [registered(w) if n == 1 else laid_off(w, str(n)) for w in some]
                    await t.registry.write(*facts)

        writing = asyncio.create_task(write())
        while not writing.done() or killed < 10:
            # Whoever owns a database may not end another role's sessions; the worker may end its own.
            rows = await t.registry.rows(
                "SELECT pg_terminate_backend(pid) AS ended FROM (SELECT DISTINCT pid FROM pg_locks"
                " WHERE locktype = 'advisory' AND classid = :class AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) x",
                **{"class": LOCK_CLASS},
            )
            killed += len(rows)
            await asyncio.sleep(chance.uniform(0.05, 0.3))
        await writing
    finally:
        await admin.close()
    await t.delivered(1200)
    await consumed(t)
    expected = "1:- " + " ".join(f"{n}:{n}" for n in range(2, 21))
    assert {row["told"] for row in await t.vendor.rows("SELECT told FROM view")} == {expected}
    assert await waiting(t) == []
    assert killed >= 10
    # First arrivals are in order in the topic itself, with no gap ever seen by the hearer.
    assert await t.vendor.number("SELECT count(*) FROM parked") == 0


async def test_a_shard_is_held_by_one_relay(t: Toy) -> None:
    relays = [t.relay() for _ in range(3)]

    async def held() -> bool:
        return sum(len(relay.held) for relay in relays) == t.kafka.partitions and all(r.connected for r in relays)

    await until(held, "every shard held")
    assert sorted(shard for relay in relays for shard in relay.held) == list(range(t.kafka.partitions))


async def test_a_log_that_is_older_than_the_broker_sends_nothing(t: Toy) -> None:
    relay = t.relay()
    (worker,) = workers(1)
    await t.registry.write(*story(worker, 2))
    await until(lambda: t.registry.number("SELECT (count(*) = 0)::int FROM pending"), "sent")
    await t.stop(t.registry)
    owner = await t.registry.owner()
    await owner.execute("ALTER TABLE event DISABLE TRIGGER ALL")
    await owner.execute("DELETE FROM event WHERE version = 2")
    await owner.execute("ALTER TABLE event ENABLE TRIGGER ALL")
    await owner.close()
    await t.registry.write(registered(new_id()))
    relay = t.relay()

    async def refused() -> bool:
        return relay.restored_behind

    await until(refused, "restored_behind_kafka")
    assert "restored_behind_kafka" in relay.problem
    assert not relay.connected
    assert len(await t.records(EVENTS)) == 2


async def test_a_topic_that_is_not_the_one_we_filled_gets_nothing(t: Toy) -> None:
    relay = t.relay()
    await t.registry.write(registered(new_id()))
    await until(lambda: t.registry.number("SELECT (count(*) = 0)::int FROM pending"), "sent")
    await t.stop(t.registry)
    name = t.kafka.topic(EVENTS)
    async with t.kafka.admin() as admin:
        await admin.delete_topics([name])

        async def gone() -> bool:
            return name not in await admin.list_topics()

        await until(gone, "the topic to go")
    await apply(t.kafka, [Topic(name, "event", "", (), t.kafka.partitions)], replication=1)
    relay = t.relay()

    async def refused() -> bool:
        return "refill" in relay.problem

    await until(refused, "another topic id")
    assert await t.records(EVENTS) == []


async def test_events_are_written_while_the_broker_is_away_and_sent_when_it_is_back(t: Toy) -> None:
    away = type(t.kafka)(("127.0.0.1:1",), t.kafka.prefix, "test", t.kafka.partitions)
    there, t.kafka = t.kafka, away
    relay = t.relay()
    await t.registry.write(registered(new_id()))
    assert not relay.connected
    assert await t.registry.number("SELECT count(*) FROM pending") == 1
    await t.stop(t.registry)
    t.kafka = there
    t.relay()
    t.bus(viewer())
    await t.delivered(1)
