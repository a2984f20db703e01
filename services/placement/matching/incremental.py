"""Events between two rounds, repaired without solving again.

`Market` follows the rights step: arrivals and falling seats continue the proposals and equal a run from scratch;
rising seats and departures start a vacancy chain and end in a stable matching. `shortest_chain` fills one free seat
of the final result with an unplaced worker by the fewest moves, right-holders untouched. At the next round the
canonical run decides anew. State in, changed seats out; nothing is read or written elsewhere.
"""

import heapq
from collections.abc import Iterable

import numpy as np

from .acceptance import NO_CUT, NO_SEAT
from .instance import Bools, Instance, Ints

NOWHERE = np.iinfo(np.int64).max

# worker index -> (edge before, edge after), -1 for no seat
Changes = dict[int, tuple[int, int]]


class Index:
    """The edges of each lot, highest key first: `edges int64[E]` bounded by `start int64[P+1]`."""

    def __init__(self, instance: Instance, key: Ints) -> None:
        self.edges = np.lexsort((-key, instance.lot))
        self.start = np.searchsorted(instance.lot[self.edges], np.arange(len(instance.lots) + 1))

    def of(self, lot: int) -> Ints:
        edges: Ints = self.edges[self.start[lot] : self.start[lot + 1]]
        return edges


class Market:
    """A stable matching that events keep stable. `m int64[W]` held edge or -1; `present bool[W]`."""

    def __init__(self, instance: Instance, key: Ints, m: Ints, cut: Ints, present: Bools | None = None) -> None:
        self.instance, self.key, self.m, self.cut = instance, key.copy(), m.copy(), cut.copy()
        self.q: list[int] = instance.q.tolist()
        self.present = np.ones(len(m), dtype=np.bool_) if present is None else present.copy()
        self.index = Index(instance, key)
        # the edge above which a worker's wishes lie: the held one, all of them when unplaced, none when absent
        self._above = np.where(self.present, np.where(m >= 0, m, NOWHERE), -1)
        self._heaps: list[list[tuple[int, int]]] = [[] for _ in instance.lots]
        for worker in np.flatnonzero(m >= 0).tolist():
            edge = int(m[worker])
            self._heaps[instance.lot[edge]].append((int(key[edge]), worker))
        self._size = [len(heap) for heap in self._heaps]
        for heap in self._heaps:
            heapq.heapify(heap)

    def arrive(self, worker: int) -> Changes:
        """A worker becomes free and proposes; equal to a run from scratch with this worker."""
        changes: Changes = {}
        self.present[worker] = True
        self._set(worker, -1, changes)
        self._propose([worker], changes)
        return _real(changes)

    def depart(self, worker: int) -> Changes:
        """A worker leaves the market (exit, placed elsewhere); the seat is filled by a vacancy chain."""
        changes: Changes = {}
        lot = self._release(worker, changes)
        self.present[worker] = False
        self._above[worker] = -1
        if lot >= 0:
            self._fill(lot, changes)
        return _real(changes)

    def set_seats(self, lot: int, seats: int) -> Changes:
        """Covered seats of a lot rise (vacancy chains) or fall, to 0 when the contract ends (displaced ones propose)."""
        changes: Changes = {}
        rising = seats - self.q[lot]
        self.q[lot] = seats
        displaced = []
        while self._size[lot] > seats:
            worker = self._lowest(lot)
            self._release(worker, changes)
            displaced.append(worker)
        self._update_cut(lot)
        self._propose(displaced, changes)
        for _ in range(rising):
            if self._size[lot] < seats:
                self._fill(lot, changes)
        return _real(changes)

    def end_contract(self, lot: int) -> Changes:
        return self.set_seats(lot, 0)

    def lapse(self, worker: int, lots: Iterable[int]) -> Changes:
        """A credential lapses: the worker loses these lots; a seat lost is filled and the worker proposes again."""
        own = self.instance.edges_of(worker)
        gone = np.flatnonzero(np.isin(self.instance.lot[own], list(lots))) + own.start
        held = int(self.m[worker])
        self.key[gone] = NO_CUT
        if held < 0 or held not in gone:
            return {}
        changes: Changes = {}
        self.present[worker] = False
        lot = self._release(worker, changes)
        self._above[worker] = -1
        self._fill(lot, changes)
        self.present[worker] = True
        self._above[worker] = NOWHERE
        self._propose([worker], changes)
        return _real(changes)

    def _propose(self, free: list[int], changes: Changes) -> None:
        lot, key, cut = self.instance.lot, self.key, self.cut
        while free:
            worker = free.pop()
            own = self.instance.edges_of(worker)
            alive = key[own] > cut[lot[own]]
            step = int(alive.argmax()) if len(alive) else 0
            if not len(alive) or not alive[step]:
                continue
            edge = own.start + step
            at = int(lot[edge])
            if self._size[at] >= self.q[at]:
                loser = self._lowest(at)
                self._release(loser, changes)
                free.append(loser)
            self._seat(worker, edge, changes)

    def _fill(self, lot: int, changes: Changes) -> None:
        """Vacancy chain: the best worker who would rather be here comes, and leaves the next vacancy."""
        owner = self.instance.owner
        while lot >= 0 and self._size[lot] < self.q[lot]:
            edges = self.index.of(lot)
            claims = (self._above[owner[edges]] > edges) & (self.key[edges] > NO_CUT)
            if not claims.any():
                return
            edge = int(edges[claims.argmax()])
            worker = int(owner[edge])
            left = self._release(worker, changes)
            self._seat(worker, edge, changes)
            lot = left

    def _seat(self, worker: int, edge: int, changes: Changes) -> None:
        lot = int(self.instance.lot[edge])
        heapq.heappush(self._heaps[lot], (int(self.key[edge]), worker))
        self._size[lot] += 1
        self._set(worker, edge, changes)
        self._update_cut(lot)

    def _release(self, worker: int, changes: Changes) -> int:
        """Take a worker off the seat; the lot, or -1. The heap forgets lazily."""
        edge = int(self.m[worker])
        if edge < 0:
            return -1
        lot = int(self.instance.lot[edge])
        self._size[lot] -= 1
        self._set(worker, -1, changes)
        self._update_cut(lot)
        return lot

    def _set(self, worker: int, edge: int, changes: Changes) -> None:
        before = changes[worker][0] if worker in changes else int(self.m[worker])
        changes[worker] = (before, edge)
        self.m[worker] = edge
        self._above[worker] = edge if edge >= 0 else NOWHERE

    def _lowest(self, lot: int) -> int:
        heap = self._heaps[lot]
        while self._stale(lot, heap[0]):
            heapq.heappop(heap)
        return heap[0][1]

    def _stale(self, lot: int, entry: tuple[int, int]) -> bool:
        edge = int(self.m[entry[1]])
        return edge < 0 or int(self.instance.lot[edge]) != lot

    def _update_cut(self, lot: int) -> None:
        if not self.q[lot]:
            self.cut[lot] = NO_SEAT
        elif self._size[lot] < self.q[lot]:
            self.cut[lot] = NO_CUT
        else:
            self.cut[lot] = self.key[self.m[self._lowest(lot)]]


