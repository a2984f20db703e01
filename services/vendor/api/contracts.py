"""Doors of contracts, capacity seals, obligations and findings."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response

from services.vendor.domain import Contract
from services.vendor.schemas import (
    ContractIn,
    ContractOut,
    EndIn,
    FindingOut,
    ObligationOut,
    ReductionIn,
    ReductionOut,
    SealIn,
    SealOut,
)
from services.vendor.usecases import contracts
from shared.db import Tx
from shared.events.vendor import Lot
from shared.http import CallDep, Page, PagingDep
from shared.ids import new_id

from .asked import RegionQuery, StateQuery, region_of

router = APIRouter(prefix="/v1", tags=["contracts"])


def _draft(body: ContractIn) -> Contract:
    return Contract(
        id=new_id(),
        region=body.region,
        vendor_id=body.vendor_id,
        vendor_name="",
        number=body.number,
        starts_on=body.starts_on,
        ends_on=body.ends_on,
        lots=tuple(Lot(lot_id=new_id(), covered_seats=0, **lot.model_dump()) for lot in body.lots),
        line_ids=tuple(body.budget_line_ids),
        drafted_by="",
        obligation_incumbents=body.obligation.incumbents,
        obligation_by=body.obligation.by,
        transfer_clause=body.transfer_clause,
        partial_cover=body.partial_cover,
        successor_of=body.successor_of,
    )


async def _whole(tx: Tx, contract_id: UUID) -> ContractOut:
    return ContractOut.of(*await contracts.shown(tx, contract_id))


@router.post("/contracts", status_code=201, response_model=ContractOut)
async def draft(call: CallDep, body: ContractIn) -> Response:
    """Draft a contract with its lots."""

    async def work(tx: Tx) -> ContractOut:
        return ContractOut.of(await contracts.draft(tx, _draft(body)), 0)

    return await call.write("contract.draft", "contract.draft", work, status=201)


@router.post("/contracts/{contract_id}/signature", response_model=ContractOut)
async def signature(call: CallDep, contract_id: UUID) -> Response:
    """Sign a draft: all gates, then the commitment."""

    async def work(tx: Tx) -> ContractOut:
        await contracts.sign(tx, contract_id)
        return await _whole(tx, contract_id)

    return await call.write("contract.sign", "contract.sign", work)


@router.post("/contracts/{contract_id}/end", response_model=ContractOut)
async def end(call: CallDep, contract_id: UUID, body: EndIn) -> Response:
    """End a contract before its time; a day that lies ahead is waited for."""

    async def work(tx: Tx) -> ContractOut:
        tx.purpose = body.basis
        await contracts.end(tx, contract_id, on=body.effective_on, reason=body.reason)
        return await _whole(tx, contract_id)

    return await call.write("contract.end", "contract.end", work)


@router.post("/contracts/{contract_id}/reductions", status_code=202, response_model=ReductionOut)
async def reduction(call: CallDep, contract_id: UUID, body: ReductionIn) -> Response:
    """Ask for seats back; the contract is amended as placement gives them."""

    async def work(tx: Tx) -> ReductionOut:
        return ReductionOut.of(await contracts.ask_back(tx, contract_id, lot_id=body.lot_id, seats=body.seats, reason=body.reason))

    return await call.write("contract.reduce", "contract.reduce", work, status=202)


@router.get("/contracts")
async def listed(
    call: CallDep, paging: PagingDep, region: RegionQuery = None, state: StateQuery = None, vendor_id: UUID | None = None
) -> Page[ContractOut]:
    """The region's contracts; a vendor's people see their own."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[ContractOut]:
        rows, held = await contracts.listed(tx, where, state, vendor_id, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda one: (one.id,), lambda one: ContractOut.of(one, held.get(one.id, 0)))

    return await call.read("contract.list", "", work)


@router.get("/contracts/{contract_id}")
async def shown(call: CallDep, contract_id: UUID) -> ContractOut:
    """One contract with its reductions."""

    async def work(tx: Tx) -> ContractOut:
        return await _whole(tx, contract_id)

    return await call.read("contract.show", "", work)


@router.post("/capacity-seals", status_code=201, response_model=SealOut)
async def seal(call: CallDep, body: SealIn) -> Response:
    """Pin every contract of the region at its version, for a round."""

    async def work(tx: Tx) -> SealOut:
        return SealOut.model_validate(await contracts.seal(tx, body.region))

    return await call.write("capacity.seal", "capacity.seal", work, status=201)


def _obligation(row: Any, today: Any) -> ObligationOut:
    state = "open" if today <= row["obligation_by"] else "missed" if row["unsigned"] else "met"
    return ObligationOut(
        contract_id=row["contract_id"],
        vendor_id=row["vendor_id"],
        number=row["number"],
        by=row["obligation_by"],
        incumbents_first=row["obligation_incumbents"],
        seats=row["seats"],
        accepted=row["accepted"],
        agreements=row["agreements"],
        unsigned=row["unsigned"],
        headcount=row["headcount"],
        incumbents=row["incumbents"],
        state=state,
    )


@router.get("/obligations")
async def obligations(call: CallDep, paging: PagingDep, region: RegionQuery = None) -> Page[ObligationOut]:
    """What vendors promised in hiring, and what they did so far."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[ObligationOut]:
        rows = await contracts.obligations(tx, where, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda row: (row["contract_id"],), lambda row: _obligation(row, tx.stamp.day), tx.stamp.business)

    return await call.read("obligation.list", "", work)


@router.get("/findings")
async def findings(
    call: CallDep, paging: PagingDep, region: RegionQuery = None, state: StateQuery = None, contract_id: UUID | None = None
) -> Page[FindingOut]:
    """What running contracts owe to the rules; shortfalls are computed (perhitungan), in rupiah per month."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[FindingOut]:
        rows = await contracts.findings(tx, where, state, contract_id, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda one: (one.id,), FindingOut.of)

    return await call.read("finding.list", "", work)
