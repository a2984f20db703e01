"""The sequence check: whatever the order, the repetitions and the crashes, every version has one effect, in order."""

from dataclasses import dataclass, field
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.sequence import PARKED, Arrival, Position, Step, Waiting, decide

ROOT = UUID("00000000-0000-5000-8000-000000000000")


def event(version: int, fork: str = "") -> UUID:
    """The id of a version's event."""
    return uuid5(ROOT, f"{version}{fork}")


def arrival(version: int, fork: str = "", *, readable: bool = True) -> Arrival:
    """Its record."""
    return Arrival(version, event(version, fork), readable)


@dataclass
class Hearer:
    """What the inbox does with the steps, on lists instead of tables. `bad` versions cannot be applied."""

    compacted: bool = False
    bad: frozenset[int] = frozenset()
    seen: Position = field(default_factory=Position)
    rows: list[Waiting] = field(default_factory=list)
    effects: list[int] = field(default_factory=list)

    def take(self, *arrivals: Arrival, crash: bool = False) -> list[Step]:
        """A batch; with a crash its transaction is not committed."""
        steps = decide(self.seen, self.rows, arrivals, compacted=self.compacted)
        heard = [s.index for s in steps if s.source == "arrival"]
        assert sorted(heard) == list(range(len(arrivals))), "every record gets exactly one verdict"
        if crash:
            return steps
        rows = dict(enumerate(self.rows))
        more: list[Waiting] = []
        failed = False
        for step in steps:
            given_: Arrival | Waiting = arrivals[step.index] if step.source == "arrival" else self.rows[step.index]
            if step.verdict == "apply":
                stops = failed or given_.version in self.bad
                if not stops:
                    self.seen = Position(given_.version, given_.event_id)
                    self.effects.append(given_.version)
                    if step.source == "waiting":
                        del rows[step.index]
                elif step.source == "arrival":
                    more.append(Waiting(given_.version, given_.event_id, "behind" if failed else "failed"))
                else:
                    rows[step.index] = Waiting(given_.version, given_.event_id, "behind" if failed else "failed")
                failed = failed or (stops and not self.compacted)
            elif step.verdict in PARKED:
                more.append(Waiting(given_.version, given_.event_id, step.verdict))
            elif step.verdict == "superseded":
                del rows[step.index]
        self.rows = [*rows.values(), *more]
        return steps

    def release(self) -> None:
        """An operator asks for everything to be tried again."""
        self.rows = [Waiting(r.version, r.event_id, r.kind, True) for r in self.rows]


@st.composite
def deliveries(draw: st.DrawFn, most: int = 8) -> tuple[int, list[tuple[list[int], bool]]]:
    """A story of n versions, delivered in batches in any order, each at least once; some batches crash and come again."""
    n = draw(st.integers(1, most))
    deck = draw(st.permutations([*range(1, n + 1), *draw(st.lists(st.integers(1, n), max_size=12))]))
    batches: list[tuple[list[int], bool]] = []
    while deck:
        size = draw(st.integers(1, len(deck)))
        batch, deck = deck[:size], deck[size:]
        if draw(st.booleans()):
            batches.append((batch, True))
        batches.append((batch, False))
    return n, batches


@settings(derandomize=True, deadline=None, max_examples=200)
@given(deliveries())
def test_any_interleaving_of_duplicates_reorderings_and_crashes_ends_in_the_same_state(
    given_: tuple[int, list[tuple[list[int], bool]]],
) -> None:
    n, batches = given_
    hearer = Hearer()
    for batch, crash in batches:
        hearer.take(*map(arrival, batch), crash=crash)
    assert hearer.effects == list(range(1, n + 1))
    assert hearer.rows == []
    assert hearer.seen == Position(n, event(n))


