"""Money: budget lines, what is committed on them, and a ledger of double entries. Whole rupiah everywhere.

Every movement is two entries of one line that sum to zero, so the ledger of a line sums to zero at any time:
`ceiling` is minus the approved ceiling, `committed` what contracts hold, `available` what is left.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from uuid import UUID

from shared.events import Fact
from shared.events.vendor import BudgetLineApproved, BudgetLineRevised, Lot

from .rules import refusal

CEILING, AVAILABLE, COMMITTED = "ceiling", "available", "committed"


@dataclass(frozen=True, slots=True)
class Quarter:
    """What a line released (SPD) for a quarter and what contracts hold in it."""

    quarter: int
    committed: int = 0
    released: int = 0
    spd_number: str = ""
    released_on: date | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A budget line (kode rekening of the DPA) of one year. `agency` is empty when several agencies share it."""

    id: UUID
    region: str
    agency: str
    account: str
    year: int
    ceiling: int
    state: str = "draft"
    committed: int = 0
    dpa_number: str = ""
    approved_on: date | None = None
    quarters: tuple[Quarter, ...] = field(default_factory=lambda: tuple(Quarter(n) for n in (1, 2, 3, 4)))

    @property
    def left(self) -> int:
        """What new contracts may still commit; nothing before the approval."""
        return self.ceiling - self.committed if self.state == "approved" else 0

    @property
    def released(self) -> int:
        """Sum of the year's fund releases."""
        return sum(quarter.released for quarter in self.quarters)

    def approved(self, on: date) -> bool:
        """Whether the line may be committed on the day."""
        return self.state == "approved" and self.approved_on is not None and self.approved_on <= on


@dataclass(frozen=True, slots=True)
class Movement:
    """Money moved between two accounts of one line; the ledger keeps it as two entries that sum to zero."""

    line_id: UUID
    source: str
    target: str
    amount: int
    reason: str
    contract_id: UUID | None = None


def approve(line: Line, *, dpa_number: str, approved_on: date) -> tuple[Line, tuple[Movement, ...], tuple[Fact, ...]]:
    """The council's approval as a dated state; from here on the ceiling is available."""
    if line.state == "approved":
        raise refusal("already-approved", "the line is approved already")
    now = replace(line, state="approved", dpa_number=dpa_number, approved_on=approved_on)
    fact = BudgetLineApproved(
        region=line.region, effective_on=approved_on, budget_line_id=line.id, account=line.account, year=line.year, ceiling=line.ceiling
    )
    return now, (Movement(line.id, CEILING, AVAILABLE, line.ceiling, "approved"),), (fact,)


def revise(line: Line, ceiling: int, on: date) -> tuple[Line, tuple[Movement, ...], tuple[Fact, ...]]:
    """Another ceiling, never below what is committed or released."""
    if line.state != "approved":
        raise refusal("line-not-approved", "a draft is not revised")
    if ceiling < line.committed:
        raise refusal("revision-below-commitments", "contracts already hold more than the new ceiling", field="ceiling")
    if ceiling < line.released:
        raise refusal("revision-below-releases", "more than the new ceiling was already released", field="ceiling")
    fact = BudgetLineRevised(region=line.region, effective_on=on, budget_line_id=line.id, ceiling=ceiling)
    return replace(line, ceiling=ceiling), (Movement(line.id, CEILING, AVAILABLE, ceiling - line.ceiling, "revised"),), (fact,)


def release(line: Line, *, quarter: int, amount: int, spd_number: str, released_on: date) -> Line:
    """A quarter's fund release (SPD)."""
    if line.state != "approved":
        raise refusal("line-not-approved", "funds of a draft are not released")
    held = {each.quarter: each for each in line.quarters}
    if held[quarter].spd_number:
        raise refusal("quarter-released", "the quarter has its release", field="quarter")
    if line.released + amount > line.ceiling:
        raise refusal("over-ceiling", "the releases of the year would pass the ceiling", field="amount")
    held[quarter] = replace(held[quarter], released=amount, spd_number=spd_number, released_on=released_on)
    return replace(line, quarters=tuple(held[n] for n in sorted(held)))


def quarter_of(month: date) -> int:
    """1 to 4."""
    return (month.month + 2) // 3


