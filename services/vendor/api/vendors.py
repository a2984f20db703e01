"""Doors of vendor selection and the blacklist."""

from uuid import UUID

from fastapi import APIRouter, Response

from services.vendor.domain import Paper
from services.vendor.schemas import DebarmentIn, LiftIn, PapersIn, QualificationIn, VendorIn, VendorOut
from services.vendor.usecases import vendors
from shared.db import Tx
from shared.http import CallDep, Page, PagingDep

from .asked import RegionQuery, StateQuery, region_of

router = APIRouter(prefix="/v1/vendors", tags=["vendors"])


@router.post("", status_code=201, response_model=VendorOut)
async def register(call: CallDep, body: VendorIn) -> Response:
    """Open a vendor's file."""

    async def work(tx: Tx) -> VendorOut:
        return VendorOut.of(await vendors.register(tx, region=body.region, name=body.name, nib=body.nib))

    return await call.write("vendor.register", "vendor.write", work, status=201)


@router.post("/{vendor_id}/documents", response_model=VendorOut)
async def documents(call: CallDep, vendor_id: UUID, body: PapersIn) -> Response:
    """Show documents of the selection."""
    papers = [Paper(paper.kind, paper.number, paper.valid_from, paper.valid_until) for paper in body.documents]

    async def work(tx: Tx) -> VendorOut:
        return VendorOut.of(await vendors.show_papers(tx, vendor_id, papers))

    return await call.write("vendor.documents", "vendor.write", work)


@router.post("/{vendor_id}/qualification", response_model=VendorOut)
async def qualification(call: CallDep, vendor_id: UUID, body: QualificationIn) -> Response:
    """Decide the selection: qualified, or refused with its reasons."""

    async def work(tx: Tx) -> VendorOut:
        judged = await vendors.qualify(tx, vendor_id, minutes=body.minutes, grounds=body.grounds, until=body.qualified_until)
        return VendorOut.of(judged)

    return await call.write("vendor.qualify", "vendor.assess", work)


@router.post("/{vendor_id}/debarment", response_model=VendorOut)
async def debarment(call: CallDep, vendor_id: UUID, body: DebarmentIn) -> Response:
    """Put a vendor on the blacklist."""

    async def work(tx: Tx) -> VendorOut:
        return VendorOut.of(await vendors.debar(tx, vendor_id, reason=body.reason, decree=body.decree, until=body.until))

    return await call.write("vendor.debar", "vendor.assess", work)


@router.post("/{vendor_id}/debarment/lift", response_model=VendorOut)
async def lift(call: CallDep, vendor_id: UUID, body: LiftIn) -> Response:
    """Take a vendor off the blacklist."""

    async def work(tx: Tx) -> VendorOut:
        return VendorOut.of(await vendors.lift(tx, vendor_id, decree=body.decree))

    return await call.write("vendor.lift", "vendor.assess", work)


@router.get("")
async def listed(call: CallDep, paging: PagingDep, region: RegionQuery = None, state: StateQuery = None) -> Page[VendorOut]:
    """The region's vendors."""
    after = paging.after(UUID)
    where = region_of(call.scope, region)

    async def work(tx: Tx) -> Page[VendorOut]:
        rows = await vendors.listed(tx, where, state, after[0] if after else None, paging.limit)
        return paging.page(rows, lambda vendor: (vendor.id,), VendorOut.of)

    return await call.read("vendor.list", "vendor.read", work)


@router.get("/{vendor_id}")
async def shown(call: CallDep, vendor_id: UUID) -> VendorOut:
    """One vendor."""

    async def work(tx: Tx) -> VendorOut:
        return VendorOut.of(await vendors.one(tx, vendor_id, "vendor.read"))

    return await call.read("vendor.show", "vendor.read", work)
