"""What the vendor service hears, translated into its own words."""

from collections.abc import Sequence
from uuid import UUID

from shared.db import Tx
from shared.events import placement, registry
from shared.subscriptions import APPLIED, Heard, Outcome, parked, projection, reaction, refused

from .domain import AcceptedOffer
from .store import people as store
from .usecases import contracts, hearing


@reaction("vendor.people", registry.WorkerLeft, registry.WorkerExited, registry.WorkerMerged, registry.WorkerErased)
async def people(tx: Tx, heard: Sequence[Heard]) -> None:
    """Who is gone is not hired; what is held of erased people is deleted."""
    left: list[hearing.Left] = []
    for one in heard:
        match one.fact:
            case registry.WorkerLeft(worker_id=worker, region=region, effective_on=on, reason=reason):
                left.append(hearing.Left(worker, region, reason, on))
            case registry.WorkerExited(worker_id=worker, region=region, effective_on=on, route=route):
                left.append(hearing.Left(worker, region, route, on))
            case registry.WorkerMerged(worker_id=worker, region=region, effective_on=on):
                left.append(hearing.Left(worker, region, "merged", on))
            case registry.WorkerErased(worker_id=worker, region=region, effective_on=on):
                left.append(hearing.Left(worker, region, "erased", on))
    await hearing.leave(tx, left)


@projection(contracts.OFFERS, placement.OfferAccepted, placement.OfferWithdrawn, tables=("accepted_offer",))
async def offers(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """Offers that people accepted, to be signed by the vendor; those withdrawn afterwards."""
    accepted: list[AcceptedOffer] = []
    withdrawn: dict[UUID, str] = {}
    known = await store.regions_of(tx, "accepted_offer", "offer_id", [one.fact.aggregate_id for one in heard])
    outcomes: list[Outcome] = []
    for one in heard:
        if known.setdefault(one.fact.aggregate_id, one.fact.region) != one.fact.region:
            outcomes.append(parked("region"))
            continue
        outcomes.append(APPLIED)
        match one.fact:
            case placement.OfferAccepted() as fact:
                accepted.append(
                    AcceptedOffer(
                        offer_id=fact.offer_id,
                        region=fact.region,
                        worker_id=fact.worker_id,
                        contract_id=fact.contract_id,
                        lot_id=fact.lot_id,
                        vendor_id=fact.vendor_id,
                        terms=fact.terms,
                        starts_on=fact.starts_on,
                    )
                )
            case placement.OfferWithdrawn(offer_id=offer, reason=reason):
                withdrawn[offer] = reason or "withdrawn"
    await hearing.accept(tx, accepted, withdrawn)
    return outcomes


@projection(
    "vendor.seats",
    placement.PlacementConfirmed,
    placement.PlacementStarted,
    placement.PlacementCarriedOver,
    placement.PlacementEnded,
    tables=("seat",),
)
async def seats(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """Who holds which seat: the headcount of the obligations."""
    known = await store.regions_of(tx, "seat", "placement_id", [one.fact.aggregate_id for one in heard])
    changes: list[hearing.SeatChange] = []
    outcomes: list[Outcome] = []
    for one in heard:
        if known.setdefault(one.fact.aggregate_id, one.fact.region) != one.fact.region:
            outcomes.append(parked("region"))
            continue
        outcomes.append(APPLIED)
        match one.fact:
            case placement.PlacementConfirmed() as fact:
                changes.append(
                    hearing.SeatChange(
                        fact.placement_id,
                        {
                            "region": fact.region,
                            "worker_id": fact.worker_id,
                            "contract_id": fact.contract_id,
                            "lot_id": fact.lot_id,
                            "vendor_id": fact.vendor_id,
                            "incumbent": fact.incumbent,
                            "starts_on": fact.starts_on,
                        },
                        new=True,
                    )
                )
            case placement.PlacementStarted(placement_id=placement_id):
                changes.append(hearing.SeatChange(placement_id, {"state": "started"}))
            case placement.PlacementCarriedOver(placement_id=placement_id, contract_id=contract, lot_id=lot, vendor_id=vendor):
                changes.append(hearing.SeatChange(placement_id, {"contract_id": contract, "lot_id": lot, "vendor_id": vendor}))
            case placement.PlacementEnded(placement_id=placement_id, effective_on=on, reason=reason):
                changes.append(hearing.SeatChange(placement_id, {"state": "ended", "ended_on": on, "end_reason": reason}))
    await hearing.seat(tx, changes)
    return outcomes


@reaction("vendor.reductions", placement.LotSeatsReleased)
async def reductions(tx: Tx, heard: Sequence[Heard]) -> Sequence[Outcome]:
    """Seats given back: new terms of the contract, and the cover is free again."""
    released = [
        contracts.Released(
            region=one.fact.region,
            contract_id=one.fact.contract_id,
            request_id=one.fact.request_id,
            seats=one.fact.seats,
            on=one.fact.effective_on,
            cause=one.cause,
        )
        for one in heard
        if isinstance(one.fact, placement.LotSeatsReleased)
    ]
    slugs = await contracts.amend(tx, released)
    return [APPLIED if not slug else parked(slug) if slug == "region" else refused(slug) for slug in slugs]


SUBSCRIPTIONS = (people, offers, seats, reductions)
