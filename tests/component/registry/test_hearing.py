"""What the registry hears: once however often it is sent, and poison harms nobody else."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from shared.events.notify import AnswerReceived
from shared.events.placement import OfferAccepted, OfferExpired, PlacementCarriedOver, PlacementEnded, PlacementStarted
from shared.ids import new_id
from tests.component.registry.files import person, send_people, workers
from tests.component.registry.test_people import confirmed
from tests.support.running import Running

DAY = date(2026, 1, 5)


def answer(worker: UUID, says: str, **more: Any) -> AnswerReceived:
    """An answer at the front desk."""
    now = datetime(2026, 1, 5, 3, tzinfo=UTC)
    values: dict[str, Any] = {
        "region": "13.74",
        "effective_on": DAY,
        "question_id": new_id(),
        "worker_id": worker,
        "matter": "offer",
        "about": new_id(),
        "says": says,
        "reasons": (),
        "families": (),
        "channel": "desk",
        "received_at": now,
        "received_wall": now,
    }
    return AnswerReceived(**(values | more))


async def three(registry: Running) -> list[UUID]:
    """Three people."""
    rows = [person() for _ in range(3)]
    await send_people(registry, rows)
    return await workers(registry, rows)


async def test_a_no_to_the_scheme_heard_ten_times_is_one_change_of_consent(registry: Running) -> None:
    no, yes, other = await three(registry)
    await registry.say(answer(no, "no_scheme"), answer(yes, "yes"), answer(other, "no"), times=10)
    await registry.settle()
    told = [(one.worker_id, one.given) for one in await registry.events("consent.changed") if one.worker_id in (no, yes, other)]
    assert told == [(no, False)]
    rows = await registry.rows("SELECT given FROM consent WHERE worker_id = $1", no)
    assert [row["given"] for row in rows] == [False]


async def test_the_consents_event_is_caused_by_the_answer(registry: Running) -> None:
    no, _, _ = await three(registry)
    (event_id,) = await registry.say(answer(no, "no_scheme"))
    await registry.settle()
    (row,) = await registry.rows("SELECT causation_id FROM event WHERE key = $1 AND type = 'consent.changed.v1'", no)
    assert row["causation_id"] == event_id


async def test_answers_of_people_nobody_knows_are_refused_and_of_other_regions_parked(registry: Running) -> None:
    one, two, _ = await three(registry)
    stranger, foreign = answer(new_id(), "no_scheme"), answer(one, "no_scheme", region="15.05")
    stranger_id, foreign_id = await registry.say(stranger, foreign)
    await registry.say(answer(two, "no_scheme"))
    await registry.settle()
    refused = await registry.rows("SELECT slug FROM inbox_outcome WHERE event_id = $1", stranger_id)
    assert [row["slug"] for row in refused] == ["unknown-worker"]
    parked = await registry.rows("SELECT reason FROM parked WHERE event_id = $1", foreign_id)
    assert len(parked) == 1
    assert {one.worker_id for one in await registry.events("consent.changed")} >= {two}
    assert one not in {fact.worker_id for fact in await registry.events("consent.changed")}


async def test_placements_heard_ten_times_stand_once(registry: Running) -> None:
    a, b, _ = await three(registry)
    first, second = confirmed(a), confirmed(b)
    common: dict[str, Any] = {"region": "13.74", "effective_on": DAY}
    vendor = new_id()
    await registry.say(
        first,
        second,
        PlacementStarted(**common, placement_id=first.placement_id, worker_id=a),
        PlacementStarted(**common, placement_id=second.placement_id, worker_id=b),
        PlacementCarriedOver(
            **common, placement_id=first.placement_id, worker_id=a, contract_id=new_id(), lot_id=new_id(), vendor_id=vendor
        ),
        PlacementEnded(**common, placement_id=second.placement_id, worker_id=b, lot_id=second.lot_id, reason="resigned"),
        times=10,
    )
    await registry.settle()
    rows = await registry.rows("SELECT worker_id, vendor_id, state, reason FROM placement WHERE worker_id = ANY($1)", [a, b])
    assert {row["worker_id"]: (row["state"], row["reason"]) for row in rows} == {a: ("started", ""), b: ("ended", "resigned")}
    assert next(row["vendor_id"] for row in rows if row["worker_id"] == a) == vendor


async def test_accepted_offers_heard_ten_times_stand_once(registry: Running) -> None:
    a, b, _ = await three(registry)
    common: dict[str, Any] = {"region": "13.74", "effective_on": DAY, "lot_id": new_id()}
    more: dict[str, Any] = {"contract_id": new_id(), "vendor_id": new_id(), "terms": 1, "starts_on": DAY}
    kept, lost = new_id(), new_id()
    await registry.say(
        OfferAccepted(**common, **more, offer_id=kept, worker_id=a),
        OfferAccepted(**common, **more, offer_id=lost, worker_id=b),
        OfferExpired(**common, offer_id=lost, worker_id=b, evidence="visit"),
        times=10,
    )
    await registry.settle()
    rows = await registry.rows("SELECT offer_id, state FROM engagement WHERE worker_id = ANY($1)", [a, b])
    assert {row["offer_id"]: row["state"] for row in rows} == {kept: "accepted", lost: "withdrawn"}


async def test_poison_is_parked_and_others_are_heard(registry: Running) -> None:
    one, _, _ = await three(registry)
    places = [
        await registry.publish(topic, value, key=new_id(), headers=headers)
        for topic in ("placement.events", "placement.internal", "notify.internal")
        for value, headers in ((b"{", []), (None, []), (b"\xff\xfe", [("ce_id", b"\xff")]), (b"[]", [("ce_type", None)]))
    ]
    await registry.say(answer(one, "no_scheme"), confirmed(one))
    await registry.settle()
    assert (await registry.rows("SELECT given FROM consent WHERE worker_id = $1", one))[0]["given"] is False
    assert len(await registry.rows("SELECT state FROM placement WHERE worker_id = $1", one)) == 1
    for topic, partition, offset in places:
        parked = await registry.rows(
            'SELECT consumer FROM parked WHERE topic = $1 AND partition = $2 AND "offset" = $3', topic, partition, offset
        )
        assert len(parked) == 1, (topic, partition, offset)
