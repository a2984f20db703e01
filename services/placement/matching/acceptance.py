"""M0: worker-proposing deferred acceptance in numpy (the step that keeps rights and cannot be gamed).

Free workers propose in rounds, many at once; the last few go one by one over heaps. The result does not depend on
the order of proposals, so both halves give the one worker-optimal stable matching.
"""

import heapq

import numpy as np

from .instance import Ints, Small

NO_CUT = -1
NO_SEAT = np.iinfo(np.int64).max
TAIL = 16


def accept(ip: Ints, lot: Small, key: Ints, q: Small) -> tuple[Ints, Ints]:
    """Worker-optimal stable matching: `m int64[W]` (edge or -1) and `cut int64[P]`.

    `cut` is the lowest admitted key of a full lot, NO_CUT of a lot with a free seat, NO_SEAT of a lot without seats:
    a worker is admitted where ``key >= cut``.
    """
    workers = len(ip) - 1
    m = np.full(workers, -1, dtype=np.int64)
    cut = np.where(q > 0, NO_CUT, NO_SEAT).astype(np.int64)
    ptr, end = ip[:-1].copy(), ip[1:]
    free = np.flatnonzero(ptr < end)
    shift = int(key.max()).bit_length() if len(key) else 0
    if shift + len(q).bit_length() > 62:
        raise ValueError("keys and lots together need more than 62 bits")
    mask = (1 << shift) - 1
    while len(free) > TAIL:
        free = _advance(free, ptr, end, lot, key, cut)
        if not len(free):
            return m, cut
        edges = ptr[free]
        touched = np.zeros(len(q), dtype=np.bool_)
        touched[lot[edges]] = True
        held = np.flatnonzero(m >= 0)
        held = held[touched[lot[m[held]]]]
        people = np.concatenate((held, free))
        edges = np.concatenate((m[held], edges))
        order = np.argsort((lot[edges].astype(np.int64) << shift) + (mask - key[edges]))
        people, edges = people[order], edges[order]
        at = lot[edges]
        starts = np.flatnonzero(np.r_[True, at[1:] != at[:-1]])
        sizes = np.diff(np.r_[starts, len(at)])
        place = np.arange(len(at)) - np.repeat(starts, sizes)
        kept = place < q[at]
        m[people[kept]] = edges[kept]
        free = people[~kept]
        m[free] = -1
        ptr[free] += 1
        full = sizes >= q[at[starts]]
        last = starts[full] + q[at[starts[full]]] - 1
        cut[at[last]] = key[edges[last]]
    _one_by_one(free, m, ptr, end, lot, key, cut, q)
    return m, cut


def _advance(free: Ints, ptr: Ints, end: Ints, lot: Small, key: Ints, cut: Ints) -> Ints:
    """Move each free worker to the first edge that beats the present cut-off; those who find one."""
    found = []
    width = 4
    while len(free):
        edges = ptr[free, None] + np.arange(width)
        inside = edges < end[free, None]
        np.minimum(edges, len(lot) - 1, out=edges)
        alive = inside & (key[edges] > cut[lot[edges]])
        step = alive.argmax(axis=1)
        hit = alive[np.arange(len(free)), step]
        ptr[free] += np.where(hit, step, width)
        found.append(free[hit])
        free = free[~hit]
        free = free[ptr[free] < end[free]]
        width = min(width * 2, 64)
    return np.concatenate(found) if found else free


def _one_by_one(free: Ints, m: Ints, ptr: Ints, end: Ints, lot: Small, key: Ints, cut: Ints, q: Small) -> None:
    heaps: dict[int, list[tuple[int, int]]] = {}
    seats = np.where(m >= 0, lot[np.maximum(m, 0)], -1) if len(lot) else np.full(len(m), -1)
    stack: list[int] = free.tolist()
    while stack:
        worker = stack.pop()
        rest = slice(int(ptr[worker]), int(end[worker]))
        alive = key[rest] > cut[lot[rest]]
        if not alive.any():
            ptr[worker] = end[worker]
            continue
        edge = rest.start + int(alive.argmax())
        at = int(lot[edge])
        if at not in heaps:
            heaps[at] = [(int(key[m[w]]), int(w)) for w in np.flatnonzero(seats == at)]
            heapq.heapify(heaps[at])
        heap = heaps[at]
        heapq.heappush(heap, (int(key[edge]), worker))
        m[worker], ptr[worker] = edge, edge
        if len(heap) > q[at]:
            loser = heapq.heappop(heap)[1]
            m[loser] = -1
            ptr[loser] += 1
            stack.append(loser)
        if len(heap) == q[at]:
            cut[at] = heap[0][0]
