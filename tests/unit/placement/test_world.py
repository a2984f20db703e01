"""The fold of offers and seats, without any server: what counts, what is refused, and that seats are never oversold."""

from datetime import date
from pathlib import Path
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from services.placement.domain import LIFECYCLE, World, markdown, step
from services.placement.domain import matters as m
from services.placement.domain.values import OFFER_ACTIVE, PLACEMENT_ACTIVE, Seat
from services.placement.domain.world import MOVES
from shared.events import placement as told
from shared.ids import derived_id

REGION = "13.74"
DAY = date(2026, 1, 5)
LAST = date(2026, 1, 19)
VENDOR, CONTRACT, LOT = (derived_id(name) for name in ("vendor", "contract", "lot"))


def worker(n: int) -> UUID:
    return derived_id("worker", n)


def offer_id(n: int) -> UUID:
    return derived_id("offer", n)


def signed(seats: int, terms: int = 1) -> m.ContractTold:
    lot = m.LotTerms(LOT, "rsud", "cleaning", "gedung", "13.74.01", 3_182_955, seats)
    return m.ContractTold(
        region=REGION,
        on=DAY,
        contract_id=CONTRACT,
        vendor_id=VENDOR,
        vendor_name="PT Contoh",
        terms=terms,
        starts_on=DAY,
        ends_on=date(2026, 12, 31),
        lots=(lot,),
    )


def wanted(n: int) -> m.Wanted:
    return m.Wanted(
        region=REGION,
        on=DAY,
        offer_id=offer_id(n),
        worker_id=worker(n),
        lot_id=LOT,
        round_id=None,
        incumbent=True,
        starts_on=DAY,
        answer_by=LAST,
    )


def answered(n: int, says: str, on: date = DAY) -> m.Answered:
    return m.Answered(region=REGION, on=on, offer_id=offer_id(n), worker_id=worker(n), says=says)


def agreed(n: int) -> m.Agreed:
    return m.Agreed(
        region=REGION,
        on=DAY,
        agreement_id=derived_id("agreement", n),
        offer_id=offer_id(n),
        worker_id=worker(n),
        contract_id=CONTRACT,
        lot_id=LOT,
        vendor_id=VENDOR,
        terms=1,
        starts_on=DAY,
    )


def world(seats: int, people: int) -> World:
    found = World(seats={worker(n): Seat(worker(n), REGION) for n in range(people)})
    assert found.settle([signed(seats)]) == [""]
    return found


def check(w: World) -> None:
    """Seats taken are the offers and placements there are; nobody holds two things; the lot is never over its capacity."""
    for lot in w.lots.values():
        held = [o for o in w.offers.values() if o.lot_id == lot.id and o.state in OFFER_ACTIVE]
        sitting = [p for p in w.placements.values() if p.lot_id == lot.id and p.state in PLACEMENT_ACTIVE]
        assert lot.taken == len(held) + len(sitting)
        assert 0 <= lot.taken + lot.released <= lot.capacity + lot.excess
    for seat in w.seats.values():
        offers = [o.id for o in w.offers.values() if o.worker_id == seat.worker_id and o.state in OFFER_ACTIVE]
        places = [p.id for p in w.placements.values() if p.worker_id == seat.worker_id and p.state in PLACEMENT_ACTIVE]
        assert offers == ([seat.offer_id] if seat.offer_id else [])
        assert places == ([seat.placement_id] if seat.placement_id else [])
        assert len(offers) + len(places) <= 1
        assert not (seat.barred and (offers or places))


def test_every_matter_has_its_move() -> None:
    known = {one for one in vars(m).values() if isinstance(one, type) and issubclass(one, m.Matter) and one is not m.Matter}
    assert known and known == set(MOVES)


def test_an_offer_names_the_vendor_and_the_contracts_version() -> None:
    w = world(1, 2)
    assert w.settle([wanted(0), wanted(1)]) == ["", "no-seat"]
    ((fact, _),) = w.facts
    assert isinstance(fact, told.OfferMade)
    assert (fact.vendor_name, fact.terms, fact.wage, fact.answer_by) == ("PT Contoh", 1, 3_182_955, LAST)


def test_answers_are_judged_in_their_order_and_by_the_day_of_receipt() -> None:
    w = world(3, 3)
    w.settle([wanted(0), wanted(1), wanted(2)])
    assert w.settle([answered(0, "yes", LAST), answered(0, "no"), answered(1, "yes", date(2026, 1, 20)), answered(2, "no_scheme")]) == [
        "",
        "offer-closed",
        "answer-late",
        "",
    ]
    assert w.offers[offer_id(2)].reasons == ("no_scheme",)
    assert w.lots[LOT].taken == 2
    assert w.refill == {REGION}


def test_an_offer_expires_only_with_evidence() -> None:
    w = world(1, 1)
    w.settle([wanted(0)])
    term = m.TermPassed(region=REGION, on=LAST, offer_id=offer_id(0), worker_id=worker(0), evidence="")
    assert w.settle([term]) == ["no-evidence"]
    assert w.offers[offer_id(0)].state == "open"


def test_another_region_can_neither_answer_nor_leave_for_somebody() -> None:
    w = world(1, 1)
    w.settle([wanted(0)])
    foreign = m.Answered(region="15.05", on=DAY, offer_id=offer_id(0), worker_id=worker(0), says="yes")
    gone = m.Gone(region="15.05", on=DAY, worker_id=worker(0), reason="left")
    assert w.settle([foreign, gone]) == ["offer-foreign", "region-differs"]
    assert w.offers[offer_id(0)].state == "open"


