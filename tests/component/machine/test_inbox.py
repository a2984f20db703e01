"""The receiving side on a real database, without a broker: one batch, one transaction."""

import asyncio
import random
from collections.abc import Sequence
from uuid import UUID

import pytest
from sqlalchemy.exc import DBAPIError

from shared import parking
from shared.db import Tx
from shared.errors import NotNow, Refused
from shared.events.registry import WorkerRegistered
from shared.identity.scope import Scope
from shared.ids import new_id
from shared.inbox import Halted, Inbox
from shared.subscriptions import Heard, projection, reaction
from tests.component.machine.harness import (
    Raw,
    Toy,
    actor,
    inbox,
    known,
    laid_off,
    left,
    raws,
    registered,
    story,
    viewer,
    waiting,
    workers,
)

OPERATOR = Scope.system("operator")


async def made(t: Toy, *facts: object) -> list[Raw]:
    """Records of these facts of the registry."""
    await t.registry.write(*facts)  # type: ignore[arg-type]
    return await raws(t)


async def ready(t: Toy) -> Inbox:
    """The toy projection, registered."""
    view = viewer()
    await known(t, view)
    found = inbox(t, view)
    assert isinstance(found, Inbox)
    return found


async def told(t: Toy, worker: UUID) -> str:
    rows = await t.vendor.rows("SELECT told FROM view WHERE worker_id = :w", w=worker)
    return str(rows[0]["told"]) if rows else ""


async def act(t: Toy, command: object, kind: str) -> None:
    """An operator replays or discards the one row of this kind."""
    (row,) = await t.vendor.rows("SELECT id FROM parked WHERE state = 'waiting' AND kind = :kind", kind=kind)
    async with t.vendor.db.begin("worker", OPERATOR, "parked.decide") as tx:
        await command(tx, row["id"])  # type: ignore[operator]


@pytest.mark.parametrize("seed", range(4))
async def test_any_order_with_repetitions_ends_in_the_same_state(still: Toy, seed: int) -> None:
    chance = random.Random(seed)
    people = workers(6)
    records = await made(still, *[fact for worker in people for fact in story(worker, 5)])
    deck = [raw for raw in records for _ in range(chance.randint(1, 3))]
    chance.shuffle(deck)
    for offset, raw in enumerate(deck):
        raw.offset = offset
    deck = [Raw(raw.topic, raw.partition, raw.value, raw.headers, raw.key, n) for n, raw in enumerate(deck)]
    box = await ready(still)
    while deck:
        size = chance.randint(1, 9)
        await box.take(deck[:size])
        deck = deck[size:]
    assert {await told(still, worker) for worker in people} == {"1:- 2:2 3:3 4:4 5:5"}
    assert await waiting(still) == []


async def test_two_zombies_with_one_batch_have_one_effect(still: Toy) -> None:
    people = workers(10)
    records = await made(still, *[fact for worker in people for fact in story(worker, 3)])
    echo = actor()
    boxes = [await ready(still) for _ in range(4)]
    await known(still, echo)
    await asyncio.gather(*(box.take(records) for box in boxes), *(inbox(still, echo).take(records) for _ in range(3)))
    assert {await told(still, worker) for worker in people} == {"1:- 2:2 3:3"}
    assert await still.vendor.number("SELECT count(*) FROM event") == 10


async def test_a_gap_waits_and_drains_when_the_missing_version_arrives(still: Toy) -> None:
    (worker,) = workers(1)
    other = new_id()
    first, second, third, fourth, alone = await made(still, *story(worker, 4), registered(other))
    box = await ready(still)
    await box.take([first, third, alone, fourth])
    assert await told(still, worker) == "1:-"
    assert await told(still, other) == "1:-"
    assert await waiting(still) == [("gap", "gap"), ("gap", "gap")]
    await box.take([second])
    assert await told(still, worker) == "1:- 2:2 3:3 4:4"
    assert await waiting(still) == []


