"""What every consumer must stand: the same again and again, poison beside good records, many at once; and statements that do not
grow with the batch."""

import asyncio
import hashlib
import json
from datetime import date
from uuid import UUID

import asyncpg
import pytest

from services.placement.domain import matters as m
from services.placement.usecases.matters import settle
from shared.db import Database, Tx
from shared.events import CATALOGUE, placement
from shared.ids import derived_id
from tests.component.placement.world import REGION, START, World

TOPICS = ("registry.events", "registry.internal", "vendor.events", "notify.internal")
STATE = (
    *("person", "person_history", "roll_chunk", "capacity_chunk", "credential", "right_history", "vendor", "contract", "lot", "seat"),
    *("offer", "placement", "preference", "course", "round", "round_person", "event"),
)


async def _state(world: World) -> str:
    digest = hashlib.sha256()
    for table in STATE:
        rows = await world.app.rows(f"SELECT CAST(t AS text) AS row FROM {table} t ORDER BY 1")
        digest.update(json.dumps([table, *(row["row"] for row in rows)]).encode())
    return digest.hexdigest()


async def test_everything_again_ten_times_changes_nothing(world: World) -> None:
    told = []
    tell = world.app.tell

    async def remember(fact, event_id, version, **more):  # type: ignore[no-untyped-def]
        told.append((fact, event_id, version))
        await tell(fact, event_id, version, **more)

    world.app.tell = remember  # type: ignore[method-assign]
    try:
        await world.people(["ani", "budi", "cici"])
        await world.credential("ani", "sim", "A")
        await world.contract("k1", [("lot", "rsud", "cleaning", 2)])
        await world.app.say(world.wishes(world.id("ani"), "cleaning", "driver"))
        await world.signed_round()
        open_ = await world.open_offers()
        await world.app.say(*[world.answer(offer, "yes") for offer in open_.values()])
        await world.app.settle()
        await world.app.say(*[world.agreement(offer) for offer in open_.values()])
        await world.app.settle()
    finally:
        world.app.tell = tell  # type: ignore[method-assign]
    heard = {fact.kind.stream.topic for fact, _, _ in told}
    assert heard == set(TOPICS)
    before = await _state(world)
    # Nine times more, the last facts first: duplicates in any order.
    for fact, event_id, version in reversed(told):
        await tell(fact, event_id, version, times=9)
    await world.app.settle()
    assert await _state(world) == before
    assert not await world.app.rows("SELECT 1 FROM parked WHERE state = 'waiting'")


async def test_poison_is_parked_and_others_go_on(world: World) -> None:
    await world.people(["ani"])
    await world.contract("k1", [("lot", "rsud", "cleaning", 1)])
    await world.signed_round()
    (offer,) = (await world.open_offers()).values()
    for topic in TOPICS:
        key = UUID(offer["worker_id"])
        await world.app.publish(topic, b"{not json", key=key, headers=[("ce_type", b"jembatan.worker.left.v1")])
        await world.app.publish(topic, None, key=key)
        await world.app.publish(topic, b"\xff\xfe", key=key, headers=[("reply_to", b"elsewhere"), ("ce_id", b"\xff")])
    await world.app.say(world.answer(offer, "yes"))
    await world.app.settle()
    consumers = len(world.app.service.subscriptions)
    parked = await world.app.rows(
        "SELECT consumer, count(*) AS n FROM parked WHERE state = 'waiting' AND kind = 'poison' GROUP BY consumer"
    )
    assert len(parked) == consumers and {row["n"] for row in parked} == {3}
    assert [f.offer_id for f in await world.events(placement.OfferAccepted)] == [UUID(offer["id"])]
    await world.app.owner.execute("DELETE FROM parked WHERE kind = 'poison'")


async def _lone_contract(world: World, seats: int) -> None:
    await world.contract("k1", [("lot", "rsud", "cleaning", seats)])
    await world.app.settle()