def test_a_reduction_takes_free_seats_at_once_and_the_others_as_they_come_free() -> None:
    w = world(4, 3)
    w.settle([wanted(0), wanted(1), wanted(2)])
    request = derived_id("request")
    asked = m.ReductionAsked(region=REGION, on=DAY, contract_id=CONTRACT, lot_id=LOT, request_id=request, seats=2)
    assert w.settle([asked, answered(0, "no"), answered(1, "no")]) == ["", "", ""]
    released = [f.seats for f, _ in w.facts if isinstance(f, told.LotSeatsReleased)]
    assert released == [1, 1]
    lot = w.lots[LOT]
    assert (lot.taken, lot.released, lot.owed, lot.free) == (1, 2, (), 1)
    assert w.settle([signed(2, terms=2)]) == [""]
    lot = w.lots[LOT]
    assert (lot.capacity, lot.released, lot.free) == (2, 0, 1)


def test_seats_held_above_a_capacity_cut_without_asking_are_honoured_and_never_refilled() -> None:
    w = world(3, 3)
    w.settle([wanted(0), wanted(1), wanted(2), signed(1, terms=2)])
    assert (w.lots[LOT].excess, w.lots[LOT].free) == (2, 0)
    w.settle([answered(0, "no"), answered(1, "no")])
    assert (w.lots[LOT].taken, w.lots[LOT].excess, w.lots[LOT].free) == (1, 0, 0)


MATTERS = st.one_of(
    st.builds(wanted, st.integers(0, 5)),
    st.builds(
        answered, st.integers(0, 5), st.sampled_from(["yes", "no", "no_scheme", "?"]), st.sampled_from([DAY, LAST, date(2026, 2, 1)])
    ),
    st.builds(agreed, st.integers(0, 5)),
    st.builds(
        lambda n: m.TermPassed(region=REGION, on=LAST, offer_id=offer_id(n), worker_id=worker(n), evidence="visit"), st.integers(0, 5)
    ),
    st.builds(lambda n: m.Gone(region=REGION, on=DAY, worker_id=worker(n), reason="exited"), st.integers(0, 5)),
    st.builds(lambda n, yes: m.ConsentTold(region=REGION, on=DAY, worker_id=worker(n), given=yes), st.integers(0, 5), st.booleans()),
    st.builds(lambda barred: m.VendorBarred(region=REGION, on=DAY, vendor_id=VENDOR, barred=barred), st.booleans()),
    st.builds(signed, st.integers(0, 5), st.integers(1, 5)),
    st.builds(
        lambda seats, n: m.ReductionAsked(
            region=REGION, on=DAY, contract_id=CONTRACT, lot_id=LOT, request_id=derived_id("request", n), seats=seats
        ),
        st.integers(1, 3),
        st.integers(0, 3),
    ),
    st.just(m.ContractOver(region=REGION, on=DAY, contract_id=CONTRACT, vendor_id=VENDOR)),
    st.builds(lambda n: m.Began(region=REGION, on=DAY, placement_id=derived_id("placement", offer_id(n))), st.integers(0, 5)),
    st.builds(
        lambda n: m.Disputed(region=REGION, on=DAY, placement_id=derived_id("placement", offer_id(n)), reason="x"), st.integers(0, 5)
    ),
    st.builds(
        lambda n, outcome: m.DisputeClosed(region=REGION, on=DAY, placement_id=derived_id("placement", offer_id(n)), outcome=outcome),
        st.integers(0, 5),
        st.sampled_from(["continues", "ended"]),
    ),
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.lists(MATTERS, max_size=40), st.integers(0, 4))
def test_whatever_happens_in_whatever_order_the_seats_add_up(matters: list[m.Matter], seats: int) -> None:
    # An offer is made once per round, lot and person: a repeat of the same id is not part of the story.
    seen: set[UUID] = set()
    story = []
    for matter in matters:
        if isinstance(matter, m.Wanted):
            if matter.offer_id in seen:
                continue
            seen.add(matter.offer_id)
        story.append(matter)
    w = world(seats, 6)
    for matter in story:
        before = (dict(w.offers), dict(w.placements), dict(w.lots), dict(w.seats), len(w.facts))
        (slug,) = w.settle([matter])
        if slug and slug != "too-early":
            assert before == (w.offers, w.placements, w.lots, w.seats, len(w.facts)), "a refusal changes nothing"
        check(w)


def test_every_step_of_the_table_is_the_only_one_for_its_state_and_event() -> None:
    assert len({(s.thing, s.state, s.event) for s in LIFECYCLE}) == len(LIFECYCLE)
    assert step("offer", "declined", "yes") is None
    assert step("placement", "ended", "began") is None


def test_the_page_is_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "lifecycle.md"
    assert page.read_text() == markdown(), "write it anew: python -m tests.unit.placement.lifecycle"


def test_nobody_starts_in_the_past() -> None:
    w = world(2, 2)
    w.settle([wanted(0), wanted(1), answered(0, "yes", DAY), answered(1, "yes", LAST)])
    assert [w.offers[offer_id(n)].starts_on for n in range(2)] == [DAY, LAST]
    assert [f.starts_on for f, _ in w.facts if isinstance(f, told.OfferAccepted)] == [DAY, LAST]
