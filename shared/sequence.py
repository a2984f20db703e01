"""The sequence check, as a pure decision: what to do with the records of one aggregate.

In an *event topic* version `seen + 1` is applied, an older one is a duplicate (or a fork, when the same version arrived
under another id), a newer one waits: in a gap, or behind a record that cannot be applied. What waits is drained in the
same decision as soon as its turn has come. In a *compacted* topic the newest version wins and holes are normal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Verdict = Literal["apply", "duplicate", "gap", "behind", "fork", "poison", "superseded"]
"""`gap`, `behind`, `fork` and `poison` are parked; `superseded` ends a parked row that its own good copy made needless."""

PARKED: frozenset[Verdict] = frozenset({"gap", "behind", "fork", "poison"})


@dataclass(frozen=True, slots=True)
class Position:
    """The last version applied and its event's id; version 0 when nothing was."""

    version: int = 0
    event_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record from the broker. `readable` is False when its envelope was sound and its body was not."""

    version: int
    event_id: UUID
    readable: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parked row. `release`: a person asked to try it again."""

    version: int
    event_id: UUID
    kind: str
    release: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of one record: `index` into the arrivals or into the waiting rows."""

    source: Literal["arrival", "waiting"]
    index: int
    verdict: Verdict


def decide(seen: Position, waiting: Sequence[Waiting], arrivals: Sequence[Arrival], *, compacted: bool = False) -> list[Step]:
    """Steps in the order they are to be taken: every arrival once, waiting rows only when something becomes of them."""
    if compacted:
        return _newest_wins(seen, waiting, arrivals)
    return _Strict(seen, waiting).decide(arrivals)


def _newest_wins(seen: Position, waiting: Sequence[Waiting], arrivals: Sequence[Arrival]) -> list[Step]:
    steps: list[Step] = []
    newest = seen.version
    for index in sorted(range(len(waiting)), key=lambda i: waiting[i].version):
        row = waiting[index]
        if row.release and row.version > newest:
            steps.append(Step("waiting", index, "apply"))
            newest = row.version
    for index, arrival in enumerate(arrivals):
        if not arrival.readable:
            known = any(row.event_id == arrival.event_id and row.version == arrival.version for row in waiting)
            steps.append(Step("arrival", index, "duplicate" if known else "poison"))
        elif arrival.version > newest:
            steps.append(Step("arrival", index, "apply"))
            newest = arrival.version
        else:
            steps.append(Step("arrival", index, "duplicate"))
    drained = {step.index for step in steps if step.source == "waiting"}
    steps += [Step("waiting", index, "superseded") for index, row in enumerate(waiting) if index not in drained and row.version <= newest]
    return steps


class _Strict:
    """The state of one decision over an event topic."""

    def __init__(self, seen: Position, waiting: Sequence[Waiting]) -> None:
        self.applied: dict[int, UUID | None] = {seen.version: seen.event_id}
        self.version = seen.version
        self.rows = waiting
        self.open: dict[int, int] = {}
        """version -> index of the row that holds its place (a released or waiting one, never a fork)"""
        self.forks: set[UUID] = set()
        for index, row in enumerate(waiting):
            if row.kind == "fork":
                self.forks.add(row.event_id)
            elif row.version > seen.version:
                self.open.setdefault(row.version, index)
        self.held: dict[int, tuple[UUID, bool]] = {}
        """version -> (event id, readable) of arrivals parked by this decision"""
        self.kept: dict[int, int] = {}
        """version -> index of an arrival parked by this decision, to be drained within it"""
        self.steps: list[Step] = []

    def decide(self, arrivals: Sequence[Arrival]) -> list[Step]:
        self.drain()
        for index, arrival in enumerate(arrivals):
            verdict = self.judge(arrival)
            if verdict == "apply":
                self.supersede(arrival.version)
                self.apply("arrival", index, arrival.version, arrival.event_id)
                self.drain()
            else:
                if verdict == "fork":
                    self.forks.add(arrival.event_id)
                elif verdict in PARKED:
                    self.held[arrival.version] = (arrival.event_id, arrival.readable)
                    if arrival.readable:
                        self.kept[arrival.version] = index
                self.steps.append(Step("arrival", index, verdict))
        return self.settled()

    def judge(self, arrival: Arrival) -> Verdict:
        version = arrival.version
        if arrival.event_id in self.forks:
            return "duplicate"
        if version <= self.version:
            same = self.applied.get(version, arrival.event_id)
            if same is None or same == arrival.event_id:
                return "duplicate"
            return "fork" if arrival.readable else "poison"
        known = self.waiting_at(version)
        if known is not None:
            event_id, readable = known
            if not readable and arrival.readable:
                # The good copy of a record that could not be read: it takes the place.
                known = None
            elif event_id == arrival.event_id:
                return "duplicate"
            elif arrival.readable:
                return "fork"
            else:
                return "poison"
        if not arrival.readable:
            return "poison"
        if version == self.version + 1 and not self.forks:
            return "apply"
        return "behind" if self.blocked() else "gap"

    def waiting_at(self, version: int) -> tuple[UUID, bool] | None:
        if version in self.held:
            return self.held[version]
        if version in self.open:
            row = self.rows[self.open[version]]
            return row.event_id, row.kind != "poison"
        return None

    def blocked(self) -> bool:
        """Whether the next version is there and cannot be applied (else it has not arrived, and asking for it helps)."""
        return bool(self.forks) or self.waiting_at(self.version + 1) is not None

    def drain(self) -> None:
        while not self.forks:
            version = self.version + 1
            if version in self.kept:
                index = self.kept.pop(version)
                self.steps = [s for s in self.steps if not (s.source == "arrival" and s.index == index)]
                self.supersede(version)
                self.apply("arrival", index, version, self.held.pop(version)[0])
                continue
            found = self.open.get(version)
            if found is None:
                return
            row = self.rows[found]
            if row.kind not in {"gap", "behind"} and not row.release:
                return
            del self.open[version]
            self.apply("waiting", found, version, row.event_id)

    def supersede(self, version: int) -> None:
        index = self.open.pop(version, None)
        if index is not None:
            self.steps.append(Step("waiting", index, "superseded"))

    def apply(self, source: Literal["arrival", "waiting"], index: int, version: int, event_id: UUID | None) -> None:
        self.steps.append(Step(source, index, "apply"))
        self.version = version
        self.applied[version] = event_id

    def settled(self) -> list[Step]:
        """The steps, and an end for waiting rows whose version has been applied meanwhile (parked twice under races)."""
        if not self.rows:
            return self.steps
        stepped = {step.index for step in self.steps if step.source == "waiting"}
        leftovers = [
            Step("waiting", index, "superseded")
            for index, row in enumerate(self.rows)
            if index not in stepped
            and (row.kind in {"gap", "behind"} or row.release)
            and row.version <= self.version
            and self.applied.get(row.version, row.event_id) == row.event_id
        ]
        return [*self.steps, *leftovers]
