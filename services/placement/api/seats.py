"""Doors of offers, placements and lots."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.placement import store
from services.placement.domain import matters as m
from services.placement.schemas import LotOut, OfferOut, OutcomeIn, PlacementOut, ReasonIn, Region
from services.placement.usecases.matters import decide
from shared.db import Tx
from shared.errors import NotFound
from shared.http import Call, CallDep, Page, Paging, PagingDep
from shared.identity import Scope

router = APIRouter(prefix="/v1", tags=["seats"])
Code = Annotated[str, Query(max_length=40)]


def _offer(row: Any) -> OfferOut:
    return OfferOut.model_validate({**row, "reasons": json.loads(row["reasons"])})


async def _page(
    call: Call, paging: Paging, kind: str, permission: str, region: str | None, filters: dict[str, Any], show: Any
) -> Page[Any]:
    where = region or _only(call.scope)
    call.scope.require(permission, where)
    after = paging.after(UUID)

    async def work(tx: Tx) -> Page[Any]:
        rows = await store.lists.page(
            tx, kind, {"region": where, **filters}, after[0] if after else None, paging.limit + 1, call.scope.agencies
        )
        return paging.page(rows, lambda r: (r["id"],), show, tx.stamp.business)

    return await call.read(f"list_{kind}s", permission, work)


def _only(scope: Scope) -> str | None:
    return next(iter(scope.regions)) if len(scope.regions) == 1 else None


@router.get("/offers")
async def list_offers(
    call: CallDep,
    paging: PagingDep,
    region: Region | None = None,
    state: Code = "",
    worker_id: UUID | None = None,
    contract_id: UUID | None = None,
    round_id: UUID | None = None,
) -> Page[OfferOut]:
    """Offers, in id order."""
    filters = {"state": state, "worker_id": worker_id, "contract_id": contract_id, "round_id": round_id}
    return await _page(call, paging, "offer", "offer.read", region, filters, _offer)


@router.get("/offers/{offer_id}")
async def read_offer(call: CallDep, offer_id: UUID) -> OfferOut:
    """One offer."""
    row = await call.read("read_offer", "offer.read", lambda tx: store.lists.one(tx, "offer", offer_id))
    if row is None:
        raise NotFound
    return _offer(row)


@router.get("/placements")
async def list_placements(
    call: CallDep,
    paging: PagingDep,
    region: Region | None = None,
    state: Code = "",
    worker_id: UUID | None = None,
    contract_id: UUID | None = None,
    agency: Code = "",
    job: Code = "",
) -> Page[PlacementOut]:
    """Placements, in id order."""
    filters = {"state": state, "worker_id": worker_id, "contract_id": contract_id, "agency": agency, "job": job}
    return await _page(call, paging, "placement", "placement.read", region, filters, PlacementOut.model_validate)


async def _placement(tx: Tx, placement_id: UUID) -> PlacementOut:
    row = await store.lists.one(tx, "placement", placement_id)
    if row is None:
        raise NotFound
    return PlacementOut.model_validate(row)


@router.get("/placements/{placement_id}")
async def read_placement(call: CallDep, placement_id: UUID) -> PlacementOut:
    """One placement."""
    return await call.read("read_placement", "placement.read", lambda tx: _placement(tx, placement_id))


@router.post("/placements/{placement_id}/dispute", response_model=PlacementOut)
async def dispute(call: CallDep, placement_id: UUID, body: ReasonIn) -> Response:
    """A dismissal is disputed: seat, cover and invoice are held."""

    async def work(tx: Tx) -> PlacementOut:
        found = await _placement(tx, placement_id)
        call.scope.require("placement.dispute", found.region)
        await decide(tx, call.scope, m.Disputed(region=found.region, on=tx.stamp.day, placement_id=placement_id, reason=body.reason))
        return await _placement(tx, placement_id)

    return await call.write("dispute_placement", "placement.dispute", work)


@router.post("/placements/{placement_id}/dispute/closure", response_model=PlacementOut)
async def close_dispute(call: CallDep, placement_id: UUID, body: OutcomeIn) -> Response:
    """The dispute ended: the placement goes on, or is over."""

    async def work(tx: Tx) -> PlacementOut:
        found = await _placement(tx, placement_id)
        call.scope.require("placement.dispute", found.region)
        await decide(tx, call.scope, m.DisputeClosed(region=found.region, on=tx.stamp.day, placement_id=placement_id, outcome=body.outcome))
        return await _placement(tx, placement_id)

    return await call.write("close_dispute", "placement.dispute", work)


@router.get("/lots")
async def list_lots(call: CallDep, paging: PagingDep, region: Region | None = None, contract_id: UUID | None = None) -> Page[LotOut]:
    """Lots and their seats, in id order."""
    return await _page(call, paging, "lot", "placement.read", region, {"contract_id": contract_id}, LotOut.model_validate)