def shortest_chain(instance: Instance, index: Index, m: Ints, present: Bools, frozen: Bools, lot: int) -> Changes:
    """Fill one free seat at `lot` with an unplaced worker by the fewest moves; empty when nobody can come.

    Right-holders (`frozen`) stay, people who left (not `present`) are passed over. Of equally short chains the
    one whose mover has the highest key at the free seat wins, then at the next.
    """
    owner = instance.owner
    came: dict[int, int] = {lot: -1}
    known = np.zeros(len(instance.lots), dtype=np.bool_)
    known[lot] = True
    wave = [lot]
    while wave:
        # all lots of a wave in one go, in the order they were reached, keys falling inside each
        edges = np.concatenate([index.of(at) for at in wave])
        people = owner[edges]
        held = m[people]
        fresh = np.flatnonzero((held < 0) & present[people])
        if len(fresh):
            return _walk(instance, m, came, int(edges[fresh[0]]))
        edges, held = edges[~frozen[people]], held[~frozen[people]]
        sources = instance.lot[held]
        new = np.flatnonzero((held >= 0) & ~known[sources])
        lots, first = np.unique(sources[new], return_index=True)
        known[lots] = True
        order = np.argsort(first)
        wave = lots[order].tolist()
        came.update(zip(wave, edges[new[first[order]]].tolist(), strict=True))
    return {}


def _walk(instance: Instance, m: Ints, came: dict[int, int], edge: int) -> Changes:
    changes: Changes = {}
    while edge >= 0:
        worker = int(instance.owner[edge])
        changes[worker] = (int(m[worker]), edge)
        edge = came[int(instance.lot[edge])]
    return changes


def _real(changes: Changes) -> Changes:
    return {worker: pair for worker, pair in changes.items() if pair[0] != pair[1]}
