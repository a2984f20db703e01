"""Doors of budget lines and their ledger."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.vendor.schemas import ApprovalIn, EntryOut, LedgerOut, LineIn, LineOut, ReleaseIn, RevisionIn, TotalsOut
from services.vendor.usecases import budget
from shared.db import Tx
from shared.http import CallDep, Page, PagingDep

from .asked import RegionQuery, StateQuery, region_of

router = APIRouter(prefix="/v1", tags=["budget"])
YearQuery = Annotated[int | None, Query(ge=2020, le=2100)]


@router.post("/budget-lines", status_code=201, response_model=LineOut)
async def write(call: CallDep, body: LineIn) -> Response:
    """Write a line of the draft budget."""

    async def work(tx: Tx) -> LineOut:
        line = await budget.write(tx, region=body.region, agency=body.agency, account=body.account, year=body.year, ceiling=body.ceiling)
        return LineOut.of(line)

    return await call.write("budget.write", "budget.write", work, status=201)


@router.post("/budget-lines/{line_id}/approval", response_model=LineOut)
async def approval(call: CallDep, line_id: UUID, body: ApprovalIn) -> Response:
    """Record the approval (DPA)."""

    async def work(tx: Tx) -> LineOut:
        return LineOut.of(await budget.approve(tx, line_id, dpa_number=body.dpa_number, approved_on=body.approved_on))

    return await call.write("budget.approve", "budget.write", work)


@router.post("/budget-lines/{line_id}/releases", response_model=LineOut)
async def release(call: CallDep, line_id: UUID, body: ReleaseIn) -> Response:
    """Record a quarter's fund release (SPD)."""

    async def work(tx: Tx) -> LineOut:
        line = await budget.release(
            tx, line_id, quarter=body.quarter, amount=body.amount, spd_number=body.spd_number, released_on=body.released_on
        )
        return LineOut.of(line)

    return await call.write("budget.release", "budget.write", work)


@router.post("/budget-lines/{line_id}/revision", response_model=LineOut)
async def revision(call: CallDep, line_id: UUID, body: RevisionIn) -> Response:
    """Another ceiling, never below the commitments."""

    async def work(tx: Tx) -> LineOut:
        return LineOut.of(await budget.revise(tx, line_id, ceiling=body.ceiling))

    return await call.write("budget.revise", "budget.write", work)


@router.get("/budget-lines")
async def listed(
    call: CallDep, paging: PagingDep, region: RegionQuery = None, state: StateQuery = None, year: YearQuery = None
) -> Page[LineOut]:
    """The region's lines."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[LineOut]:
        rows = await budget.listed(tx, where, state, year, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda line: (line.id,), LineOut.of)

    return await call.read("budget.list", "budget.read", work)


@router.get("/budget-lines/{line_id}")
async def shown(call: CallDep, line_id: UUID) -> LineOut:
    """One line: ceiling, committed, left, and its quarters."""

    async def work(tx: Tx) -> LineOut:
        return LineOut.of(await budget.one(tx, line_id, "budget.read"))

    return await call.read("budget.show", "budget.read", work)


@router.get("/budget-lines/{line_id}/ledger")
async def ledger(call: CallDep, line_id: UUID, paging: PagingDep) -> LedgerOut:
    """The line's entries, and the balances of its accounts; their sum is zero."""
    after = paging.after(UUID)

    async def work(tx: Tx) -> LedgerOut:
        rows, accounts = await budget.ledger(tx, line_id, after[0] if after else None, paging.limit)
        page = paging.page(rows, lambda row: (row["id"],), lambda row: EntryOut(**row))
        return LedgerOut(items=page.items, next=page.next, accounts=accounts, sum=sum(accounts.values()))

    return await call.read("budget.ledger", "budget.read", work)


@router.get("/regions/{region}/budget")
async def totals(call: CallDep, region: str, year: YearQuery = None) -> TotalsOut:
    """Approved ceiling and commitments of a region."""

    async def work(tx: Tx) -> TotalsOut:
        ceiling, committed, lines = await budget.totals(tx, region, year)
        return TotalsOut(region=region, ceiling=ceiling, committed=committed, left=ceiling - committed, lines=lines)

    return await call.read("budget.totals", "budget.read", work)
