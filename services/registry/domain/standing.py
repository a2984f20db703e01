"""Where a person stands on a day: dated standings, the column each of them adds up to, and the balance of a region."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.events import Fact
from shared.events.registry import WorkerExited, WorkerLaidOff, WorkerLeft, WorkerProposed, WorkerRecalled
from shared.ids import derived_id

Topic = Literal["service", "end", "proposal", "exit", "leaving", "trace", "gone"]
Name = Literal["gone", "asn", "paruh_waktu", "left", "proposed", "serving", "pool"]

ROUTES = ("asn", "paruh_waktu")
PROPOSAL_ROUTES = ("paruh_waktu",)
REASONS = ("resigned", "stopped", "retired", "died", "other_work")


@dataclass(frozen=True, slots=True)
class Standing:
    """One dated thing that was decreed or became known about a worker. `value` by topic: service laid_off|recalled; end
    ended|open; proposal <route>|withdrawn; exit <route>; leaving <reason>; trace untraced|found; gone merged|erased."""

    id: UUID
    region: str
    worker_id: UUID
    topic: Topic
    value: str
    effective_on: date
    decree_number: str = ""
    decree_date: date | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """The one column of the balance a person is counted in. `pool` people are sorted further by placement."""

    name: Name
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Present:
    """The newest value of each topic for one worker as of a day; empty when there is none. `ended`: the service ran out and no
    recall came after it."""

    exit: str = ""
    leaving: str = ""
    proposal: str = ""
    service: str = ""
    trace: str = ""
    gone: str = ""
    ended: bool = False


def column(p: Present) -> Column:
    """The column, by the precedence of the balance: gone, exited, left, proposed, serving, else the pool."""
    if p.gone:
        return Column("gone", p.gone)
    if p.exit:
        return Column("asn") if p.exit == "asn" else Column("paruh_waktu")
    if p.leaving:
        return Column("left", p.leaving)
    if p.proposal and p.proposal != "withdrawn":
        return Column("proposed", p.proposal)
    if p.service == "laid_off":
        return Column("pool", "laid_off")
    if p.ended:
        return Column("pool", "service_ended")
    if p.trace == "untraced":
        return Column("pool", "untraced")
    return Column("serving")


@dataclass(frozen=True, slots=True)
class Balance:
    """The people of a region at the end of `on`, as known at `as_of`. `pool` holds `proposed` and `untraced`."""

    region: str
    on: date
    as_of: datetime
    opening: int
    opening_typed: bool
    people: int
    asn: int = 0
    paruh_waktu: int = 0
    left: Mapping[str, int] = field(default_factory=dict)
    serving: int = 0
    pool: int = 0
    proposed: int = 0
    untraced: int = 0
    erased: int = 0
    merged: int = 0

    @property
    def difference(self) -> int:
        """The typed opening without what stands in a column: anything but zero means that a person was lost or counted twice."""
        return self.opening - self.erased - (self.asn + self.paruh_waktu + sum(self.left.values()) + self.serving + self.pool)


def balance(region: str, on: date, as_of: datetime, typed: int | None, groups: Iterable[tuple[Present, int]]) -> Balance:
    """The balance out of counted groups of people who stand alike."""
    counts: dict[str, int] = {}
    left: dict[str, int] = {}
    untraced = 0
    for present, number in groups:
        where = column(present)
        key = where.reason if where.name == "gone" else where.name
        counts[key] = counts.get(key, 0) + number
        if where.name == "left":
            left[where.reason] = left.get(where.reason, 0) + number
        if present.trace == "untraced" and where.name == "pool":
            untraced += number
    people = sum(counts.values()) - counts.get("merged", 0)
    return Balance(
        region=region,
        on=on,
        as_of=as_of,
        opening=people if typed is None else typed,
        opening_typed=typed is not None,
        people=people,
        asn=counts.get("asn", 0),
        paruh_waktu=counts.get("paruh_waktu", 0),
        left=dict(sorted(left.items())),
        serving=counts.get("serving", 0),
        pool=counts.get("pool", 0) + counts.get("proposed", 0),
        proposed=counts.get("proposed", 0),
        untraced=untraced,
        erased=counts.get("erased", 0),
        merged=counts.get("merged", 0),
    )


def standing(region: str, worker_id: UUID, topic: Topic, value: str, on: date, number: str = "", dated: date | None = None) -> Standing:
    """A standing whose id is its content: recording the same thing twice is recording it once."""
    return Standing(derived_id("standing", worker_id, topic, value, on, number), region, worker_id, topic, value, on, number, dated)


def fact_of(s: Standing) -> Fact | None:
    """The fact that tells the neighbours; None for what is told otherwise (end: the profile; trace: the eligibility)."""
    if s.topic == "service":
        cls = WorkerLaidOff if s.value == "laid_off" else WorkerRecalled
        return cls(
            region=s.region,
            effective_on=s.effective_on,
            worker_id=s.worker_id,
            decree_number=s.decree_number,
            decree_date=s.decree_date or s.effective_on,
        )
    if s.topic == "proposal":
        withdrawn = s.value == "withdrawn"
        return WorkerProposed(
            region=s.region,
            effective_on=s.effective_on,
            worker_id=s.worker_id,
            route=PROPOSAL_ROUTES[0] if withdrawn else s.value,
            withdrawn=withdrawn,
        )
    if s.topic == "exit":
        return WorkerExited(region=s.region, effective_on=s.effective_on, worker_id=s.worker_id, route=s.value)
    if s.topic == "leaving":
        return WorkerLeft(region=s.region, effective_on=s.effective_on, worker_id=s.worker_id, reason=s.value)
    return None
