"""Selection, budget and contracts through the doors."""

import asyncio
from collections import Counter
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest

from services.vendor.domain import Contract, Movement
from services.vendor.store import budget as store
from services.vendor.usecases import contracts
from shared.db import Database
from shared.errors import Refused
from shared.events.vendor import Lot
from shared.identity import Scope
from shared.ids import new_id
from tests.component.vendor.office import PAPERS, Office, slug
from tests.support.running import Running


async def test_a_vendor_without_its_documents_is_refused_with_reasons(office: Office, running: Running) -> None:
    vendor = await office.vendor(papers=("legal_entity", "nib"), qualified=False)
    judged = await office.qualify(vendor)
    assert judged["state"] == "refused"
    assert {reason["slug"] for reason in judged["reasons"]} == {"missing-bpjs-employment", "missing-bpjs-health", "missing-kbli"}
    assert all(reason["article"] for reason in judged["reasons"])
    facts = [fact for fact in await running.events("vendor.refused") if fact.vendor_id == vendor]
    assert len(facts) == 1 and "missing-kbli" in facts[0].reasons


async def test_who_registered_a_vendor_cannot_qualify_it(office: Office) -> None:
    vendor = await office.vendor(qualified=False)
    answer = await office.post(f"/v1/vendors/{vendor}/qualification", {"minutes": "BA"}, "procurement_officer", subject="registrar")
    assert (answer.status_code, slug(answer)) == (409, "separation-of-duties")


async def test_a_signed_contract_is_covered_and_told(office: Office, running: Running) -> None:
    price = office.price()
    vendor, line = await office.vendor(), await office.line(24 * price + 5, released={1: 6 * price, 2: 6 * price})
    drafted = await office.draft(vendor, line)
    assert (drafted["state"], drafted["terms"], drafted["committed"]) == ("draft", 0, 0)
    signed = (await office.sign(drafted["id"])).json()
    assert (signed["state"], signed["terms"], signed["committed"]) == ("signed", 1, 24 * price)
    assert signed["lots"][0]["covered_seats"] == 2
    (fact,) = [one for one in await running.events("contract.signed") if str(one.contract_id) == drafted["id"]]
    assert (fact.terms, fact.lots[0].covered_seats, fact.lots[0].price_per_seat_month) == (1, 2, price)
    shown = await office.get(f"/v1/budget-lines/{line}", "treasurer")
    assert (shown["ceiling"], shown["committed"], shown["left"]) == (24 * price + 5, 24 * price, 5)
    ledger = await office.get(f"/v1/budget-lines/{line}/ledger", "treasurer")
    assert ledger["accounts"] == {"available": 5, "ceiling": -(24 * price + 5), "committed": 24 * price}
    assert ledger["sum"] == 0 and len(ledger["items"]) == 4


