"""Why this seat, why not that lot, and the nearest change: applied to the instance and solved again, never guessed."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .acceptance import NO_CUT, NO_SEAT
from .instance import BITS, EdgeSpec, Instance, lottery_bits
from .solution import Solution, solve

MAX_TRIES = 32
SEAT_TRIES = 6
SHORTAGE_ROUNDS = 8


@dataclass(frozen=True)
class Refusal:
    """A wished lot that is not held: the first key field that loses, the own value, and that of the last admitted.

    `field` is a priority field, "lottery" (values: places, higher wins), "seats" (no covered seat) or "gave_way" (a
    mover's own M0 lot, and lots passed over on the way from it).
    """

    lot: str
    field: str
    own: int
    needed: int


@dataclass(frozen=True)
class Explanation:
    """`seat` lot id or None. `reason`: incumbent, carry_over, priority, newcomer, mover, unplaced or no_edges."""

    worker: str
    seat: str | None
    reason: str
    refusals: tuple[Refusal, ...]
    return_right: str | None = None


@dataclass(frozen=True)
class Change:
    """One change of the world: eligible lots gained by the person (`edges`) or more `seats` at `lot`.

    `name` is the caller's word for it (a credential, a radius, a budget line); the engine only applies it.
    """

    name: str
    edges: tuple[EdgeSpec, ...] = ()
    lot: str = ""
    seats: int = 0


@dataclass(frozen=True)
class Advice:
    """A change that was applied and solved again, and the seat it gives; `tries` markets were solved."""

    change: Change
    seat: str
    tries: int


@dataclass(frozen=True)
class Shortage:
    """Why not everybody is placed: people without any lot, people stuck, and the lots they crowd around.

    `demand` per closed lot: unplaced people who wish it. `seats`: extra seats which, solved again, leave `left`
    people unplaced.
    """

    without_lots: tuple[str, ...]
    stuck: tuple[str, ...]
    demand: dict[str, int]
    seats: dict[str, int]
    left: int


def fields_of(instance: Instance, key: int) -> dict[str, int]:
    """The fields packed in a complete key, strongest first."""
    shift = lottery_bits(instance)
    place = key & ((1 << shift) - 1)
    rest = key >> shift
    values: dict[str, int] = {}
    for name in reversed(instance.fields):
        values[name] = rest & ((1 << BITS[name]) - 1)
        rest >>= BITS[name]
    return {**{name: values[name] for name in instance.fields}, "lottery": place}


def explain(solution: Solution, worker: str) -> Explanation:
    """The seat held and why, and the first losing field at every lot wished more; KeyError for an unknown id."""
    instance = solution.instance
    index = _index(instance, worker)
    own = instance.edges_of(index)
    first, final = int(solution.m0_edge[index]), int(solution.m_edge[index])
    refusals = []
    for edge in range(own.start, own.stop if final < 0 else final):
        lot, cut = int(instance.lot[edge]), int(solution.cut[instance.lot[edge]])
        name = instance.lots[lot]
        if cut == NO_SEAT:
            refusals.append(Refusal(name, "seats", 0, 1))
        elif cut == NO_CUT or solution.key[edge] >= cut:
            refusals.append(Refusal(name, "gave_way", 0, 0))
        else:
            mine, theirs = fields_of(instance, int(solution.key[edge])), fields_of(instance, cut)
            field = next(f for f in mine if mine[f] != theirs[f])
            refusals.append(Refusal(name, field, mine[field], theirs[field]))
    seat = instance.lots[instance.lot[final]] if final >= 0 else None
    came_from = instance.lots[instance.lot[first]] if first >= 0 and final != first else None
    return Explanation(worker, seat, _reason(instance, own, first, final), tuple(refusals), came_from)


def _reason(instance: Instance, own: slice, first: int, final: int) -> str:
    if final < 0:
        return "unplaced" if own.stop > own.start else "no_edges"
    if final != first:
        return "newcomer" if first < 0 else "mover"
    if instance.incumbent[final]:
        return "incumbent"
    return "carry_over" if instance.carry_over[final] else "priority"


def apply(instance: Instance, worker: str, change: Change) -> Instance:
    """The instance after the change; edges gained are wished behind the present ones."""
    if change.edges:
        instance = instance.with_edges(_index(instance, worker), change.edges)
    if change.seats:
        lot = instance.lots.index(change.lot)
        instance = instance.with_seats(lot, int(instance.q[lot]) + change.seats)
    return instance


def nearest_change(solution: Solution, worker: str, candidates: Sequence[Change] = ()) -> Advice | None:
    """The first change that places an unplaced worker, each one solved again with the same lottery numbers.

    The caller's candidates (credentials, wider radius, a budget line) come first, in the caller's order; then one
    more seat at a lot of the own list, where fewest unplaced rivals stand ahead first; then more seats there. None
    when the worker is placed already, has no lot at all and no candidate, or `MAX_TRIES` markets did not help.
    """
    if worker in solution.assignment:
        return None
    for tries, change in enumerate(_changes(solution, worker, candidates), start=1):
        again = solve(apply(solution.instance, worker, change), solution.seed)
        seat = again.assignment.get(worker)
        if seat is not None:
            return Advice(change, seat, tries)
        if tries == MAX_TRIES:
            return None
    return None


def _changes(solution: Solution, worker: str, candidates: Sequence[Change]) -> Iterator[Change]:
    yield from candidates
    instance = solution.instance
    own = instance.edges_of(_index(instance, worker))
    if own.start == own.stop:
        return
    unplaced = (solution.m_edge < 0)[instance.owner]
    wished = np.flatnonzero(unplaced & np.isin(instance.lot, instance.lot[own]))
    ahead = []
    for edge in range(own.start, own.stop):
        rivals = wished[instance.lot[wished] == instance.lot[edge]]
        ahead.append((int((solution.key[rivals] > solution.key[edge]).sum()), edge))
    ahead.sort()
    lots = [(instance.lots[instance.lot[edge]], rivals) for rivals, edge in ahead[:SEAT_TRIES]]
    for lot, _ in lots:
        yield Change("one more seat", lot=lot, seats=1)
    lot, more = lots[0][0], 2
    while more < 2 * len(instance.workers):
        yield Change("more seats", lot=lot, seats=more)
        more *= 2


def shortage(solution: Solution) -> Shortage:
    """Who is left and why, and seats that would place all who have a lot, proven by solving again."""
    instance = solution.instance
    unplaced = np.flatnonzero(solution.m_edge < 0)
    sizes = np.diff(instance.ip)[unplaced]
    stuck = unplaced[sizes > 0]
    demand = np.bincount(instance.lot[(solution.m_edge < 0)[instance.owner]], minlength=len(instance.lots))
    extra = np.zeros(len(instance.lots), dtype=np.int32)
    left = stuck
    for _ in range(SHORTAGE_ROUNDS):
        # a right-holder may move up to a new seat and block another: solve again, and add for those still stuck
        if not len(left):
            break
        extra += np.bincount(instance.lot[instance.ip[left]], minlength=len(extra)).astype(np.int32)
        again = solve(replace(instance, q=instance.q + extra), solution.seed)
        left = np.flatnonzero((again.m_edge < 0) & (np.diff(instance.ip) > 0))
    return Shortage(
        tuple(instance.workers[w] for w in unplaced[sizes == 0].tolist()),
        tuple(instance.workers[w] for w in stuck.tolist()),
        {instance.lots[p]: int(demand[p]) for p in np.flatnonzero(demand).tolist()},
        {instance.lots[p]: int(extra[p]) for p in np.flatnonzero(extra).tolist()},
        len(left),
    )


def _index(instance: Instance, worker: str) -> int:
    at = bisect_left(instance.workers, worker)
    if at == len(instance.workers) or instance.workers[at] != worker:
        raise KeyError(worker)
    return at
