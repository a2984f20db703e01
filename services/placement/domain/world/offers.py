"""What becomes of offers: made, answered, run out, agreed."""

from dataclasses import replace
from typing import Final

from shared.events import placement as told
from shared.ids import derived_id

from .. import matters as m
from ..lifecycle import step
from ..values import Offer, Placement
from .state import State

SAYS: Final = {"yes": "yes", "no": "no", "no_scheme": "no"}


def answered(world: State, a: m.Answered) -> str:
    """A yes or a no to an offer, in time or not."""
    offer = world.offers.get(a.offer_id)
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
        offer = world.move_offer(replace(offer, starts_on=max(offer.starts_on, a.on)), move, a.on)
        world.tell(
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
        world.walk(offer, "accepted")
        return ""
    reasons = a.reasons or (("no_scheme",) if a.says == "no_scheme" else ())
    offer = world.move_offer(replace(offer, reasons=reasons), move, a.on)
    world.tell(
        told.OfferDeclined(
            region=offer.region, effective_on=a.on, offer_id=offer.id, worker_id=offer.worker_id, lot_id=offer.lot_id, reasons=reasons
        )
    )
    world.walk(offer, "declined_offer")
    return ""


def term_passed(world: State, t: m.TermPassed) -> str:
    """Silence counts only with evidence that the person was reached."""
    offer = world.offers.get(t.offer_id)
    if offer is None:
        return "offer-unknown"
    if offer.worker_id != t.worker_id or offer.region != t.region:
        return "offer-foreign"
    move = step("offer", offer.state, "term_passed")
    if move is None:
        return "offer-closed"
    if not t.evidence:
        return "no-evidence"
    offer = world.move_offer(offer, move, t.on, t.evidence)
    world.tell(
        told.OfferExpired(
            region=offer.region,
            effective_on=t.on,
            offer_id=offer.id,
            worker_id=offer.worker_id,
            lot_id=offer.lot_id,
            evidence=t.evidence,
        )
    )
    world.walk(offer, "no_answer")
    return ""


def wanted(world: State, w: m.Wanted) -> str:
    """An offer, if the person and a seat of the lot are still free."""
    seat, lot = world.seats.get(w.worker_id), world.lots.get(w.lot_id)
    if seat is None or seat.barred or seat.region != w.region:
        return "person-gone"
    if not seat.free:
        return "person-taken"
    if lot is None or lot.region != w.region:
        return "lot-unknown"
    contract, vendor = world.contracts[lot.contract_id], world.vendors.get(lot.vendor_id)
    if vendor is not None and vendor.debarred:
        return "vendor-debarred"
    if contract.state != "signed" or not lot.open:
        return "contract-ended"
    if lot.free < 1:
        return "no-seat"
    starts_on = max(w.starts_on, contract.starts_on)
    if starts_on > contract.ends_on:
        return "contract-ended"
    world.keep_lot(replace(lot, taken=lot.taken + 1))
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
    world.offers[offer.id] = offer
    world.mark("offers", offer.id)
    world.keep_seat(replace(seat, offer_id=offer.id))
    world.tell(
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
    world.walk(offer, "offer_open")
    return ""


def agreed(world: State, a: m.Agreed) -> str:
    """A signed agreement makes an accepted offer a placement."""
    offer = world.offers.get(a.offer_id)
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
    world.offers[offer.id] = replace(offer, state=move.to, since=day)
    world.mark("offers", offer.id)
    world.placements[placement.id] = placement
    world.mark("placements", placement.id)
    world.keep_seat(replace(world.seat_of(offer.worker_id, offer.region), offer_id=None, placement_id=placement.id))
    world.start[placement.id] = placement
    world.tell(
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
    world.tell_state(placement, day)
    world.walk(placement, "placed")
    # The last offer that was waited for closes the round.
    world.refill.add(placement.region)
    return ""