def _wanted(world: World, number: int) -> m.Wanted:
    worker = world.id(f"racer {number}")
    return m.Wanted(
        region=REGION,
        on=START,
        offer_id=derived_id("race", worker),
        worker_id=worker,
        lot_id=world.lots["lot"].lot_id,
        round_id=None,
        incumbent=False,
        starts_on=START,
        answer_by=date(2026, 1, 19),
    )


def _answered(world: World, offer_id: UUID, number: int, says: str) -> m.Answered:
    return m.Answered(region=REGION, on=START, offer_id=offer_id, worker_id=world.id(f"racer {number}"), says=says)


async def test_200_racers_for_10_seats_never_hold_more_than_10(world: World) -> None:
    await _lone_contract(world, 10)
    # Twenty real connections, two hundred transactions.
    app = world.app
    db = Database("placement", api_url=app.dsns.api, worker_url=app.dsns.worker, clock=app.clock, partitions=app.kafka.partitions, pool=20)
    scope = world.app.service.scope

    async def one(matter: m.Matter) -> str:
        async def work(tx: Tx) -> str:
            return (await settle(tx, tx.scope, [matter]))[0]

        return await db.attempt("worker", scope, "race", work)

    try:
        slugs = await asyncio.gather(*[one(_wanted(world, n)) for n in range(200)])
        assert (slugs.count(""), slugs.count("no-seat")) == (10, 190)
        held = [n for n, slug in enumerate(slugs) if not slug]
        # Two hundred answers to the ten offers, yes and no against each other: one word counts for each.
        answers = [
            _answered(world, derived_id("race", world.id(f"racer {held[n % 10]}")), held[n % 10], "yes" if n % 3 else "no")
            for n in range(200)
        ]
        slugs = await asyncio.gather(*[one(answer) for answer in answers])
        assert (slugs.count(""), slugs.count("offer-closed")) == (10, 190)
    finally:
        await db.close()
    lot = await world.lot("lot")
    accepted, declined = await world.events(placement.OfferAccepted), await world.events(placement.OfferDeclined)
    assert len(accepted) + len(declined) == 10
    assert lot["taken"] == len(accepted) <= lot["capacity"] == 10
    await world.sound()


async def test_the_database_itself_refuses_an_eleventh_seat(world: World) -> None:
    await _lone_contract(world, 10)
    with pytest.raises(asyncpg.CheckViolationError, match="lot_never_over"):
        await world.app.owner.execute("UPDATE lot SET taken = 11 WHERE id = $1", world.lots["lot"].lot_id)


async def test_statements_do_not_grow_with_the_batch(world: World) -> None:
    """Batches of 4 and of 400 go the same way: fresh people, one lot with seats for all, every answer of the same kinds."""
    await _lone_contract(world, 1_000)
    scope = world.app.service.scope

    async def spent(start: int, size: int) -> list[int]:
        counts = []
        ids = [derived_id("race", world.id(f"racer {n}")) for n in range(start, start + size)]
        half = size // 2
        steps: list[list[m.Matter]] = [
            [_wanted(world, n) for n in range(start, start + size)],
            [_answered(world, offer, start + n, "yes" if n < half else "no") for n, offer in enumerate(ids)],
            [m.Gone(region=REGION, on=START, worker_id=world.id(f"racer {start + n}"), reason="exited") for n in range(size)],
        ]
        for step in steps:

            async def work(tx: Tx, step: list[m.Matter] = step) -> int:
                slugs = await settle(tx, tx.scope, step)
                assert set(slugs) == {""}
                await tx.flush()
                return tx.statements

            counts.append(await world.app.db.attempt("worker", scope, "count", work))
            # Whatever a step set in motion has ended before the next one is counted.
            await world.app.settle()
        return counts

    # The first batch warms what there is to warm and is not compared.
    await spent(0, 4)
    small = await spent(100, 4)
    large = await spent(200, 400)
    assert small == large
    assert max(large) <= 30


async def test_every_type_heard_is_in_the_catalogue_and_every_topic_is_heard(world: World) -> None:
    types = {name for one in world.app.service.subscriptions for name in one.types}
    assert types <= set(CATALOGUE)
    assert {CATALOGUE[name].kind.stream.topic for name in types} == set(TOPICS)
