"""Work agreements, refusals, rosters and reductions: what vendors hand in and what neighbours tell."""

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
from tests.component.vendor.office import Office, slug
from tests.support.running import PATIENCE, Running


def confirmed(offer: placement.OfferAccepted, **more: Any) -> placement.PlacementConfirmed:
    """The placement that follows an accepted and signed offer."""
    fields: dict[str, Any] = {
        "region": offer.region,
        "effective_on": date(2026, 1, 6),
        "placement_id": new_id(),
        "worker_id": offer.worker_id,
        "offer_id": offer.offer_id,
        "contract_id": offer.contract_id,
        "lot_id": offer.lot_id,
        "vendor_id": offer.vendor_id,
        "terms": offer.terms,
        "agency": "rsud",
        "job": "cleaning",
        "incumbent": True,
        "starts_on": offer.starts_on,
    }
    return placement.PlacementConfirmed(**(fields | more))


async def test_an_agreement_that_fits_is_recorded_once(office: Office, running: Running) -> None:
    contract = await office.contract()
    offer = office.accepted(contract)
    await running.say(offer)
    await running.settle()
    vendor = UUID(contract["vendor_id"])
    (waiting,) = (await office.get("/v1/accepted-offers", "vendor_user", vendor=vendor, state="to_sign"))["items"]
    assert (waiting["worker_id"], waiting["wage"]) == (str(offer.worker_id), contract["lots"][0]["wage"])
    item = office.agreement(offer)
    (first,) = await office.hand_in(contract["vendor_id"], item)
    assert first["outcome"] == "recorded"
    (fact,) = [one for one in await running.events("work_agreement.recorded") if one.offer_id == offer.offer_id]
    assert (str(fact.work_agreement_id), fact.worker_id, fact.terms) == (first["work_agreement_id"], offer.worker_id, 1)
    again, other = await office.hand_in(contract["vendor_id"], item, {**item, "number": "PKWT/another"})
    assert (again["outcome"], again["work_agreement_id"]) == ("unchanged", first["work_agreement_id"])
    assert (other["outcome"], other["slug"]) == ("refused", "already-signed")
    assert (await office.get("/v1/accepted-offers", "vendor_user", vendor=vendor, state="to_sign"))["items"] == []
    (listed,) = (await office.get("/v1/work-agreements", "vendor_user", vendor=vendor))["items"]
    assert (listed["id"], listed["wage"]) == (first["work_agreement_id"], item["wage"])


async def test_an_agreement_that_differs_from_what_was_accepted_is_refused(office: Office, running: Running) -> None:
    contract, other = await office.contract(), await office.contract()
    gone, withdrawn = office.accepted(contract), office.accepted(contract)
    terms, foreign, plain = office.accepted(contract, terms=2), office.accepted(other), office.accepted(contract)
    await running.say(gone, withdrawn, terms, foreign, plain)
    last: dict[str, Any] = {"region": office.region, "effective_on": date(2026, 1, 5)}
    pulled = placement.OfferWithdrawn(
        **last, offer_id=withdrawn.offer_id, worker_id=withdrawn.worker_id, lot_id=withdrawn.lot_id, reason="exited"
    )
    await running.say(registry.WorkerLeft(**last, worker_id=gone.worker_id, reason="died"), pulled)
    await running.settle()
    cases = {
        "worker-gone": office.agreement(gone),
        "offer-withdrawn": office.agreement(withdrawn),
        "terms-differ": office.agreement(terms),
        "no-accepted-offer": office.agreement(foreign),
        "wage-below-offer": office.agreement(plain, wage=contract["lots"][0]["wage"] - 1),
        "start-differs": office.agreement(plain, starts_on="2026-01-13"),
        "ends-too-early": office.agreement(plain, ends_on="2026-12-30"),
        "end-missing": office.agreement(plain, ends_on=None),
        "end-not-allowed": office.agreement(plain, agreement="pkwtt"),
    }
    verdicts = await office.hand_in(contract["vendor_id"], *cases.values())
    assert [verdict["slug"] for verdict in verdicts] == list(cases)
    assert all(verdict["rule"] and verdict["article"] for verdict in verdicts)
    (good,) = await office.hand_in(contract["vendor_id"], office.agreement(plain, agreement="pkwtt", ends_on=None))
    assert good["outcome"] == "recorded"
    facts = {one.offer_id for one in await running.events("work_agreement.recorded")}
    assert plain.offer_id in facts and not facts & {gone.offer_id, withdrawn.offer_id, terms.offer_id, foreign.offer_id}


