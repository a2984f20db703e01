"""Doors of the vendor's people: accepted offers, work agreements, refusals, rosters; and of cases."""

from datetime import date
from uuid import UUID

from fastapi import APIRouter, Response

from services.vendor.domain import RULES, Agreement
from services.vendor.schemas import (
    AcceptedOut,
    AgreementOut,
    AgreementsIn,
    CaseOut,
    DecisionIn,
    RefusalOut,
    RefusalsIn,
    RefusalsOut,
    RosterIn,
    RosterOut,
    RosterPerson,
    RosterReportedOut,
    VerdictOut,
    VerdictsOut,
)
from services.vendor.usecases import people
from shared.db import Tx
from shared.http import CallDep, Page, PagingDep

from .asked import RegionQuery, StateQuery, region_of

router = APIRouter(prefix="/v1", tags=["people"])


@router.get("/accepted-offers")
async def accepted(call: CallDep, paging: PagingDep, region: RegionQuery = None, state: StateQuery = None) -> Page[AcceptedOut]:
    """The vendor's accepted offers, with the terms to sign."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[AcceptedOut]:
        rows = await people.accepted(tx, where, state, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda row: (row["offer_id"],), lambda row: AcceptedOut(**row), tx.stamp.business)

    return await call.read("offer.accepted.list", "offer.read.own", work)


@router.post("/work-agreements", response_model=VerdictsOut)
async def record(call: CallDep, body: AgreementsIn) -> Response:
    """Hand in signed work agreements; each is compared with what the person accepted."""
    items = [Agreement(i.offer_id, i.number, i.agreement, i.wage, i.starts_on, i.ends_on) for i in body.items]

    async def work(tx: Tx) -> VerdictsOut:
        return VerdictsOut(items=[VerdictOut.of(verdict) for verdict in await people.record_agreements(tx, items)])

    return await call.write("agreement.record", "agreement.write", work)


@router.get("/work-agreements")
async def agreements(call: CallDep, paging: PagingDep, region: RegionQuery = None, contract_id: UUID | None = None) -> Page[AgreementOut]:
    """Recorded work agreements; a vendor's people see their own."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[AgreementOut]:
        rows = await people.agreements(tx, where, contract_id, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda row: (row["id"],), lambda row: AgreementOut(**row))

    return await call.read("agreement.list", "", work)


@router.post("/refusals", response_model=RefusalsOut)
async def refusals(call: CallDep, body: RefusalsIn) -> Response:
    """Say that a person cannot be taken, on a ground of the rules; each opens a case."""

    async def work(tx: Tx) -> RefusalsOut:
        found = await people.refuse_people(tx, [(item.offer_id, item.ground) for item in body.items])
        return RefusalsOut(
            items=[
                RefusalOut(offer_id=offer, outcome=slug, case_id=case.id)
                if case is not None
                else RefusalOut(offer_id=offer, outcome="refused", slug=slug, rule=RULES[slug].name, article=RULES[slug].article)
                for offer, slug, case in found
            ]
        )

    return await call.write("person.refuse", "refusal.write", work)


@router.post("/rosters", status_code=201, response_model=RosterReportedOut)
async def report(call: CallDep, body: RosterIn) -> Response:
    """Report who works where in a month; reported again, it replaces the list before."""

    async def work(tx: Tx) -> RosterReportedOut:
        found, n = await people.report_roster(
            tx, contract_id=body.contract_id, month=body.month, people=[(one.worker_id, one.lot_id) for one in body.people]
        )
        return RosterReportedOut(roster_id=found, people=n)

    return await call.write("roster.report", "roster.write", work, status=201)


@router.get("/rosters")
async def rosters(call: CallDep, paging: PagingDep, region: RegionQuery = None, month: date | None = None) -> Page[RosterOut]:
    """Rosters of the region; a vendor's people see their own."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[RosterOut]:
        rows = await people.rosters(tx, where, month, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda row: (row["id"],), lambda row: RosterOut(**row))

    return await call.read("roster.list", "", work)


@router.get("/rosters/{roster_id}/people")
async def roster_people(call: CallDep, roster_id: UUID, paging: PagingDep) -> Page[RosterPerson]:
    """The people on a roster, by worker id."""
    after = paging.after(UUID)

    async def work(tx: Tx) -> Page[RosterPerson]:
        rows = await people.roster_people(tx, roster_id, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda row: (row["worker_id"],), lambda row: RosterPerson(**row))

    return await call.read("roster.people", "", work)


@router.get("/cases")
async def cases(call: CallDep, paging: PagingDep, region: RegionQuery = None, state: StateQuery = None) -> Page[CaseOut]:
    """Cases of the region; a vendor's people see their own."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[CaseOut]:
        rows = await people.cases(tx, where, state, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda one: (one.id,), CaseOut.of)

    return await call.read("case.list", "", work)


@router.post("/cases/{case_id}/decision", response_model=CaseOut)
async def decide(call: CallDep, case_id: UUID, body: DecisionIn) -> Response:
    """Decide a case."""

    async def work(tx: Tx) -> CaseOut:
        return CaseOut.of(await people.decide_case(tx, case_id, body.outcome))

    return await call.write("case.decide", "case.write", work)
