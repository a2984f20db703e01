"""What the fold works on: the state of one batch, and the small moves all matters are made of."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final
from uuid import UUID

from shared.events import Cause, Fact
from shared.events import placement as told

from .. import matters as m
from ..lifecycle import Step, step
from ..values import OFFER_ACTIVE, PLACEMENT_ACTIVE, Contract, Course, Lot, Offer, Placement, Seat, Vendor

WITHDRAWN_COURSE: Final = {"contract_ended": "contract_ended"}


@dataclass(slots=True)
class State:
    """State of one batch. Filled by the store; `changed`, `facts`, `course`, `start`, `refill` are what came of it."""

    seats: dict[UUID, Seat] = field(default_factory=dict)
    lots: dict[UUID, Lot] = field(default_factory=dict)
    offers: dict[UUID, Offer] = field(default_factory=dict)
    placements: dict[UUID, Placement] = field(default_factory=dict)
    contracts: dict[UUID, Contract] = field(default_factory=dict)
    vendors: dict[UUID, Vendor] = field(default_factory=dict)
    families: dict[UUID, tuple[str, ...]] = field(default_factory=dict)
    chosen: dict[UUID, m.FamiliesChosen] = field(default_factory=dict)
    facts: list[tuple[Fact, Cause | None]] = field(default_factory=list)
    course: list[Course] = field(default_factory=list)
    start: dict[UUID, Placement] = field(default_factory=dict)
    refill: set[str] = field(default_factory=set)
    erased: set[UUID] = field(default_factory=set)
    before: dict[UUID, Lot] = field(default_factory=dict)
    changed: dict[str, set[UUID]] = field(default_factory=dict)
    cause: Cause | None = None

    def tell(self, fact: Fact) -> None:
        """A fact, with the event that made it happen."""
        self.facts.append((fact, self.cause))

    def mark(self, kind: str, id: UUID) -> None:
        """One more to save."""
        self.changed.setdefault(kind, set()).add(id)

    def seat_of(self, worker_id: UUID, region: str) -> Seat:
        """What the person holds; nothing yet when never heard of."""
        return self.seats.get(worker_id) or Seat(worker_id, region)

    def keep_seat(self, seat: Seat) -> None:
        """The person's seat is this now."""
        self.seats[seat.worker_id] = seat
        self.mark("seats", seat.worker_id)

    def keep_lot(self, lot: Lot) -> None:
        """The lot is this now."""
        self.lots[lot.id] = lot
        self.mark("lots", lot.id)

    def walk(self, thing: Offer | Placement, value: str) -> None:
        """A step of the person's course, from the day it counts."""
        self.course.append(Course(thing.worker_id, thing.region, value, thing.since))

    def tell_state(self, p: Placement, on: date) -> None:
        """The compacted word on where the person is placed."""
        gone = p.state == "ended"
        self.tell(
            told.PlacementState(
                region=p.region,
                effective_on=on,
                worker_id=p.worker_id,
                state=p.state,
                placement_id=p.id,
                contract_id=None if gone else p.contract_id,
                lot_id=None if gone else p.lot_id,
                vendor_id=None if gone else p.vendor_id,
                agency="" if gone else p.agency,
                job="" if gone else p.job,
                starts_on=None if gone else p.starts_on,
            )
        )

    def tell_released(self, lot: Lot, request_id: UUID, seats: int, on: date) -> None:
        """Seats given back to who asked for a reduction."""
        self.tell(
            told.LotSeatsReleased(
                region=lot.region, effective_on=on, lot_id=lot.id, contract_id=lot.contract_id, request_id=request_id, seats=seats
            )
        )

    def free_seat(self, lot_id: UUID, on: date) -> None:
        """One seat of the lot came free: it goes to who asked for a reduction first, else on by the rule."""
        lot = self.lots[lot_id]
        lot = replace(lot, taken=lot.taken - 1, excess=max(0, lot.excess - 1))
        if lot.owed:
            (request_id, seats), *rest = lot.owed
            owed = (*(((request_id, seats - 1),) if seats > 1 else ()), *rest)
            lot = replace(lot, released=lot.released + 1, owed=owed)
            self.tell_released(lot, request_id, 1, on)
        elif lot.free:
            self.refill.add(lot.region)
        self.keep_lot(lot)

    def move_offer(self, offer: Offer, move: Step, on: date, reason: str = "") -> Offer:
        """The offer goes where the table of states says; its seat comes free when the table says so."""
        offer = replace(offer, state=move.to, since=max(on, offer.since), reason=reason)
        self.offers[offer.id] = offer
        self.mark("offers", offer.id)
        if move.frees:
            seat = self.seat_of(offer.worker_id, offer.region)
            self.keep_seat(replace(seat, offer_id=None))
            self.free_seat(offer.lot_id, on)
        return offer

    def move_placement(self, placement: Placement, move: Step, on: date, reason: str = "") -> Placement:
        """The same for a placement."""
        placement = replace(placement, state=move.to, since=max(on, placement.since), reason=reason)
        if move.to == "ended":
            placement = replace(placement, ended_on=on)
        self.placements[placement.id] = placement
        self.mark("placements", placement.id)
        if move.frees:
            seat = self.seat_of(placement.worker_id, placement.region)
            self.keep_seat(replace(seat, placement_id=None, last_agency=placement.agency, last_job=placement.job, last_reason=reason))
            self.free_seat(placement.lot_id, on)
        return placement

    def let_go(self, worker_id: UUID, reason: str, on: date) -> None:
        """The person gives back the offer or the placement they hold."""
        seat = self.seats[worker_id]
        self.withdraw([self.offers[seat.offer_id]] if seat.offer_id else [], reason, on)
        self.end([self.placements[seat.placement_id]] if seat.placement_id else [], reason, on)

    def withdraw(self, offers: Iterable[Offer], reason: str, on: date) -> None:
        """Those of the offers that are still active are withdrawn."""
        for offer in offers:
            move = step("offer", offer.state, "withdrawn")
            if move is None or offer.state not in OFFER_ACTIVE:
                continue
            offer = self.move_offer(offer, move, on, reason)
            self.tell(
                told.OfferWithdrawn(
                    region=offer.region,
                    effective_on=on,
                    offer_id=offer.id,
                    worker_id=offer.worker_id,
                    lot_id=offer.lot_id,
                    reason=reason,
                )
            )
            self.walk(offer, WITHDRAWN_COURSE.get(reason, "no_seat"))

    def end(self, placements: Iterable[Placement], reason: str, on: date) -> None:
        """Those of the placements that are still active end."""
        for placement in placements:
            move = step("placement", placement.state, "over")
            if move is None or placement.state not in PLACEMENT_ACTIVE:
                continue
            placement = self.move_placement(placement, move, on, reason)
            self.start.pop(placement.id, None)
            self.tell(
                told.PlacementEnded(
                    region=placement.region,
                    effective_on=on,
                    placement_id=placement.id,
                    worker_id=placement.worker_id,
                    lot_id=placement.lot_id,
                    reason=reason,
                )
            )
            self.tell_state(placement, on)
            self.walk(placement, "contract_ended" if reason == "contract_ended" else "no_seat")