async def test_a_fork_parks_and_holds_its_aggregate_until_discarded(still: Toy) -> None:
    (worker,) = workers(1)
    first, second, third = await made(still, *story(worker, 3))
    box = await ready(still)
    await box.take([first, second])
    await box.take([second.but(ce_id=str(new_id()).encode()), third])
    assert await waiting(still) == [("behind", "behind"), ("fork", "fork")]
    assert await told(still, worker) == "1:- 2:2"
    with pytest.raises(Refused, match="fork-cannot-be-replayed"):
        await act(still, parking.replay, "fork")
    await act(still, parking.discard, "fork")
    async with still.vendor.db.begin("worker", OPERATOR, "toy") as tx:
        assert await parking.drainable(tx, ["view"]) == {"view": [worker]}
    await box.take([], drain=[worker])
    assert await told(still, worker) == "1:- 2:2 3:3"


async def test_a_constraint_parks_one_event_and_holds_back_only_its_aggregate(still: Toy) -> None:
    people = workers(30)
    bad = people[17]
    facts = [registered(worker) for worker in people]
    facts += [laid_off(worker, "ghost" if worker == bad else "2") for worker in people]  # type: ignore[misc]
    facts += [laid_off(worker, "3") for worker in people]  # type: ignore[misc]
    box = await ready(still)
    await box.take(await made(still, *facts))
    assert await waiting(still) == [("behind", "behind"), ("failed", "database-23514:not_a_ghost")]
    assert {await told(still, worker) for worker in people if worker != bad} == {"1:- 2:2 3:3"}
    assert await told(still, bad) == "1:-"
    # Tried again while nothing has changed, it is parked again.
    await act(still, parking.replay, "failed")
    await box.take([], drain=[bad])
    assert await waiting(still) == [("behind", "behind"), ("failed", "database-23514:not_a_ghost")]
    owner = await still.vendor.owner()
    try:
        await owner.execute("ALTER TABLE view DROP CONSTRAINT not_a_ghost")
        await act(still, parking.replay, "failed")
        await box.take([], drain=[bad])
        assert await told(still, bad) == "1:- 2:ghost 3:3"
        assert await waiting(still) == []
    finally:
        await owner.execute("ALTER TABLE view ADD CONSTRAINT not_a_ghost CHECK (told NOT LIKE '%ghost%') NOT VALID")
        await owner.close()
    notes = await still.vendor.rows("SELECT kind FROM audit ORDER BY seq")
    assert [row["kind"] for row in notes] == ["parked.replayed", "parked.replayed"]


async def test_discarding_lets_the_sequence_go_on_past_the_record(still: Toy) -> None:
    (worker,) = workers(1)
    box = await ready(still)
    await box.take(await made(still, registered(worker), laid_off(worker, "ghost"), laid_off(worker, "3")))
    with pytest.raises(Refused, match="waits-for-another"):
        await act(still, parking.discard, "behind")
    await act(still, parking.discard, "failed")
    await box.take([], drain=[worker])
    assert await told(still, worker) == "1:- 3:3"
    assert await waiting(still) == []


async def test_an_event_the_handler_parks_leaves_nothing_of_its_aggregate_applied_behind_it(still: Toy) -> None:
    one, other = workers(2)
    box = await ready(still)
    facts = [registered(one), registered(other), laid_off(one, "park"), laid_off(one, "3"), laid_off(other, "2")]
    await box.take(await made(still, *facts))
    assert await told(still, one) == "1:-"
    assert await told(still, other) == "1:- 2:2"
    assert await waiting(still) == [("behind", "behind"), ("failed", "look-at-this")]


async def test_a_refusal_is_recorded_and_the_position_advances(still: Toy) -> None:
    (worker,) = workers(1)
    box = await ready(still)
    facts = [registered(worker), laid_off(worker, "refuse"), laid_off(worker, "3")]
    taken = await box.take(await made(still, *facts))
    assert await told(still, worker) == "1:- 3:3"
    assert taken.outcomes == {"applied": 2, "refused": 1}
    (row,) = await still.vendor.rows("SELECT slug FROM inbox_outcome")
    assert row["slug"] == "not-like-this"


async def test_a_type_that_nobody_hears_advances_the_position(still: Toy) -> None:
    (worker,) = workers(1)
    box = await ready(still)
    await box.take(await made(still, registered(worker), left(worker), laid_off(worker, "3")))
    assert await told(still, worker) == "1:- 3:3"


