"""The fold: what comes up, applied in order to state that was loaded once. Pure; the store saves what changed.

`World.apply` answers "" when a matter counted and a slug when the domain refuses it; a refusal changes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import singledispatchmethod
from typing import Final
from uuid import UUID

from shared.events import Cause, Fact
from shared.events import placement as told
from shared.ids import derived_id

from . import matters as m
from .lifecycle import Step, step
from .values import OFFER_ACTIVE, PLACEMENT_ACTIVE, Contract, Course, Lot, Offer, Placement, Seat, Vendor

WITHDRAWN_COURSE: Final = {"contract_ended": "contract_ended"}
SAYS: Final = {"yes": "yes", "no": "no", "no_scheme": "no"}


@dataclass(slots=True)
class World:
    """State of one batch. Filled by the store; `changed_*`, `facts`, `course`, `start`, `refill` are what came of it."""

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
    _cause: Cause | None = None

    def settle(self, matters: Sequence[m.Matter]) -> list[str]:
        """Apply all in order; one slug (or "") each."""
        slugs = []
        for matter in matters:
            self._cause = matter.cause
            slugs.append(self.apply(matter))
        return slugs

    @singledispatchmethod
    def apply(self, matter: m.Matter) -> str:
        """One matter; "" or the slug of the refusal."""
        raise TypeError(type(matter).__name__)

    # --- answers and terms -------------------------------------------------------------------------------------------

    @apply.register
    def _(self, a: m.Answered) -> str:
        offer = self.offers.get(a.offer_id)
        if offer is None:
            return "offer-unknown"
        if offer.worker_id != a.worker_id or offer.region != a.region:
            return "offer-foreign"
        if a.says not in SAYS:
            return "answer-unknown"
        move = step("offer", offer.state, SAYS[a.says])
        if move is None:
            return "offer-closed"
        if a.on > offer.answer_by:
            return "answer-late"
        if a.says == "yes":
            # Who says yes after the day named starts on the day of the yes: nobody starts in the past.
            offer = self._offer(replace(offer, starts_on=max(offer.starts_on, a.on)), move, a.on)
            self._tell(
                told.OfferAccepted(
                    region=offer.region,
                    effective_on=a.on,
                    offer_id=offer.id,
                    worker_id=offer.worker_id,
                    contract_id=offer.contract_id,
                    lot_id=offer.lot_id,
                    vendor_id=offer.vendor_id,
                    terms=offer.terms,
                    starts_on=offer.starts_on,
                )
            )
            self._walk(offer, "accepted")
            return ""
        reasons = a.reasons or (("no_scheme",) if a.says == "no_scheme" else ())
        offer = self._offer(replace(offer, reasons=reasons), move, a.on)
        self._tell(
            told.OfferDeclined(
                region=offer.region, effective_on=a.on, offer_id=offer.id, worker_id=offer.worker_id, lot_id=offer.lot_id, reasons=reasons
            )
        )
        self._walk(offer, "declined_offer")
        return ""

    @apply.register
    def _(self, t: m.TermPassed) -> str:
        offer = self.offers.get(t.offer_id)
        if offer is None:
            return "offer-unknown"
        if offer.worker_id != t.worker_id or offer.region != t.region:
            return "offer-foreign"
        move = step("offer", offer.state, "term_passed")
        if move is None:
            return "offer-closed"
        if not t.evidence:
            return "no-evidence"
        offer = self._offer(offer, move, t.on, t.evidence)
        self._tell(
            told.OfferExpired(
                region=offer.region,
                effective_on=t.on,
                offer_id=offer.id,
                worker_id=offer.worker_id,
                lot_id=offer.lot_id,
                evidence=t.evidence,
            )
        )
        self._walk(offer, "no_answer")
        return ""

    @apply.register
    def _(self, c: m.FamiliesChosen) -> str:
        if not c.families:
            return "families-missing"
        if self.families.get(c.worker_id) == c.families:
            return "unchanged"
        self.families[c.worker_id] = c.families
        self.chosen[c.worker_id] = c
        self._tell(
            told.PreferenceGiven(
                region=c.region,
                effective_on=c.on,
                preference_id=derived_id("preference", c.worker_id),
                worker_id=c.worker_id,
                families=c.families,
            )
        )
        return ""

    # --- offers and agreements ---------------------------------------------------------------------------------------

    @apply.register
    def _(self, w: m.Wanted) -> str:
        seat, lot = self.seats.get(w.worker_id), self.lots.get(w.lot_id)
        if seat is None or seat.barred or seat.region != w.region:
            return "person-gone"
        if not seat.free:
            return "person-taken"
        if lot is None or lot.region != w.region:
            return "lot-unknown"
        contract, vendor = self.contracts[lot.contract_id], self.vendors.get(lot.vendor_id)
        if vendor is not None and vendor.debarred:
            return "vendor-debarred"
        if contract.state != "signed" or not lot.open:
            return "contract-ended"
        if lot.free < 1:
            return "no-seat"
        starts_on = max(w.starts_on, contract.starts_on)
        if starts_on > contract.ends_on:
            return "contract-ended"
        self._lot(replace(lot, taken=lot.taken + 1))
        offer = Offer(
            id=w.offer_id,
            region=w.region,
            worker_id=w.worker_id,
            round_id=w.round_id,
            contract_id=lot.contract_id,
            lot_id=lot.id,
            vendor_id=lot.vendor_id,
            terms=contract.terms,
            agency=lot.agency,
            job=lot.job,
            incumbent=w.incumbent,
            starts_on=starts_on,
            answer_by=w.answer_by,
            made_on=w.on,
            since=w.on,
        )
        self.offers[offer.id] = offer
        self._mark("offers", offer.id)
        self._seat(replace(seat, offer_id=offer.id))
        self._tell(
            told.OfferMade(
                region=offer.region,
                effective_on=w.on,
                offer_id=offer.id,
                worker_id=offer.worker_id,
                round_id=offer.round_id,
                contract_id=offer.contract_id,
                lot_id=offer.lot_id,
                vendor_id=offer.vendor_id,
                vendor_name=contract.vendor_name,
                terms=offer.terms,
                agency=offer.agency,
                job=offer.job,
                site=lot.site,
                wage=lot.wage,
                starts_on=offer.starts_on,
                answer_by=offer.answer_by,
            )
        )
        self._walk(offer, "offer_open")
        return ""

    @apply.register
    def _(self, a: m.Agreed) -> str:
        offer = self.offers.get(a.offer_id)
        if offer is None:
            return "offer-unknown"
        if offer.worker_id != a.worker_id or offer.region != a.region:
            return "offer-foreign"
        move = step("offer", offer.state, "agreed")
        if move is None:
            return "offer-not-accepted"
        same = (a.contract_id, a.lot_id, a.vendor_id, a.terms, a.starts_on)
        if same != (offer.contract_id, offer.lot_id, offer.vendor_id, offer.terms, offer.starts_on):
            return "agreement-differs"
        day = max(a.on, offer.since)
        placement = Placement(
            id=derived_id("placement", offer.id),
            region=offer.region,
            worker_id=offer.worker_id,
            offer_id=offer.id,
            contract_id=offer.contract_id,
            lot_id=offer.lot_id,
            vendor_id=offer.vendor_id,
            terms=offer.terms,
            agency=offer.agency,
            job=offer.job,
            incumbent=offer.incumbent,
            starts_on=offer.starts_on,
            since=day,
        )
        # The seat stays taken: it passes from the offer to the placement.
        self.offers[offer.id] = replace(offer, state=move.to, since=day)
        self._mark("offers", offer.id)
        self.placements[placement.id] = placement
        self._mark("placements", placement.id)
        self._seat(replace(self._seat_of(offer.worker_id, offer.region), offer_id=None, placement_id=placement.id))
        self.start[placement.id] = placement
        self._tell(
            told.PlacementConfirmed(
                region=placement.region,
                effective_on=day,
                placement_id=placement.id,
                worker_id=placement.worker_id,
                offer_id=offer.id,
                contract_id=placement.contract_id,
                lot_id=placement.lot_id,
                vendor_id=placement.vendor_id,
                terms=placement.terms,
                agency=placement.agency,
                job=placement.job,
                incumbent=placement.incumbent,
                starts_on=placement.starts_on,
            )
        )
        self._state(placement, day)
        self._walk(placement, "placed")
        # The last offer that was waited for closes the round.
        self.refill.add(placement.region)
        return ""

    # --- people ------------------------------------------------------------------------------------------------------

    @apply.register
    def _(self, g: m.Gone) -> str:
        seat = self._seat_of(g.worker_id, g.region)
        if seat.region != g.region:
            return "region-differs"
        if g.reason == "erased":
            self.erased.add(g.worker_id)
        self._seat(replace(seat, barred=g.reason))
        self._let_go(g.worker_id, g.reason, g.on)
        return ""

    @apply.register
    def _(self, c: m.ConsentTold) -> str:
        seat = self._seat_of(c.worker_id, c.region)
        if seat.region != c.region:
            return "region-differs"
        if c.given:
            if seat.barred == "consent_withdrawn":
                self._seat(replace(seat, barred=""))
            return ""
        self._seat(replace(seat, barred=seat.barred or "consent_withdrawn"))
        self._let_go(c.worker_id, "consent_withdrawn", c.on)
        return ""

    # --- vendors and contracts ---------------------------------------------------------------------------------------

    @apply.register
    def _(self, v: m.VendorKnown) -> str:
        known = self.vendors.get(v.vendor_id)
        debarred = known.debarred if known else False
        self.vendors[v.vendor_id] = Vendor(v.vendor_id, v.region, v.name, debarred)
        self._mark("vendors", v.vendor_id)
        return ""

    @apply.register
    def _(self, v: m.VendorBarred) -> str:
        known = self.vendors.get(v.vendor_id) or Vendor(v.vendor_id, v.region)
        self.vendors[v.vendor_id] = replace(known, debarred=v.barred)
        self._mark("vendors", v.vendor_id)
        if v.barred:
            self._withdraw([o for o in self.offers.values() if o.vendor_id == v.vendor_id], "debarred", v.on)
        else:
            self.refill.add(v.region)
        return ""

    @apply.register
    def _(self, c: m.ContractTold) -> str:
        known = self.contracts.get(c.contract_id)
        if known is not None and known.state != "signed":
            return "contract-ended"
        successor = c.successor_of if known is None else known.successor_of
        name = c.vendor_name or (known.vendor_name if known else "")
        self.contracts[c.contract_id] = Contract(
            c.contract_id, c.region, c.vendor_id, name, c.terms, c.starts_on, c.ends_on, "signed", successor
        )
        self._mark("contracts", c.contract_id)
        for terms in c.lots:
            self._lot(self._retermed(c, terms))
        stated = {terms.id for terms in c.lots}
        for lot in [lot for lot in self.lots.values() if lot.contract_id == c.contract_id and lot.id not in stated]:
            # A lot that the amended terms no longer name has no seats.
            self._lot(replace(lot, capacity=0, released=0, excess=lot.taken, owed=()))
        self.refill.add(c.region)
        return ""

    @apply.register
    def _(self, r: m.ReductionAsked) -> str:
        lot = self.lots.get(r.lot_id)
        if lot is None or lot.contract_id != r.contract_id:
            return "lot-unknown"
        now = min(r.seats, lot.free)
        owed = lot.owed if r.seats == now else (*lot.owed, (r.request_id, r.seats - now))
        self._lot(replace(lot, released=lot.released + now, owed=owed))
        if now:
            self._released(lot, r.request_id, now, r.on)
        return ""

    @apply.register
    def _(self, c: m.ContractOver) -> str:
        known = self.contracts.get(c.contract_id)
        if known is None:
            return "contract-unknown"
        self.contracts[c.contract_id] = replace(known, state="ended")
        self._mark("contracts", c.contract_id)
        for lot in [lot for lot in self.lots.values() if lot.contract_id == c.contract_id]:
            self._lot(replace(lot, open=False, owed=()))
        self._withdraw([o for o in self.offers.values() if o.contract_id == c.contract_id], "contract_ended", c.on)
        self._end([p for p in self.placements.values() if p.contract_id == c.contract_id], "contract_ended", c.on)
        return ""

    # --- placements --------------------------------------------------------------------------------------------------

    @apply.register
    def _(self, b: m.Began) -> str:
        placement = self.placements.get(b.placement_id)
        if placement is None:
            return "placement-unknown"
        move = step("placement", placement.state, "began")
        if move is None:
            return "placement-state"
        if b.on < placement.starts_on:
            self.start[placement.id] = placement
            return "too-early"
        placement = self._placement(placement, move, b.on)
        self._tell(
            told.PlacementStarted(
                region=placement.region, effective_on=placement.starts_on, placement_id=placement.id, worker_id=placement.worker_id
            )
        )
        self._state(placement, b.on)
        return ""

    @apply.register
    def _(self, d: m.Disputed) -> str:
        placement = self.placements.get(d.placement_id)
        if placement is None:
            return "placement-unknown"
        move = step("placement", placement.state, "disputed")
        if move is None:
            return "placement-state"
        placement = self._placement(placement, move, d.on, d.reason)
        self._tell(
            told.PlacementDisputed(
                region=placement.region,
                effective_on=d.on,
                placement_id=placement.id,
                worker_id=placement.worker_id,
                reason=d.reason,
            )
        )
        self._state(placement, d.on)
        return ""

    @apply.register
    def _(self, d: m.DisputeClosed) -> str:
        placement = self.placements.get(d.placement_id)
        if placement is None:
            return "placement-unknown"
        if placement.state != "disputed" or d.outcome not in ("continues", "ended"):
            return "placement-state"
        self._tell(
            told.PlacementDisputeClosed(
                region=placement.region,
                effective_on=d.on,
                placement_id=placement.id,
                worker_id=placement.worker_id,
                outcome=d.outcome,
            )
        )
        if d.outcome == "ended":
            self._end([placement], "dispute_ended", d.on)
            return ""
        move = step("placement", "disputed", "continues")
        assert move is not None
        placement = self._placement(placement, move, d.on)
        self.start[placement.id] = placement
        self._state(placement, d.on)
        return ""

    # --- the small moves ---------------------------------------------------------------------------------------------

    def _tell(self, fact: Fact) -> None:
        self.facts.append((fact, self._cause))

    def _mark(self, kind: str, id: UUID) -> None:
        self.changed.setdefault(kind, set()).add(id)

    def _seat_of(self, worker_id: UUID, region: str) -> Seat:
        return self.seats.get(worker_id) or Seat(worker_id, region)

    def _seat(self, seat: Seat) -> None:
        self.seats[seat.worker_id] = seat
        self._mark("seats", seat.worker_id)

    def _lot(self, lot: Lot) -> None:
        self.lots[lot.id] = lot
        self._mark("lots", lot.id)

    def _walk(self, thing: Offer | Placement, value: str) -> None:
        self.course.append(Course(thing.worker_id, thing.region, value, thing.since))

    def _state(self, p: Placement, on: date) -> None:
        gone = p.state == "ended"
        self._tell(
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

    def _released(self, lot: Lot, request_id: UUID, seats: int, on: date) -> None:
        self._tell(
            told.LotSeatsReleased(
                region=lot.region, effective_on=on, lot_id=lot.id, contract_id=lot.contract_id, request_id=request_id, seats=seats
            )
        )

    def _retermed(self, c: m.ContractTold, t: m.LotTerms) -> Lot:
        lot = self.lots.get(t.id)
        if lot is None:
            return Lot(t.id, c.region, c.contract_id, c.vendor_id, t.agency, t.job, t.site, t.kecamatan, t.wage, t.capacity)
        # Seats given back count against the capacity until the amendment that takes them out of it.
        released = max(0, lot.released - max(0, lot.capacity - t.capacity))
        return replace(
            lot,
            agency=t.agency,
            job=t.job,
            site=t.site,
            kecamatan=t.kecamatan,
            wage=t.wage,
            capacity=t.capacity,
            released=released,
            excess=max(0, lot.taken + released - t.capacity),
        )

    def _free_seat(self, lot_id: UUID, on: date) -> None:
        """One seat of the lot came free: it goes to who asked for a reduction first, else on by the rule."""
        lot = self.lots[lot_id]
        lot = replace(lot, taken=lot.taken - 1, excess=max(0, lot.excess - 1))
        if lot.owed:
            (request_id, seats), *rest = lot.owed
            owed = (*(((request_id, seats - 1),) if seats > 1 else ()), *rest)
            lot = replace(lot, released=lot.released + 1, owed=owed)
            self._released(lot, request_id, 1, on)
        elif lot.free:
            self.refill.add(lot.region)
        self._lot(lot)

    def _offer(self, offer: Offer, move: Step, on: date, reason: str = "") -> Offer:
        offer = replace(offer, state=move.to, since=max(on, offer.since), reason=reason)
        self.offers[offer.id] = offer
        self._mark("offers", offer.id)
        if move.frees:
            seat = self._seat_of(offer.worker_id, offer.region)
            self._seat(replace(seat, offer_id=None))
            self._free_seat(offer.lot_id, on)
        return offer

    def _placement(self, placement: Placement, move: Step, on: date, reason: str = "") -> Placement:
        placement = replace(placement, state=move.to, since=max(on, placement.since), reason=reason)
        if move.to == "ended":
            placement = replace(placement, ended_on=on)
        self.placements[placement.id] = placement
        self._mark("placements", placement.id)
        if move.frees:
            seat = self._seat_of(placement.worker_id, placement.region)
            self._seat(replace(seat, placement_id=None, last_agency=placement.agency, last_job=placement.job, last_reason=reason))
            self._free_seat(placement.lot_id, on)
        return placement

    def _let_go(self, worker_id: UUID, reason: str, on: date) -> None:
        seat = self.seats[worker_id]
        self._withdraw([self.offers[seat.offer_id]] if seat.offer_id else [], reason, on)
        self._end([self.placements[seat.placement_id]] if seat.placement_id else [], reason, on)

    def _withdraw(self, offers: Iterable[Offer], reason: str, on: date) -> None:
        for offer in offers:
            move = step("offer", offer.state, "withdrawn")
            if move is None or offer.state not in OFFER_ACTIVE:
                continue
            offer = self._offer(offer, move, on, reason)
            self._tell(
                told.OfferWithdrawn(
                    region=offer.region,
                    effective_on=on,
                    offer_id=offer.id,
                    worker_id=offer.worker_id,
                    lot_id=offer.lot_id,
                    reason=reason,
                )
            )
            self._walk(offer, WITHDRAWN_COURSE.get(reason, "no_seat"))

    def _end(self, placements: Iterable[Placement], reason: str, on: date) -> None:
        for placement in placements:
            move = step("placement", placement.state, "over")
            if move is None or placement.state not in PLACEMENT_ACTIVE:
                continue
            placement = self._placement(placement, move, on, reason)
            self.start.pop(placement.id, None)
            self._tell(
                told.PlacementEnded(
                    region=placement.region,
                    effective_on=on,
                    placement_id=placement.id,
                    worker_id=placement.worker_id,
                    lot_id=placement.lot_id,
                    reason=reason,
                )
            )
            self._state(placement, on)
            self._walk(placement, "contract_ended" if reason == "contract_ended" else "no_seat")