def months(starts_on: date, ends_on: date) -> tuple[date, ...]:
    """The first days of all calendar months that the period touches: a started month is a paid month."""
    first, last = starts_on.year * 12 + starts_on.month - 1, ends_on.year * 12 + ends_on.month - 1
    return tuple(date(n // 12, n % 12 + 1, 1) for n in range(first, last + 1))


def months_after(day: date, ends_on: date) -> tuple[date, ...]:
    """The months after the day's own month, up to the end."""
    return tuple(month for month in months(day, ends_on) if month > day) if day <= ends_on else ()


def monthly(lots: Iterable[Lot]) -> int:
    """What the covered seats cost in a month."""
    return sum(lot.covered_seats * lot.price_per_seat_month for lot in lots)


@dataclass(frozen=True, slots=True)
class Share:
    """What a contract holds on the line of one year, by quarter. Negative amounts give money back."""

    year: int
    quarters: tuple[tuple[int, int], ...]

    @property
    def amount(self) -> int:
        """Over the whole year."""
        return sum(amount for _, amount in self.quarters)


def shares(per_month: int, period: Iterable[date]) -> tuple[Share, ...]:
    """`per_month` for each month of the period, by year and quarter."""
    counts: dict[int, dict[int, int]] = {}
    for month in period:
        quarters = counts.setdefault(month.year, {})
        quarters[quarter_of(month)] = quarters.get(quarter_of(month), 0) + 1
    return tuple(
        Share(year, tuple((quarter, n * per_month) for quarter, n in sorted(quarters.items()))) for year, quarters in sorted(counts.items())
    )


def cover(lots: Sequence[Lot], period: Sequence[date], left: Mapping[int, int]) -> tuple[Lot, ...]:
    """The lots with as many covered seats, lot by lot in their order, as every year's line still carries."""
    remaining, counts = dict(left), {year: sum(1 for month in period if month.year == year) for year in {month.year for month in period}}
    found: list[Lot] = []
    for lot in lots:
        carried = min((max(0, remaining[year]) // (lot.price_per_seat_month * n) for year, n in counts.items()), default=0)
        seats = min(lot.seats, carried)
        for year, n in counts.items():
            remaining[year] -= seats * lot.price_per_seat_month * n
        found.append(covered(lot, seats))
    return tuple(found)


def covered(lot: Lot, seats: int) -> Lot:
    """The lot with this many covered seats."""
    return Lot(
        lot_id=lot.lot_id,
        agency=lot.agency,
        job=lot.job,
        site=lot.site,
        kecamatan=lot.kecamatan,
        seats=lot.seats,
        covered_seats=seats,
        wage=lot.wage,
        price_per_seat_month=lot.price_per_seat_month,
    )


def reserve(line: Line, share: Share, contract_id: UUID) -> tuple[Line, Movement]:
    """Commit a contract's share on its line, all or nothing (`over-the-line`)."""
    if share.amount > line.left:
        raise refusal("over-the-line", "the contract costs more than the line has left")
    return _apply(line, share), Movement(line.id, AVAILABLE, COMMITTED, share.amount, "reserved", contract_id)


def give_back(line: Line, share: Share, contract_id: UUID, reason: str) -> tuple[Line, Movement]:
    """Release a share that a contract no longer holds (amounts of `share` are positive)."""
    back = Share(share.year, tuple((quarter, -amount) for quarter, amount in share.quarters))
    return _apply(line, back), Movement(line.id, COMMITTED, AVAILABLE, share.amount, reason, contract_id)


def _apply(line: Line, share: Share) -> Line:
    change = dict(share.quarters)
    quarters = tuple(replace(each, committed=each.committed + change.get(each.quarter, 0)) for each in line.quarters)
    return replace(line, committed=line.committed + share.amount, quarters=quarters)


def check_release(line: Line, starts_on: date, on: date) -> None:
    """Refuse (`spd-missing`) unless the quarter of the start has its release and the releases up to it carry the commitments
    up to it. `line` already holds the new share."""
    upto = quarter_of(starts_on)
    quarter = line.quarters[upto - 1]
    if not quarter.spd_number or quarter.released_on is None or quarter.released_on > on:
        raise refusal("spd-missing", "the quarter in which work starts has no fund release")
    if sum(q.released for q in line.quarters[:upto]) < sum(q.committed for q in line.quarters[:upto]):
        raise refusal("spd-missing", "the fund releases up to the quarter in which work starts do not carry the commitments")
