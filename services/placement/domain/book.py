"""The people of the pool, sorted into the columns that placement owns. Independent of the registry's book."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

DECLINED: Final = frozenset({"declined_all"})
INELIGIBLE: Final = frozenset({"age"})


@dataclass(frozen=True, slots=True)
class Present:
    """What stood about one worker at the end of a day. `stopped`: service is over and nobody recalled the person since."""

    gone: bool = False
    stopped: bool = False
    proposed: bool = False
    refused: bool = False
    verdict: str = ""
    why: str = ""
    course: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the balance, with the reason inside it."""

    name: str
    reason: str = ""


def column(p: Present) -> Column | None:
    """Where the worker is counted; None when the registry counts the worker (exited, left, still serving) or nobody does."""
    untraced = p.verdict == "unknown" and p.why == "untraced"
    if p.gone or not (p.stopped or p.proposed or untraced):
        return None
    if p.course == "placed":
        return Column("placed")
    if p.refused or p.course in DECLINED:
        return Column("declined")
    if p.verdict == "ineligible":
        return Column("ineligible", p.why or "unknown")
    if p.course in INELIGIBLE:
        return Column("ineligible", p.course)
    if p.proposed:
        return Column("waiting", "proposed")
    if p.verdict == "unknown":
        return Column("waiting", p.why or "in_verification")
    return Column("waiting", p.course or "not_asked")


@dataclass(frozen=True, slots=True)
class Pool:
    """Counts of one region on one day."""

    placed: int = 0
    declined: int = 0
    ineligible: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Everybody in the pool."""
        return self.placed + self.declined + sum(self.ineligible.values()) + sum(self.waiting.values())


def pool(groups: Iterable[tuple[Present, int]]) -> Pool:
    """The counts out of groups of people who stand alike."""
    single = {"placed": 0, "declined": 0}
    reasons: dict[str, dict[str, int]] = {"ineligible": {}, "waiting": {}}
    for present, count in groups:
        found = column(present)
        if found is None:
            continue
        if found.name in single:
            single[found.name] += count
        else:
            reasons[found.name][found.reason] = reasons[found.name].get(found.reason, 0) + count
    return Pool(single["placed"], single["declined"], dict(sorted(reasons["ineligible"].items())), dict(sorted(reasons["waiting"].items())))
