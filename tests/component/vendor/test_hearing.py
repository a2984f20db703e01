"""What the vendor service hears of its neighbours: told ten times, out of reach, poisoned, rebuilt."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.vendor import subscribers
from services.vendor.store import tables
from shared import rebuild
from shared.events import placement, registry
from shared.identity import Scope
from shared.ids import new_id
from shared.subscriptions import Heard
from tests.component.vendor.office import Office, confirmed, slug
from tests.support.running import PATIENCE, Running


async def released(office: Office, contract: Any, request: str, seats: int, **more: Any) -> placement.LotSeatsReleased:
    fields: dict[str, Any] = {
        "region": office.region,
        "effective_on": date(2026, 3, 10),
        "lot_id": UUID(contract["lots"][0]["lot_id"]),
        "contract_id": UUID(contract["id"]),
        "request_id": UUID(request),
        "seats": seats,
    }
    return placement.LotSeatsReleased(**(fields | more))


async def test_a_reduction_changes_terms_and_cover_only_as_seats_come_back(office: Office, running: Running) -> None:
    contract, price = await office.contract(seats=5), office.price()
    path, lot = f"/v1/contracts/{contract['id']}/reductions", contract["lots"][0]["lot_id"]
    asked = await office.done(path, {"lot_id": lot, "seats": 3, "reason": "anggaran"}, "commitment_officer")
    too_many = await office.post(path, {"lot_id": lot, "seats": 3, "reason": "anggaran"}, "commitment_officer")
    assert slug(too_many) == "reduction-too-large"
    assert (await office.get(f"/v1/contracts/{contract['id']}", "commitment_officer"))["committed"] == 60 * price
    (fact,) = [one for one in await running.events("contract.reduction_requested") if str(one.request_id) == asked["request_id"]]
    assert (fact.seats, str(fact.lot_id)) == (3, lot)
    one, two, over, unknown = [
        await released(office, contract, asked["request_id"], 1),
        await released(office, contract, asked["request_id"], 2),
        await released(office, contract, asked["request_id"], 1),
        await released(office, contract, str(new_id()), 1),
    ]
    ids = await running.say(one, two, over, unknown, times=10)
    await running.settle()
    now = await office.get(f"/v1/contracts/{contract['id']}", "commitment_officer")
    assert (now["terms"], now["lots"][0]["seats"], now["lots"][0]["covered_seats"]) == (3, 2, 2)
    assert now["committed"] == 60 * price - 3 * 9 * price
    amended = [one for one in await running.events("contract.amended") if str(one.contract_id) == contract["id"]]
    assert [(one.terms, one.lots[0].seats) for one in amended] == [(2, 4), (3, 2)]
    slugs = await running.rows(
        "SELECT slug FROM inbox_outcome WHERE consumer = 'vendor.reductions' AND event_id = ANY($1) ORDER BY slug", ids
    )
    assert [row["slug"] for row in slugs] == ["over-release", "unknown-request"]
    line = await office.get(f"/v1/budget-lines/{contract['budget_line_ids'][0]}", "treasurer")
    assert (line["committed"], line["left"]) == (33 * price, 27 * price)
    assert [quarter["committed"] for quarter in line["releases"]] == [15 * price, 6 * price, 6 * price, 6 * price]


STATE = """
SELECT (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM accepted_offer t) AS offers,
       (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM seat t) AS seats,
       (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM gone t) AS gone,
       (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM contract t) AS contracts,
       (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM lot t) AS lots,
       (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM ledger t) AS ledger,
       (SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM work_agreement t) AS agreements,
       (SELECT count(*) FROM event) AS events
