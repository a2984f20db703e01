"""Facts that placement decides: rounds, offers, and who sits where."""

from datetime import date
from uuid import UUID

from .base import Fact, Stream, fact

EVENTS = Stream("placement", "events")
INTERNAL = Stream("placement", "internal")
STATE = Stream("placement", "state", compacted=True)


@fact("round.opened", EVENTS, "round", id="round_id")
class RoundOpened(Fact, frozen=True, kw_only=True):
    """A round (putaran penempatan) froze its world; the operator is committed to a lottery secret."""

    round_id: UUID
    number: int
    commitment: str
    people: int
    lots: int
    seats: int


@fact("round.signed", EVENTS, "round", id="round_id")
class RoundSigned(Fact, frozen=True, kw_only=True):
    """An officer other than the opener signed the computed result; offers go out."""

    round_id: UUID
    run_sha256: str
    placed: int
    unplaced: int


@fact("round.closed", EVENTS, "round", id="round_id")
class RoundClosed(Fact, frozen=True, kw_only=True):
    """No offer of the round is open any more."""

    round_id: UUID
    reason: str


@fact("lot.seats_released", EVENTS, "lot", id="lot_id")
class LotSeatsReleased(Fact, frozen=True, kw_only=True):
    """Placement gave back seats that a reduction asked for."""

    lot_id: UUID
    contract_id: UUID
    request_id: UUID
    seats: int


@fact("placement.confirmed", EVENTS, "placement", id="placement_id", key="worker_id")
class PlacementConfirmed(Fact, frozen=True, kw_only=True):
    """Accepted and work agreement signed: the person has the seat."""

    placement_id: UUID
    worker_id: UUID
    offer_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agency: str
    job: str
    incumbent: bool
    starts_on: date


@fact("placement.started", EVENTS, "placement", id="placement_id", key="worker_id")
class PlacementStarted(Fact, frozen=True, kw_only=True):
    """The first working day came."""

    placement_id: UUID
    worker_id: UUID


@fact("placement.disputed", EVENTS, "placement", id="placement_id", key="worker_id")
class PlacementDisputed(Fact, frozen=True, kw_only=True):
    """A dismissal is disputed: seat, cover and invoice are held."""

    placement_id: UUID
    worker_id: UUID
    reason: str


@fact("placement.dispute_closed", EVENTS, "placement", id="placement_id", key="worker_id")
class PlacementDisputeClosed(Fact, frozen=True, kw_only=True):
    """The dispute ended with `outcome`."""

    placement_id: UUID
    worker_id: UUID
    outcome: str


@fact("placement.carried_over", EVENTS, "placement", id="placement_id", key="worker_id")
class PlacementCarriedOver(Fact, frozen=True, kw_only=True):
    """The vendor changed, the work remains (pengalihan pekerja)."""

    placement_id: UUID
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID


@fact("placement.ended", EVENTS, "placement", id="placement_id", key="worker_id")
class PlacementEnded(Fact, frozen=True, kw_only=True):
    """The person no longer holds the seat (`contract_ended`, `exited`, `left`, `resigned`, `consent_withdrawn`, ...)."""

    placement_id: UUID
    worker_id: UUID
    lot_id: UUID
    reason: str


@fact("offer.made", INTERNAL, "offer", id="offer_id", key="worker_id")
class OfferMade(Fact, frozen=True, kw_only=True):
    """A seat is offered in the vendor's name. `answer_by` is the last local day; wage in whole rupiah per month."""

    offer_id: UUID
    worker_id: UUID
    round_id: UUID | None
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    vendor_name: str
    terms: int
    agency: str
    job: str
    site: str
    wage: int
    starts_on: date
    answer_by: date


@fact("offer.accepted", INTERNAL, "offer", id="offer_id", key="worker_id")
class OfferAccepted(Fact, frozen=True, kw_only=True):
    """The person said yes in time; the vendor may now sign the work agreement."""

    offer_id: UUID
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    starts_on: date


@fact("offer.declined", INTERNAL, "offer", id="offer_id", key="worker_id")
class OfferDeclined(Fact, frozen=True, kw_only=True):
    """The person said no; it costs nothing."""

    offer_id: UUID
    worker_id: UUID
    lot_id: UUID
    reasons: tuple[str, ...] = ()


@fact("offer.expired", INTERNAL, "offer", id="offer_id", key="worker_id")
class OfferExpired(Fact, frozen=True, kw_only=True):
    """The term passed, and there is evidence that the person was reached."""

    offer_id: UUID
    worker_id: UUID
    lot_id: UUID
    evidence: str


@fact("offer.withdrawn", INTERNAL, "offer", id="offer_id", key="worker_id")
class OfferWithdrawn(Fact, frozen=True, kw_only=True):
    """The seat or the right to it disappeared (`exited`, `left`, `debarred`, `contract_ended`, `reduced`, `erased`, ...)."""

    offer_id: UUID
    worker_id: UUID
    lot_id: UUID
    reason: str


@fact("preference.given", INTERNAL, "preference", id="preference_id", key="worker_id")
class PreferenceGiven(Fact, frozen=True, kw_only=True):
    """The job families the person is willing to work in, own family first, in order."""

    preference_id: UUID
    worker_id: UUID
    families: tuple[str, ...]


@fact("placement.state", STATE, "seat", id="worker_id")
class PlacementState(Fact, frozen=True, kw_only=True):
    """The present placement of a worker (compacted): `none`, `confirmed`, `started`, `disputed`, `ended`."""

    worker_id: UUID
    state: str
    placement_id: UUID | None = None
    contract_id: UUID | None = None
    lot_id: UUID | None = None
    vendor_id: UUID | None = None
    agency: str = ""
    job: str = ""
    starts_on: date | None = None