async def test_a_batch_of_agreements_costs_a_constant_number_of_statements(office: Office, running: Running) -> None:
    contract = await office.contract(seats=60)
    offers = [office.accepted(contract) for _ in range(60)]
    await running.say(*offers)
    await running.settle()

    async def statements() -> float:
        shown = (await running.system.get("/metrics")).text
        name = 'jembatan_statements_total{use_case="agreement.record"} '
        return sum(float(line.removeprefix(name)) for line in shown.splitlines() if line.startswith(name))

    counts = []
    for part in (offers[:2], offers[2:]):
        before = await statements()
        verdicts = await office.hand_in(contract["vendor_id"], *(office.agreement(offer) for offer in part))
        assert {verdict["outcome"] for verdict in verdicts} == {"recorded"}
        counts.append(await statements() - before)
    assert counts[0] == counts[1]


async def test_an_officer_cannot_hand_in_agreements(office: Office) -> None:
    item = {"offer_id": str(new_id()), "number": "1", "agreement": "pkwtt", "wage": 1, "starts_on": "2026-01-02"}
    assert (await office.post("/v1/work-agreements", {"items": [item]}, "commitment_officer")).status_code == 403


async def test_a_vendor_refuses_a_person_only_on_the_grounds_of_the_rules(office: Office, running: Running) -> None:
    contract = await office.contract()
    offer = office.accepted(contract)
    await running.say(offer)
    await running.settle()
    vendor = UUID(contract["vendor_id"])

    async def refuse(ground: str) -> dict[str, Any]:
        body = {"items": [{"offer_id": str(offer.offer_id), "ground": ground}]}
        (answer,) = (await office.done("/v1/refusals", body, "vendor_user", vendor=vendor))["items"]
        return dict(answer)

    no = await refuse("too_old_for_us")
    assert (no["outcome"], no["slug"]) == ("refused", "ground-not-allowed") and "PP 35/2021" in no["article"]
    opened = await refuse("credential_invalid")
    assert opened["outcome"] == "opened"
    assert (await refuse("credential_invalid"))["outcome"] == "unchanged"
    (fact,) = [one for one in await running.events("case.opened") if one.offer_id == offer.offer_id]
    assert (fact.case, fact.rule, fact.worker_id) == ("vendor_refusal", "credential_invalid", offer.worker_id)
    decision = f"/v1/cases/{opened['case_id']}/decision"
    assert (await office.done(decision, {"outcome": "rejected"}, "mediator"))["state"] == "decided"
    assert slug(await office.post(decision, {"outcome": "rejected"}, "mediator")) == "case-decided"
    assert [one.outcome for one in await running.events("case.decided") if str(one.case_id) == opened["case_id"]] == ["rejected"]


async def test_a_roster_is_replaced_as_a_whole(office: Office, running: Running) -> None:
    contract = await office.contract()
    vendor, lot = UUID(contract["vendor_id"]), contract["lots"][0]["lot_id"]
    workers = [str(new_id()) for _ in range(3)]

    async def report(*found: str, lot_id: str = lot) -> Any:
        people = [{"worker_id": worker, "lot_id": lot_id} for worker in found]
        body = {"contract_id": contract["id"], "month": "2026-01-01", "people": people}
        return await office.post("/v1/rosters", body, "vendor_user", vendor=vendor)

    first, second = await report(*workers), await report(workers[0])
    assert (first.status_code, second.json()["people"]) == (201, 1)
    roster = second.json()["roster_id"]
    people = await office.get(f"/v1/rosters/{roster}/people", "inspector")
    assert [one["worker_id"] for one in people["items"]] == [workers[0]]
    assert [one.people for one in await running.events("roster.reported") if str(one.roster_id) == roster] == [3, 1]
    assert slug(await report(workers[0], workers[0])) == "double-person"
    assert slug(await report(workers[0], lot_id=str(new_id()))) == "unknown-lot"


