"""What the registry keeps of its neighbours' facts: where people are placed, and whose offer they accepted. Nothing is decided here."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from shared.events import Fact
from shared.events.placement import (
    OfferAccepted,
    OfferExpired,
    OfferWithdrawn,
    PlacementCarriedOver,
    PlacementConfirmed,
    PlacementDisputeClosed,
    PlacementDisputed,
    PlacementEnded,
    PlacementStarted,
)


@dataclass(frozen=True, slots=True)
class Seat:
    """One placement of a worker. Fields are empty while the fact that brings them has not been heard."""

    placement_id: UUID
    region: str
    worker_id: UUID
    vendor_id: UUID | None = None
    contract_id: UUID | None = None
    lot_id: UUID | None = None
    agency: str = ""
    job: str = ""
    state: str = "confirmed"
    starts_on: date | None = None
    ended_on: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Engagement:
    """An offer that a worker accepted, and whether it still stands."""

    offer_id: UUID
    region: str
    worker_id: UUID
    vendor_id: UUID | None
    state: str


def seated(held: Seat | None, heard: Fact) -> Seat | None:
    """The placement after one more fact about it."""
    match heard:
        case PlacementConfirmed():
            return Seat(
                heard.placement_id,
                heard.region,
                heard.worker_id,
                heard.vendor_id,
                heard.contract_id,
                heard.lot_id,
                heard.agency,
                heard.job,
                "confirmed",
                heard.starts_on,
            )
        case PlacementCarriedOver():
            seat = held or Seat(heard.placement_id, heard.region, heard.worker_id, state="started")
            return replace(seat, vendor_id=heard.vendor_id, contract_id=heard.contract_id, lot_id=heard.lot_id)
        case PlacementStarted() | PlacementDisputed() | PlacementDisputeClosed():
            state = "disputed" if isinstance(heard, PlacementDisputed) else "started"
            return replace(held or Seat(heard.placement_id, heard.region, heard.worker_id), state=state)
        case PlacementEnded():
            seat = held or Seat(heard.placement_id, heard.region, heard.worker_id)
            return replace(seat, state="ended", ended_on=heard.effective_on, reason=heard.reason)
        case _:
            return held


def engaged(held: Engagement | None, heard: Fact) -> Engagement | None:
    """The offer after one more fact about it."""
    match heard:
        case OfferAccepted():
            return Engagement(heard.offer_id, heard.region, heard.worker_id, heard.vendor_id, "accepted")
        case OfferWithdrawn() | OfferExpired() if held is not None:
            return replace(held, state="withdrawn")
        case _:
            return held
