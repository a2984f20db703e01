"""Money: what is left, what is covered, and a ledger that always sums to zero."""

from collections import Counter
from dataclasses import replace
from datetime import date
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vendor.domain import Line, Movement, budget
from services.vendor.domain.budget import Share
from shared.errors import Refused
from shared.events.vendor import BudgetLineApproved, BudgetLineRevised
from tests.unit.vendor import made

calm = settings(derandomize=True, deadline=None, max_examples=60)
days = st.dates(date(2025, 1, 1), date(2027, 12, 31))
amounts = st.integers(0, 10_000)


def accounts(movements: list[Movement]) -> Counter[str]:
    found: Counter[str] = Counter()
    for movement in movements:
        found[movement.source] -= movement.amount
        found[movement.target] += movement.amount
    return found


@calm
@given(a=days, b=days, per_month=amounts)
def test_a_share_holds_every_touched_month_once(a: date, b: date, per_month: int) -> None:
    starts, ends = min(a, b), max(a, b)
    period = budget.months(starts, ends)
    shares = budget.shares(per_month, period)
    assert sum(share.amount for share in shares) == per_month * len(period)
    assert len(period) == (ends.year - starts.year) * 12 + ends.month - starts.month + 1
    assert [share.year for share in shares] == sorted({month.year for month in period})
    later = budget.months_after(starts, ends)
    assert set(later) == set(period) - {date(starts.year, starts.month, 1)}


def test_a_year_from_the_second_of_january_is_twelve_months() -> None:
    assert len(budget.months(made.START, made.END)) == 12
    (share,) = budget.shares(10, budget.months(made.START, made.END))
    assert (share.year, share.quarters) == (2026, ((1, 30), (2, 30), (3, 30), (4, 30)))


@calm
@given(
    seats=st.lists(st.tuples(st.integers(1, 30), st.integers(1, 50)), min_size=1, max_size=5),
    left=st.dictionaries(st.sampled_from((2026, 2027)), st.integers(-5, 5_000), min_size=2),
    months=st.integers(1, 24),
)
def test_cover_never_passes_what_any_year_has_left_and_leaves_no_seat_it_could_carry(
    seats: list[tuple[int, int]], left: dict[int, int], months: int
) -> None:
    period = budget.months(date(2026, 1, 1), date(2026 + (months - 1) // 12, (months - 1) % 12 + 1, 28))
    lots = [made.lot(n, price_per_seat_month=price) for n, price in seats]
    covered = budget.cover(lots, period, left)
    spent = {share.year: share.amount for share in budget.shares(budget.monthly(covered), period)}
    assert all(amount <= max(0, left[year]) for year, amount in spent.items())
    for lot in covered:
        assert 0 <= lot.covered_seats <= lot.seats
        more = {share.year: share.amount for share in budget.shares(lot.price_per_seat_month, period)}
        assert lot.covered_seats == lot.seats or any(spent[year] + amount > max(0, left[year]) for year, amount in more.items())


steps = st.lists(st.tuples(st.sampled_from(("reserve", "give_back", "revise")), st.integers(0, 4), st.integers(1, 4), amounts), max_size=30)


@calm
@given(ceiling=amounts, steps=steps)
def test_after_any_story_the_ledger_sums_to_zero_and_says_what_the_line_says(ceiling: int, steps: list[tuple[str, int, int, int]]) -> None:
    line, first, facts = budget.approve(Line(uuid4(), "13.74", "", "5.1", 2026, ceiling), dpa_number="DPA", approved_on=made.TODAY)
    assert isinstance(facts[0], BudgetLineApproved)
    movements, held = list(first), dict.fromkeys(range(5), Share(2026, ()))
    refused: set[str] = set()
    for what, who, quarter, amount in steps:
        contract, share = uuid4(), Share(2026, ((quarter, amount),))
        try:
            if what == "reserve" and not held[who].quarters:
                line, moved = budget.reserve(line, share, contract)
                held[who] = share
                movements.append(moved)
            elif what == "give_back" and held[who].quarters:
                line, moved = budget.give_back(line, held[who], contract, "ended")
                held[who] = Share(2026, ())
                movements.append(moved)
            elif what == "revise":
                line, more, told = budget.revise(line, amount, made.TODAY)
                assert isinstance(told[0], BudgetLineRevised)
                movements += more
        except Refused as no:
            refused.add(no.slug)
        kept = accounts(movements)
        assert sum(kept.values()) == 0
        assert (kept["committed"], kept["available"], -kept["ceiling"]) == (line.committed, line.left, line.ceiling)
        assert 0 <= line.committed <= line.ceiling
        assert sum(each.committed for each in line.quarters) == line.committed
    assert refused <= {"over-the-line", "revision-below-commitments"}


def test_nothing_is_committed_on_a_draft() -> None:
    draft = made.line(state="draft", approved_on=None)
    with pytest.raises(Refused, match="over-the-line"):
        budget.reserve(draft, Share(2026, ((1, 1),)), uuid4())
    with pytest.raises(Refused, match="line-not-approved"):
        budget.revise(draft, 5, made.TODAY)
    with pytest.raises(Refused, match="line-not-approved"):
        budget.release(draft, quarter=1, amount=1, spd_number="SPD", released_on=made.TODAY)
    with pytest.raises(Refused, match="already-approved"):
        budget.approve(made.line(), dpa_number="DPA", approved_on=made.TODAY)


def test_releases_are_one_per_quarter_and_stay_below_the_ceiling() -> None:
    line = made.line(100, quarters=Line(uuid4(), "13.74", "", "5.1", 2026, 100).quarters)
    once = budget.release(line, quarter=1, amount=60, spd_number="SPD 1", released_on=made.TODAY)
    with pytest.raises(Refused, match="quarter-released"):
        budget.release(once, quarter=1, amount=1, spd_number="SPD 1", released_on=made.TODAY)
    with pytest.raises(Refused, match="over-ceiling"):
        budget.release(once, quarter=2, amount=41, spd_number="SPD 2", released_on=made.TODAY)
    with pytest.raises(Refused, match="revision-below-releases"):
        budget.revise(once, 59, made.TODAY)


def test_the_fund_release_of_the_quarter_carries_what_is_committed_up_to_it() -> None:
    line = made.line(100)
    budget.check_release(replace(line, quarters=(replace(line.quarters[0], committed=100), *line.quarters[1:])), made.START, made.TODAY)
    for quarter in (
        replace(line.quarters[0], spd_number="", released_on=None),
        replace(line.quarters[0], released_on=date(2026, 1, 3)),
        replace(line.quarters[0], committed=101),
    ):
        with pytest.raises(Refused, match="spd-missing") as no:
            budget.check_release(replace(line, quarters=(quarter, *line.quarters[1:])), made.START, made.TODAY)
        assert no.value.rule and no.value.article
    with pytest.raises(Refused, match="spd-missing"):
        budget.check_release(line, date(2026, 4, 1), made.TODAY)