async def test_obligations_count_who_was_hired(office: Office, running: Running) -> None:
    contract = await office.contract()
    one, two = office.accepted(contract), office.accepted(contract)
    await running.say(one, two)
    await running.settle()
    await office.hand_in(contract["vendor_id"], office.agreement(one))
    seat = confirmed(one)
    started = placement.PlacementStarted(
        region=office.region, effective_on=date(2026, 1, 12), placement_id=seat.placement_id, worker_id=one.worker_id
    )
    await running.say(seat, started)
    await running.settle()
    (owed,) = (await office.get("/v1/obligations", "vendor_user", vendor=UUID(contract["vendor_id"])))["items"]
    counted = {name: owed[name] for name in ("seats", "accepted", "agreements", "unsigned", "headcount", "incumbents", "state")}
    assert counted == {"seats": 2, "accepted": 2, "agreements": 1, "unsigned": 1, "headcount": 1, "incumbents": 1, "state": "open"}
    ended = placement.PlacementEnded(
        region=office.region,
        effective_on=date(2026, 2, 1),
        placement_id=seat.placement_id,
        worker_id=one.worker_id,
        lot_id=one.lot_id,
        reason="resigned",
    )
    await running.say(ended)
    await running.settle()
    (owed,) = (await office.get("/v1/obligations", "vendor_user", vendor=UUID(contract["vendor_id"])))["items"]
    assert owed["headcount"] == 0


async def test_an_erased_person_leaves_nothing_behind(office: Office, running: Running) -> None:
    contract = await office.contract()
    offer = office.accepted(contract)
    await running.say(offer)
    await running.settle()
    await office.hand_in(contract["vendor_id"], office.agreement(offer))
    people = [{"worker_id": str(offer.worker_id), "lot_id": contract["lots"][0]["lot_id"]}]
    body = {"contract_id": contract["id"], "month": "2026-01-01", "people": people}
    await office.done("/v1/rosters", body, "vendor_user", vendor=UUID(contract["vendor_id"]))
    await running.say(confirmed(offer))
    await running.settle()
    await running.say(registry.WorkerErased(region=office.region, effective_on=date(2026, 1, 6), worker_id=offer.worker_id))
    await running.settle()
    for table in ("accepted_offer", "seat", "work_agreement", "roster_entry", "case_file"):
        assert await running.rows(f"SELECT 1 FROM {table} WHERE worker_id = $1", offer.worker_id) == [], table
    (left,) = await running.rows("SELECT why FROM gone WHERE worker_id = $1", offer.worker_id)
    assert left["why"] == "erased"
    late = office.accepted(contract, worker=offer.worker_id)
    await running.say(late, confirmed(late))
    await running.settle()
    for table in ("accepted_offer", "seat"):
        assert await running.rows(f"SELECT 1 FROM {table} WHERE worker_id = $1", offer.worker_id) == [], table


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


async def test_two_agreements_with_one_number_race_and_one_wins(office: Office, running: Running) -> None:
    contract = await office.contract(seats=8)
    offers = [office.accepted(contract) for _ in range(8)]
    await running.say(*offers)
    await running.settle()
    answers = await asyncio.gather(
        *(office.hand_in(contract["vendor_id"], office.agreement(offer, number="PKWT/same")) for offer in offers)
    )
    verdicts = [answer[0] for answer in answers]
    assert sorted(verdict["slug"] or verdict["outcome"] for verdict in verdicts) == ["number-used"] * 7 + ["recorded"]


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