"""


async def test_every_consumer_keeps_its_state_when_all_is_told_ten_times(office: Office, running: Running) -> None:
    contract = await office.contract(seats=3)
    offers = [office.accepted(contract) for _ in range(3)]
    seats = [confirmed(offer) for offer in offers]
    day: dict[str, Any] = {"region": office.region, "effective_on": date(2026, 1, 6)}
    asked = await office.done(
        f"/v1/contracts/{contract['id']}/reductions",
        {"lot_id": contract["lots"][0]["lot_id"], "seats": 1, "reason": "anggaran"},
        "commitment_officer",
    )
    facts = [
        *offers,
        placement.OfferWithdrawn(**day, offer_id=offers[2].offer_id, worker_id=offers[2].worker_id, lot_id=offers[2].lot_id, reason="left"),
        *seats,
        placement.PlacementStarted(**day, placement_id=seats[0].placement_id, worker_id=seats[0].worker_id),
        placement.PlacementCarriedOver(
            **day,
            placement_id=seats[0].placement_id,
            worker_id=seats[0].worker_id,
            contract_id=new_id(),
            lot_id=new_id(),
            vendor_id=new_id(),
        ),
        placement.PlacementEnded(
            **day, placement_id=seats[1].placement_id, worker_id=seats[1].worker_id, lot_id=seats[1].lot_id, reason="resigned"
        ),
        await released(office, contract, asked["request_id"], 1),
        registry.WorkerLeft(**day, worker_id=offers[2].worker_id, reason="resigned"),
        registry.WorkerExited(**day, worker_id=offers[1].worker_id, route="asn"),
        registry.WorkerMerged(**day, worker_id=new_id(), survivor_id=new_id()),
    ]
    told = [
        (fact, event_id, running._versions[fact.aggregate_id]) for fact, event_id in zip(facts, await _say(running, facts), strict=True)
    ]
    await running.settle()
    (before,) = await running.rows(STATE)
    assert (await running.rows("SELECT withdrawn FROM accepted_offer WHERE offer_id = $1", offers[2].offer_id))[0]["withdrawn"] == "left"
    (moved,) = await running.rows("SELECT state, contract_id FROM seat WHERE placement_id = $1", seats[0].placement_id)
    assert (moved["state"], moved["contract_id"] == UUID(contract["id"])) == ("started", False)
    for fact, event_id, version in reversed(told):
        await running.tell(fact, event_id, version, times=10)
    await running.settle()
    (after,) = await running.rows(STATE)
    assert dict(after) == dict(before)


async def _say(running: Running, facts: list[Any]) -> list[UUID]:
    return [(await running.say(fact))[0] for fact in facts]


@pytest.mark.parametrize(
    ("topic", "consumer"),
    [("registry.events", "vendor.people"), ("placement.internal", "vendor.offers"), ("placement.events", "vendor.seats")],
)
async def test_poison_is_parked_and_harms_nobody(office: Office, running: Running, topic: str, consumer: str) -> None:
    contract = await office.contract(seats=1)
    offer = office.accepted(contract)
    good = {
        "registry.events": registry.WorkerLeft(
            region=office.region, effective_on=date(2026, 1, 6), worker_id=offer.worker_id, reason="resigned"
        ),
        "placement.internal": offer,
        "placement.events": confirmed(offer),
    }[topic]
    count = "SELECT count(*) AS n FROM parked WHERE consumer = $1"
    (before,) = await running.rows(count, consumer)
    key = good.partition_key
    headers = [("ce_type", f"jembatan.{good.kind.type}".encode()), ("ce_id", b"\xff\xfe"), ("reply_to", b"somewhere")]
    await running.publish(topic, b"{not json", key=key, headers=headers)
    await running.publish(topic, None, key=key)
    await running.publish(topic, msgspec.json.encode(good), key=key, headers=[("content-type", None)])
    await running.say(good)
    await running.settle()
    (after,) = await running.rows(count, consumer)
    assert after["n"] == before["n"] + 3
    table, column = {
        "registry.events": ("gone", "worker_id"),
        "placement.internal": ("accepted_offer", "offer_id"),
        "placement.events": ("seat", "placement_id"),
    }[topic]
    assert len(await running.rows(f"SELECT 1 FROM {table} WHERE {column} = $1", good.aggregate_id)) == 1


async def test_a_seat_of_another_region_is_parked(office: Office, running: Running) -> None:
    contract = await office.contract(seats=1)
    seat = confirmed(office.accepted(contract))
    await running.say(seat)
    await running.settle()
    stranger = placement.PlacementStarted(
        region="15.05", effective_on=date(2026, 1, 12), placement_id=seat.placement_id, worker_id=seat.worker_id
    )
    await running.say(stranger)
    await running.settle()
    (row,) = await running.rows("SELECT state FROM seat WHERE placement_id = $1", seat.placement_id)
    assert row["state"] == "confirmed"
    found = await running.rows("SELECT reason FROM parked WHERE consumer = 'vendor.seats' AND aggregate_id = $1", seat.placement_id)
    assert [one["reason"] for one in found] == ["region"]


async def test_hearing_costs_a_constant_number_of_statements(office: Office, running: Running) -> None:
    contracts = [await office.contract(seats=9) for _ in range(2)]
    day: dict[str, Any] = {"region": office.region, "effective_on": date(2026, 1, 6)}
    requests: list[placement.LotSeatsReleased] = []
    for contract in contracts:
        path, lot = f"/v1/contracts/{contract['id']}/reductions", contract["lots"][0]["lot_id"]
        for _ in range(4):
            asked = await office.done(path, {"lot_id": lot, "seats": 1, "reason": "anggaran"}, "commitment_officer")
            requests.append(await released(office, contract, asked["request_id"], 1))
    offers = [office.accepted(contracts[0]) for _ in range(40)]
    seats = [confirmed(offer) for offer in offers]
    batches: dict[str, tuple[list[Any], int]] = {
        "people": ([registry.WorkerErased(**day, worker_id=offer.worker_id) for offer in offers], 2),
        "offers": ([*offers, *(_pulled(offer) for offer in offers)], 2),
        "seats": ([*seats, *(_started(seat) for seat in seats)], 2),
        "reductions": (requests, 1),
    }
    for name, (facts, few) in batches.items():
        counts = [await _statements(running, name, part) for part in (facts[: few // 2] + facts[-few // 2 :], facts)]
        assert counts[0] == counts[1], (name, counts)


def _pulled(offer: placement.OfferAccepted) -> placement.OfferWithdrawn:
    return placement.OfferWithdrawn(
        region=offer.region,
        effective_on=offer.effective_on,
        offer_id=offer.offer_id,
        worker_id=offer.worker_id,
        lot_id=offer.lot_id,
        reason="left",
    )


def _started(seat: placement.PlacementConfirmed) -> placement.PlacementStarted:
    return placement.PlacementStarted(
        region=seat.region, effective_on=seat.starts_on, placement_id=seat.placement_id, worker_id=seat.worker_id
    )


async def _statements(running: Running, name: str, facts: list[Any]) -> int:
    """How many statements the handler sends for a batch; nothing of it is kept."""
    heard = [Heard(fact, new_id(), 1, running.clock.now().wall, "a", "", new_id()) for fact in facts]
    try:
        async with running.db.begin("worker", Scope.system("vendor"), "test") as tx:
            await getattr(subscribers, name)(tx, heard)
            await tx.flush()
            raise _Enough(tx.statements)
    except _Enough as enough:
        return enough.statements


class _Enough(Exception):
    def __init__(self, statements: int) -> None:
        super().__init__(statements)
        self.statements = statements


async def test_rebuilt_projections_are_what_they_were(office: Office, running: Running) -> None:
    contract = await office.contract(seats=3)
    offers = [office.accepted(contract) for _ in range(3)]
    seats = [confirmed(offer) for offer in offers]
    await running.say(*offers, _pulled(offers[0]), *seats, _started(seats[1]))
    await running.settle()
    scope = Scope.system("vendor")

    async def state() -> str:
        async with running.db.begin("worker", scope, "test") as tx:
            return await rebuild.state_hash(tx, tables.PROJECTED)

    async def busy() -> bool:
        async with running.db.begin("worker", scope, "test") as tx:
            return bool(await rebuild.rebuilding(tx))

    before = await state()
    for one in (subscribers.offers, subscribers.seats):
        await rebuild.begin(running.db, running.kafka, one, scope)
    # Whoever hands in an agreement meanwhile is told to come back, not that the offer is unknown.
    body = {"items": [office.agreement(offers[1])]}
    answer = await office.post("/v1/work-agreements", body, "vendor_user", vendor=UUID(contract["vendor_id"]))
    assert answer.status_code == 200 or slug(answer) == "rebuilding"
    async with asyncio.timeout(PATIENCE):
        while await busy():
            await asyncio.sleep(0.1)
    await running.settle()
    assert await state() == before
