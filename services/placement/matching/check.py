"""The engine's own fast checker: F0-F6 of a solution in numpy, one pass over the edges each.

It shares no decision with the solver: everything is recomputed from the instance, the keys and the two matchings.
`verify.py` is the stand-alone opinion on the published files.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .instance import Bools, Instance, Ints, keys, spans

if TYPE_CHECKING:
    from .solution import Solution

TOP = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Report:
    """What each test counted as broken; `ok` when nothing is."""

    broken: dict[str, int]
    placed: int
    right_holders: int
    movers: int
    newcomers: int
    envious: int

    @property
    def ok(self) -> bool:
        return not any(self.broken.values())


def check(solution: "Solution") -> Report:
    """Run every test on a solution; nothing is raised, the report says what is broken."""
    instance, m0, m = solution.instance, solution.m0_edge, solution.m_edge
    key = keys(instance, solution.seed)
    lot, q, ip = instance.lot, instance.q, instance.ip
    broken = {"keys": int((key != solution.key).sum()), "F0": _infeasible(instance, m0) + _infeasible(instance, m)}
    if broken["F0"]:
        return Report(broken, int((m >= 0).sum()), 0, 0, 0, 0)
    cut = _lowest(instance, key, m0, q > 0)
    full = np.bincount(lot[m0[m0 >= 0]], minlength=len(q)) >= q
    cut = np.where(full, cut, -1)
    wishes = spans(ip[:-1], np.where(m0 < 0, ip[1:], m0))
    broken["F1"] = int((cut != solution.cut).sum()) + int((key[wishes] >= cut[lot[wishes]]).sum())
    broken["F1 optimal"] = len(improving_cycle(instance, key, m0, wishes))
    held = np.zeros(len(m0), dtype=np.bool_)
    placed = np.flatnonzero(m0 >= 0)
    below = spans(m0[placed], ip[placed + 1])
    held[np.repeat(placed, ip[placed + 1] - m0[placed])[instance.right[below]]] = True
    broken["F2"] = int((m0[held] != m[held]).sum())
    broken["F3"] = int(((m0 >= 0) & (m < 0)).sum())
    closed = solution.closed
    inside = m < 0
    inside[m >= 0] = ~held[m >= 0] & closed[lot[m[m >= 0]]]
    exits = spans(ip[:-1][inside], ip[1:][inside])
    open_seats = closed & (np.bincount(lot[m[m >= 0]], minlength=len(q)) < q)
    broken["F4"] = int((~closed[lot[exits]]).sum()) + int(open_seats.sum())
    low = _lowest(instance, key, m, np.ones(len(q), dtype=np.bool_))
    claims = spans(ip[:-1][m < 0], ip[1:][m < 0])
    broken["F5"] = int((key[claims] > low[lot[claims]]).sum())
    changed = (m >= 0) & (m != m0)
    low_stay = _lowest(instance, key, np.where(changed, -1, m), np.ones(len(q), dtype=np.bool_))
    mover = changed & (m0 >= 0)
    tops = np.where(m < 0, ip[1:], m)
    wishes = spans(ip[:-1][~mover], tops[~mover])
    broken["F6"] = int((key[wishes] > low_stay[lot[wishes]]).sum())
    wishes = spans(ip[:-1], tops)
    envious = np.unique(np.repeat(np.arange(len(m)), tops - ip[:-1])[key[wishes] > low[lot[wishes]]])
    movers = int(mover.sum())
    return Report(broken, int((m >= 0).sum()), int(held.sum()), movers, int(changed.sum()) - movers, len(envious))


def _infeasible(instance: Instance, m: Ints) -> int:
    placed = np.flatnonzero(m >= 0)
    edges = m[placed]
    if (edges >= len(instance.lot)).any():
        return len(placed)
    foreign = int((instance.owner[edges] != placed).sum())
    over = np.bincount(instance.lot[edges], minlength=len(instance.q)) > instance.q
    return foreign + int(over.sum())


def _lowest(instance: Instance, key: Ints, m: Ints, lots: Bools) -> Ints:
    """Lowest key seated at each lot; TOP where nobody sits."""
    low = np.full(len(lots), TOP)
    edges = m[m >= 0]
    np.minimum.at(low, instance.lot[edges], key[edges])
    return low


def improving_cycle(instance: Instance, key: Ints, m: Ints, wishes: Ints) -> list[int]:
    """Lots around which workers could all move up in a stable way; empty when `m` (stable) is worker-optimal.

    `wishes` are the edges wished more than the seat held. Each lot points to the present lot of the best worker who
    would rather be here; a cycle is a rotation (Gusfield and Irving, 1989), and a stable matching without one is the
    worker-optimal one.
    """
    best = np.full(len(instance.lots), -1, dtype=np.int64)
    np.maximum.at(best, instance.lot[wishes], key[wishes])
    top = wishes[key[wishes] == best[instance.lot[wishes]]]
    target = np.full(len(instance.lots), -1, dtype=np.int64)
    seat = m[instance.owner[top]]
    target[instance.lot[top]] = np.where(seat >= 0, instance.lot[np.maximum(seat, 0)], -1)
    seen = np.zeros(len(target), dtype=np.int64)
    for start in range(len(target)):
        at, path = start, []
        while at >= 0 and not seen[at]:
            seen[at] = start + 1
            path.append(at)
            at = int(target[at])
        if at >= 0 and seen[at] == start + 1:
            return path[path.index(at) :]
    return []