async def test_a_raised_refusal_is_pinned_to_its_event(still: Toy) -> None:
    people = workers(9)

    @projection("picky", WorkerRegistered)
    async def picky(tx: Tx, heard: Sequence[Heard]) -> None:
        if any(h.fact.aggregate_id == people[4] for h in heard):
            raise Refused("not-this-one")

    await known(still, picky)
    taken = await inbox(still, picky).take(await made(still, *[registered(worker) for worker in people]))
    assert taken.outcomes == {"applied": 8, "refused": 1}


async def test_a_projection_may_not_emit(still: Toy) -> None:
    @projection("loud", WorkerRegistered)
    async def loud(tx: Tx, heard: Sequence[Heard]) -> None:
        for h in heard:
            tx.emit(h.fact, cause=h.cause)

    await known(still, loud)
    taken = await inbox(still, loud).take(await made(still, registered(new_id())))
    assert taken.outcomes == {"parked-failed": 1}
    assert await waiting(still) == [("failed", "error-RuntimeError")]
    assert await still.vendor.number("SELECT count(*) FROM event") == 0


async def test_an_error_of_our_own_on_many_aggregates_stops_the_consumer_and_parks_nothing(still: Toy) -> None:
    people = workers(40)
    records = await made(still, *[f for w in people for f in (registered(w), laid_off(w, "bug"))])
    box = await ready(still)
    with pytest.raises(Halted):
        await box.take(records)
    assert await waiting(still) == []
    assert await still.vendor.number("SELECT count(*) FROM position") == 0
    # On a few it is parked, and the others go on.
    taken = await box.take(records[:10])
    assert taken.outcomes == {"applied": 5, "parked-failed": 5}


async def test_what_will_pass_is_raised_and_leaves_nothing_behind(still: Toy) -> None:
    turns = 0

    @reaction("later", WorkerRegistered)
    async def later(tx: Tx, heard: Sequence[Heard]) -> None:
        nonlocal turns
        turns += 1
        if turns == 1:
            tx.emit(heard[0].fact, cause=heard[0].cause)
            raise NotNow("pack-missing")

    await known(still, later)
    records = await made(still, *[registered(worker) for worker in workers(5)])
    with pytest.raises(NotNow):
        await inbox(still, later).take(records)
    assert await still.vendor.number("SELECT (SELECT count(*) FROM position) + (SELECT count(*) FROM event)") == 0
    taken = await inbox(still, later).take(records)
    assert taken.outcomes == {"applied": 5}


async def test_the_number_of_statements_does_not_depend_on_the_size_of_the_batch(still: Toy) -> None:
    view, echo = viewer(), actor()
    await known(still, view, echo)
    counts: dict[str, set[int]] = {"view": set(), "echo": set()}
    offset = 0
    for size in (10, 50, 500):  # the first is the warm-up
        people = workers(size // 5)
        await still.registry.write(*[fact for worker in people for fact in story(worker, 5)])
        records = (await raws(still))[offset:]
        offset += len(records)
        assert len(records) == size
        for subscription in (view, echo):
            taken = await inbox(still, subscription).take(records)
            counts[subscription.name].add(taken.statements)
    assert counts == {"view": {8}, "echo": {8}}


async def test_parked_records_are_encrypted_and_opened_only_with_a_note(still: Toy) -> None:
    (worker,) = workers(1)
    records = await made(still, registered(worker), laid_off(worker, "ghost of decree 99"))
    await (await ready(still)).take(records)
    (row,) = await still.vendor.rows("SELECT id, record FROM parked")
    assert b"decree" not in bytes(row["record"])
    async with still.vendor.db.begin("worker", OPERATOR, "parked.show") as tx:
        shown, kept = await parking.show(tx, row["id"], still.sealer)
        assert [r.id for r in await parking.listed(tx)] == [shown.id]
    assert kept is not None and "ghost of decree 99" in str(parking.readable(kept)["value"])
    assert await still.vendor.number("SELECT count(*) FROM audit WHERE kind = 'parked.opened'") == 1


async def test_a_value_that_cannot_even_be_encoded_is_parked_not_retried_for_ever(still: Toy) -> None:
    @projection("clumsy", WorkerRegistered)
    async def clumsy(tx: Tx, heard: Sequence[Heard]) -> None:
        try:
            await tx.run("SELECT CAST(:n AS int)", n="not a number")
        except DBAPIError:
            raise

    await known(still, clumsy)
    taken = await inbox(still, clumsy).take(await made(still, registered(new_id())))
    assert taken.outcomes == {"parked-failed": 1}