async def test_a_wage_below_the_floor_of_2026_is_refused_with_its_article(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(10**9)
    drafted = await office.draft(vendor, line, lots=[office.lot(wage=3_182_954)])
    answer = await office.sign(drafted["id"])
    assert (answer.status_code, slug(answer)) == (409, "wage-below-floor")
    problem = answer.json()
    assert "88E" in problem["article"] and problem["rule"] and problem["errors"][0]["field"] == "lots.0.wage"
    assert (await office.get(f"/v1/budget-lines/{line}", "treasurer"))["committed"] == 0


async def test_a_price_that_does_not_carry_the_wage_is_refused(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(10**9)
    drafted = await office.draft(vendor, line, lots=[office.lot(price_per_seat_month=3_500_000)])
    assert slug(await office.sign(drafted["id"])) == "price-below-cost"


async def test_a_contract_over_its_line_is_refused(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(24 * office.price() - 1)
    answer = await office.sign((await office.draft(vendor, line))["id"])
    assert (answer.status_code, slug(answer)) == (409, "over-the-line")
    assert "UU 1/2004" in answer.json()["article"]


async def test_partial_cover_carries_as_many_seats_as_the_line_has_left(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(36 * office.price())
    drafted = await office.draft(vendor, line, lots=[office.lot(2), office.lot(5)], partial_cover=True)
    signed = (await office.sign(drafted["id"])).json()
    assert [(lot["seats"], lot["covered_seats"]) for lot in signed["lots"]] == [(2, 2), (5, 1)]
    assert signed["committed"] == 36 * office.price()


async def test_an_unapproved_line_is_refused(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(10**9, approved=None)
    answer = await office.sign((await office.draft(vendor, line))["id"])
    assert slug(answer) == "line-not-approved" and "Perpres 16/2018" in answer.json()["article"]


async def test_a_line_approved_from_a_later_day_is_not_approved_yet(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(10**9, approved="2026-03-01")
    assert slug(await office.sign((await office.draft(vendor, line))["id"])) == "line-not-approved"


async def test_a_missing_fund_release_is_refused(office: Office) -> None:
    vendor = await office.vendor()
    for released in ({}, {2: 10**9}, {1: 6 * office.price() - 1}):
        line = await office.line(10**9, released=released)
        answer = await office.sign((await office.draft(vendor, line))["id"])
        assert slug(answer) == "spd-missing" and "PP 12/2019" in answer.json()["article"]


async def test_a_debarred_vendor_is_refused_until_it_is_lifted(office: Office) -> None:
    vendor, line = await office.vendor(), await office.line(10**9)
    drafted = await office.draft(vendor, line)
    path = f"/v1/vendors/{vendor}/debarment"
    await office.done(path, {"reason": "wages_withheld", "decree": "SK 1"}, "procurement_officer")
    answer = await office.sign(drafted["id"])
    assert slug(answer) == "vendor-debarred" and "Perpres 16/2018" in answer.json()["article"]
    assert (await office.done(f"{path}/lift", {"decree": "SK 2"}, "procurement_officer"))["state"] == "qualified"
    assert (await office.sign(drafted["id"])).status_code == 200
    assert slug(await office.post(f"{path}/lift", {"decree": "SK 2"}, "procurement_officer")) == "not-debarred"


async def test_guards_need_a_licence_and_some_jobs_have_no_basis(office: Office) -> None:
    line, plain, guarded = await office.line(10**9), await office.vendor(papers=PAPERS), await office.vendor()
    guards = [office.lot(job="guard")]
    assert slug(await office.sign((await office.draft(plain, line, lots=guards))["id"])) == "licence-missing"
    assert (await office.sign((await office.draft(guarded, line, lots=guards))["id"])).status_code == 200
    clerks = await office.draft(guarded, line, lots=[office.lot(job="administrative")])
    assert slug(await office.sign(clerks["id"])) == "no-legal-basis"


@pytest.mark.parametrize(
    ("more", "expected"),
    [({"agency": "none"}, "unknown-agency"), ({"kecamatan": "99.01.01"}, "unknown-kecamatan"), ({"job": "pilot"}, "unknown-job")],
)
async def test_lots_name_what_the_rules_know(office: Office, more: dict[str, Any], expected: str) -> None:
    vendor, line = await office.vendor(), await office.line(10**9)
    assert slug(await office.sign((await office.draft(vendor, line, lots=[office.lot(**more)]))["id"])) == expected


async def test_a_contract_needs_the_transfer_clause_a_line_per_year_and_a_second_person(office: Office) -> None:
    vendor, line, next_line = await office.vendor(), await office.line(10**9), await office.line(10**9, year=2027)
    assert slug(await office.sign((await office.draft(vendor, line, transfer_clause=False))["id"])) == "no-transfer-clause"
    assert slug(await office.sign((await office.draft(vendor, line, ends_on="2027-03-31"))["id"])) == "line-missing"
    two_years = await office.draft(vendor, line, next_line, ends_on="2027-03-31")
    signed = (await office.sign(two_years["id"])).json()
    assert signed["committed"] == 2 * 15 * office.price()
    assert (await office.get(f"/v1/budget-lines/{next_line}", "treasurer"))["committed"] == 2 * 3 * office.price()
    body: dict[str, Any] = {"starts_on": "2026-01-02", "ends_on": "2026-12-31"}
    drafted = await office.draft(vendor, line, **body)
    both = await office.post(f"/v1/contracts/{drafted['id']}/signature", None, "commitment_officer", subject="procurement_officer")
    assert slug(both) == "separation-of-duties"
    assert slug(await office.sign(two_years["id"])) == "contract-not-draft"


async def test_a_revision_below_the_commitments_is_refused(office: Office, running: Running) -> None:
    contract = await office.contract(seats=1)
    (line,) = contract["budget_line_ids"]
    path, held = f"/v1/budget-lines/{line}/revision", 12 * office.price()
    answer = await office.post(path, {"ceiling": held - 1, "basis": "APBD-P"}, "treasurer")
    assert slug(answer) == "revision-below-commitments" and "UU 1/2004" in answer.json()["article"]
    revised = await office.done(path, {"ceiling": held + 7, "basis": "APBD-P"}, "treasurer")
    assert (revised["ceiling"], revised["left"]) == (held + 7, 7)
    assert [fact.ceiling for fact in await running.events("budget_line.revised") if str(fact.budget_line_id) == line] == [held + 7]


async def test_signatures_that_race_through_the_doors_never_pass_the_ceiling(office: Office, running: Running) -> None:
    vendor, room = await office.vendor(), 3
    line = await office.line(room * 12 * office.price() + 1)
    drafts = await asyncio.gather(*(office.draft(vendor, line, lots=[office.lot(1)]) for _ in range(16)))
    answers = await asyncio.gather(*(office.sign(drafted["id"]) for drafted in drafts))
    assert sum(1 for answer in answers if answer.status_code == 200) == room
    assert {slug(answer) for answer in answers if answer.status_code != 200} == {"over-the-line"}
    await covered(running, line, room * 12 * office.price())


async def test_two_hundred_racing_signatures_never_pass_the_ceiling(office: Office, running: Running) -> None:
    """200 transactions at once on 40 connections of their own."""
    room = 10
    vendor, line = await office.vendor(), await office.line(room * 12 * office.price() + 1)
    lot = Lot(lot_id=new_id(), covered_seats=0, **office.lot(1))
    drafts = [
        Contract(
            id=new_id(),
            region=office.region,
            vendor_id=vendor,
            vendor_name="",
            number=f"race/{n}",
            starts_on=date(2026, 1, 2),
            ends_on=date(2026, 12, 31),
            lots=(msgspec.structs.replace(lot, lot_id=new_id()),),
            line_ids=(line,),
            drafted_by="",
            obligation_incumbents=True,
            obligation_by=date(2026, 2, 28),
        )
        for n in range(200)
    ]
    drafter = Scope.of("drafter", ["procurement_officer"], [office.region])
    signer = Scope.of("signer", ["commitment_officer"], [office.region])
    settings = running.service.settings
    urls: dict[str, Any] = {"api_url": settings.api_url.get_secret_value(), "worker_url": settings.worker_url.get_secret_value()}
    db = Database("vendor", **urls, clock=running.clock, packs_folder=settings.packs_folder, partitions=running.kafka.partitions, pool=40)

    free = asyncio.Semaphore(40)

    async def sign(contract: UUID) -> str:
        try:
            async with free:
                await db.attempt("api", signer, "race", lambda tx: contracts.sign(tx, contract))
        except Refused as no:
            return no.slug
        return "signed"

    try:
        async with db.begin("api", drafter, "race") as tx:
            for draft in drafts:
                await contracts.draft(tx, draft)
        outcomes = await asyncio.gather(*(sign(draft.id) for draft in drafts))
    finally:
        await db.close()
    assert Counter(outcomes) == {"signed": room, "over-the-line": 200 - room}
    await covered(running, line, room * 12 * office.price())
    ids = {draft.id for draft in drafts}
    assert sum(1 for fact in await running.events("contract.signed") if fact.contract_id in ids) == room


async def covered(running: Running, line: UUID, committed: int) -> None:
    """The line holds this much, no more than its ceiling, and its ledger agrees."""
    (row,) = await running.rows("SELECT ceiling, committed FROM budget_line WHERE id = $1", line)
    assert row["committed"] == committed <= row["ceiling"]
    (total,) = await running.rows(
        "SELECT sum(amount) AS zero, sum(amount) FILTER (WHERE account = 'committed') AS held FROM ledger WHERE budget_line_id = $1", line
    )
    assert (total["zero"], total["held"]) == (0, committed)


async def test_the_database_itself_refuses_what_the_code_might_forget(office: Office, running: Running) -> None:
    line = await office.line(100)
    with pytest.raises(Exception, match="budget_line_cover"):
        await running.owner.execute("UPDATE budget_line SET committed = 101 WHERE id = $1", line)
    with pytest.raises(Exception, match="append-only"):
        await running.owner.execute("DELETE FROM ledger WHERE budget_line_id = $1", line)
    lone = "INSERT INTO ledger SELECT gen_random_uuid(), region, gen_random_uuid(), id, 'available', 5, 'x', NULL, now(), now()"
    with pytest.raises(Exception, match="does not sum to zero"):
        await running.owner.execute(f"{lone} FROM budget_line WHERE id = $1", line)
    scope = Scope.system("vendor")
    async with running.db.begin("worker", scope, "test") as tx:
        lines = await store.load_lines(tx, [line])
        await store.write_movements(tx, lines, [Movement(line, "available", "committed", 3, "test")], running.clock.now().day)
    (total,) = await running.rows("SELECT sum(amount) AS n FROM ledger WHERE budget_line_id = $1", line)
    assert total["n"] == 0


async def test_the_same_request_twice_is_done_once(office: Office) -> None:
    body = {"region": office.region, "account": "5.1.once", "year": 2026, "ceiling": 5}
    first, second = [await office.post("/v1/budget-lines", body, "treasurer", key="once") for _ in range(2)]
    assert first.status_code == second.status_code == 201 and first.json() == second.json()
    assert slug(await office.post("/v1/budget-lines", body, "treasurer", key="other")) == "line-known"


async def test_a_seal_pins_every_contract_at_its_version(office: Office, running: Running) -> None:
    contract = await office.contract(seats=1)
    sealed = await office.done("/v1/capacity-seals", {"region": office.region}, "commitment_officer")
    (fact,) = [one for one in await running.events("capacity.sealed") if str(one.seal_id) == sealed["seal_id"]]
    pins = dict(zip(fact.ids, fact.versions, strict=True))
    assert pins[UUID(contract["id"])] == 1 and len(pins) == sealed["contracts"]
    drafts = await running.rows("SELECT id FROM contract WHERE state = 'draft'")
    assert drafts and not pins.keys() & {row["id"] for row in drafts}


async def test_a_contract_ended_early_frees_the_months_after(office: Office, running: Running) -> None:
    contract = await office.contract(seats=2)
    body = {"effective_on": "2026-01-05", "basis": "pelanggaran berulang"}
    ended = await office.done(f"/v1/contracts/{contract['id']}/end", body, "commitment_officer")
    assert (ended["state"], ended["committed"]) == ("ended", 2 * office.price())
    assert (await office.get(f"/v1/budget-lines/{contract['budget_line_ids'][0]}", "treasurer"))["left"] == 22 * office.price()
    assert [fact.reason for fact in await running.events("contract.ended") if str(fact.contract_id) == contract["id"]] == ["terminated"]
    assert slug(await office.post(f"/v1/contracts/{contract['id']}/end", body, "commitment_officer")) == "contract-not-running"
    timers = await running.rows("SELECT kind FROM timer WHERE key = $1", UUID(contract["id"]))
    assert timers == []


async def test_lists_are_paged_and_narrowed(office: Office) -> None:
    contract = await office.contract(seats=1)
    await office.contract(seats=1)
    first = await office.get("/v1/contracts", "commitment_officer", state="signed", limit=1)
    assert len(first["items"]) == 1
    second = await office.get("/v1/contracts", "commitment_officer", state="signed", limit=1, cursor=first["next"])
    assert second["items"][0]["id"] != first["items"][0]["id"]
    own = await office.get("/v1/contracts", "vendor_user", vendor=UUID(contract["vendor_id"]))
    assert [one["id"] for one in own["items"]] == [contract["id"]]
    totals = await office.get(f"/v1/regions/{office.region}/budget", "treasurer")
    lines = await office.get("/v1/budget-lines", "treasurer", state="approved", limit=500)
    assert totals["committed"] == sum(line["committed"] for line in lines["items"])


async def test_another_region_sees_nothing(office: Office, running: Running) -> None:
    contract = await office.contract(seats=1)
    stranger = Office(running, "15.05")
    for path in (f"/v1/contracts/{contract['id']}", f"/v1/vendors/{contract['vendor_id']}"):
        headers = running.bearer("commitment_officer", regions=(stranger.region,))
        assert (await running.http.get(path, headers=headers)).status_code == 404
    assert (await stranger.sign(contract["id"])).status_code == 404
    assert (await stranger.get("/v1/contracts", "commitment_officer"))["items"] == []
    headers = running.bearer("commitment_officer", regions=(stranger.region,))
    assert (await running.http.get("/v1/contracts", params={"region": office.region}, headers=headers)).status_code == 403
    foreign = running.bearer("vendor_user", regions=(office.region,), vendor=UUID(int=5))
    assert (await running.http.get(f"/v1/contracts/{contract['id']}", headers=foreign)).status_code == 404