@settings(derandomize=True, deadline=None, max_examples=150)
@given(deliveries(), st.sets(st.integers(1, 8), min_size=1))
def test_a_version_that_fails_holds_back_what_follows_and_a_release_applies_all_of_it(
    given_: tuple[int, list[tuple[list[int], bool]]], bad: set[int]
) -> None:
    n, batches = given_
    hearer = Hearer(bad=frozenset(bad))
    for batch, crash in batches:
        hearer.take(*map(arrival, batch), crash=crash)
    reached = min([n + 1, *bad]) - 1
    assert hearer.effects == list(range(1, reached + 1))
    assert sorted({row.version for row in hearer.rows}) == list(range(reached + 1, n + 1))
    hearer.bad = frozenset()
    hearer.release()
    hearer.take()
    assert hearer.effects == list(range(1, n + 1))
    assert hearer.rows == []


@settings(derandomize=True, deadline=None, max_examples=150)
@given(deliveries(), st.lists(st.tuples(st.integers(1, 8), st.sampled_from("xy")), min_size=1, max_size=4), st.randoms())
def test_a_fork_never_has_an_effect_beside_the_first_one(
    given_: tuple[int, list[tuple[list[int], bool]]], forks: list[tuple[int, str]], chance: object
) -> None:
    n, batches = given_
    hearer = Hearer()
    for batch, _ in batches:
        hearer.take(*map(arrival, batch))
    for version, mark in forks:
        hearer.take(arrival(version, mark))
    assert hearer.effects[:n] == list(range(1, n + 1))
    assert len(set(hearer.effects)) == len(hearer.effects)
    # The last version applied is known by its id: another one with its number is always told apart.
    steps = hearer.take(arrival(hearer.seen.version, "z"))
    assert [step.verdict for step in steps] == ["fork"]


@settings(derandomize=True, deadline=None, max_examples=150)
@given(deliveries())
def test_in_a_compacted_topic_the_newest_wins_and_holes_are_normal(
    given_: tuple[int, list[tuple[list[int], bool]]],
) -> None:
    n, batches = given_
    hearer = Hearer(compacted=True)
    for batch, crash in batches:
        hearer.take(*(arrival(version * 3) for version in batch), crash=crash)
    assert hearer.seen.version == n * 3
    assert hearer.effects == sorted(set(hearer.effects))
    assert hearer.rows == []


@settings(derandomize=True, deadline=None, max_examples=150)
@given(deliveries(), st.sets(st.integers(1, 8)))
def test_the_good_copy_takes_the_place_of_what_could_not_be_read(
    given_: tuple[int, list[tuple[list[int], bool]]], spoiled: set[int]
) -> None:
    n, batches = given_
    hearer = Hearer()
    for batch, crash in batches:
        hearer.take(*(arrival(v, readable=v not in spoiled) for v in batch), crash=crash)
    assert hearer.effects == list(range(1, min([n + 1, *spoiled])))
    hearer.take(*(arrival(v) for v in range(1, n + 1)))
    assert hearer.effects == list(range(1, n + 1))
    assert hearer.rows == []


def verdicts(hearer: Hearer, *arrivals: Arrival) -> list[str]:
    """In the order of the records."""
    steps = [s for s in hearer.take(*arrivals) if s.source == "arrival"]
    return [s.verdict for s in sorted(steps, key=lambda s: s.index)]


def test_what_comes_behind_a_failure_is_told_from_a_gap() -> None:
    hearer = Hearer(bad=frozenset({2}))
    hearer.take(arrival(1), arrival(2))
    assert verdicts(hearer, arrival(3)) == ["behind"]
    assert verdicts(Hearer(), arrival(3)) == ["gap"]


def test_the_same_parked_record_is_not_parked_twice() -> None:
    hearer = Hearer()
    hearer.take(arrival(3))
    assert verdicts(hearer, arrival(3), arrival(3)) == ["duplicate", "duplicate"]
    hearer.take(arrival(1), arrival(2))
    hearer.take(arrival(3, "x"))
    assert verdicts(hearer, arrival(3, "x")) == ["duplicate"]
    assert len(hearer.rows) == 1


def test_behind_a_fork_nothing_is_applied() -> None:
    hearer = Hearer()
    hearer.take(arrival(1))
    assert verdicts(hearer, arrival(1, "x"), arrival(2)) == ["fork", "behind"]
    hearer.rows = [row for row in hearer.rows if row.kind != "fork"]
    hearer.take()
    assert hearer.effects == [1, 2]
