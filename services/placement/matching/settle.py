"""Settle: an unplaced worker with a direct claim replaces a newcomer; a bumped mover returns to the M0 seat.

A claim is direct when the unplaced worker's key at a lot is higher than that of somebody whom the completion brought
there. Size is kept. It ends: every step returns a mover for good, or raises the keys of a lot's newcomers.
"""

import heapq

import numpy as np

from .completion import edges_of
from .instance import Instance, Ints


def settle(instance: Instance, key: Ints, m0: Ints, m: Ints) -> Ints:
    """Final seats, int64[W] (edge or -1), from M0 and the completion's `m`."""
    m = m.copy()
    lot = instance.lot
    changed = np.flatnonzero((m >= 0) & (m != m0))
    if not len(changed):
        return m
    arrived: dict[int, list[tuple[int, int]]] = {}
    for worker in changed.tolist():
        arrived.setdefault(int(lot[m[worker]]), []).append((int(key[m[worker]]), worker))
    for heap in arrived.values():
        heapq.heapify(heap)
    low = np.full(len(instance.lots), np.iinfo(np.int64).max)
    for at, heap in arrived.items():
        low[at] = heap[0][0]

    def leave(at: int) -> int:
        loser = heapq.heappop(arrived[at])[1]
        low[at] = arrived[at][0][0] if arrived[at] else np.iinfo(np.int64).max
        return loser

    unplaced = np.flatnonzero((m < 0) & (np.diff(instance.ip) > 0))
    edges = edges_of(instance, unplaced)
    claims = edges[key[edges] > low[lot[edges]]]
    waiting = np.unique(instance.owner[claims]).tolist()
    # the better class claims first; the id order of equals is canonical
    queue = [(-int(instance.worker_class[w]), w) for w in waiting]
    heapq.heapify(queue)
    while queue:
        worker = heapq.heappop(queue)[1]
        own = instance.edges_of(worker)
        beats = key[own] > low[lot[own]]
        if not beats.any():
            continue
        edge = own.start + int(beats.argmax())
        m[worker] = edge
        at = int(lot[edge])
        loser = leave(at)
        heapq.heappush(arrived[at], (int(key[edge]), worker))
        low[at] = arrived[at][0][0]
        while m0[loser] >= 0:
            m[loser] = m0[loser]
            at = int(lot[m0[loser]])
            loser = leave(at)
        m[loser] = -1
        heapq.heappush(queue, (-int(instance.worker_class[loser]), loser))
    return m
