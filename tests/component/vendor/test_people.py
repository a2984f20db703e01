"""Work agreements, refusals, rosters and obligations: what vendors hand in."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

from shared.events import placement, registry
from shared.ids import new_id
from tests.component.vendor.office import Office, confirmed, slug
from tests.support.running import Running


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
