"""Repairs between rounds: oracle 9, against runs from scratch and the plain opinion."""

from collections import deque
from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.placement.matching.acceptance import accept
from services.placement.matching.incremental import Index, Market, shortest_chain
from services.placement.matching.instance import Bools, Instance, Ints, keys
from tests.unit.matching.markets import Market as Case
from tests.unit.matching.markets import markets, steady


def scratch(state: Market, key: Ints) -> Ints:
    """The rights step from nothing, with the present people, the present seats and the edges that are still good."""
    instance = state.instance
    keep = state.present[instance.owner] & (state.key >= 0)
    sizes = np.bincount(instance.owner[keep], minlength=len(instance.workers))
    ip = np.r_[0, np.cumsum(sizes)].astype(np.int64)
    m, cut = accept(ip, instance.lot[keep], key[keep], np.array(state.q, dtype=np.int32))
    assert (cut == state.cut).all()
    original = np.flatnonzero(keep)
    return np.where(m >= 0, original[np.maximum(m, 0)] if len(original) else -1, -1)


def opened(market: Case, absent: int = 0, rnd: Random | None = None) -> tuple[Market, Ints]:
    instance = market.instance()
    key = keys(instance, market.seed)
    present = np.ones(len(instance.workers), dtype=np.bool_)
    for worker in (rnd or Random(0)).sample(range(len(present)), min(absent, len(present))):
        present[worker] = False
    empty = np.full(len(present), -1)
    cut = np.where(instance.q > 0, -1, np.iinfo(np.int64).max)
    state = Market(instance, key, empty, cut, np.zeros(len(present), dtype=np.bool_))
    for worker in np.flatnonzero(present).tolist():
        state.arrive(worker)
    assert (state.m == scratch(state, key)).all()
    return state, key


def stable(state: Market) -> bool:
    instance, size = state.instance, np.bincount(state.instance.lot[state.m[state.m >= 0]], minlength=len(state.q))
    if (size > np.array(state.q)).any():
        return False
    low = np.full(len(state.q), np.iinfo(np.int64).max)
    held = state.m[state.m >= 0]
    np.minimum.at(low, instance.lot[held], state.key[held])
    cut = np.where(size >= np.array(state.q), low, -1)
    if (cut != state.cut).any():
        return False
    edge = np.arange(len(instance.lot))
    owner = instance.owner
    wish = state.present[owner] & ((state.m[owner] < 0) | (edge < state.m[owner])) & (state.key >= 0)
    return not (wish & (state.key > cut[instance.lot])).any()


@given(markets(workers=14, lots=6), st.randoms(use_true_random=False))
@steady(120)
def test_arrivals_falling_seats_and_contract_ends_equal_a_run_from_scratch(market: Case, rnd: Random) -> None:
    state, key = opened(market, 3, rnd)
    for worker in np.flatnonzero(~state.present).tolist():
        before = state.m.copy()
        changes = state.arrive(worker)
        assert (state.m == scratch(state, key)).all() and stable(state)
        assert {w: (int(before[w]), int(state.m[w])) for w in np.flatnonzero(before != state.m).tolist()} == changes
    for _ in range(3):
        lot = rnd.randrange(len(state.q))
        if rnd.random() < 0.5:
            state.end_contract(lot)
        else:
            state.set_seats(lot, max(0, state.q[lot] - 1))
        assert (state.m == scratch(state, key)).all() and stable(state)


@given(markets(workers=14, lots=6), st.randoms(use_true_random=False))
@steady(150)
def test_any_mixture_of_events_keeps_the_market_stable(market: Case, rnd: Random) -> None:
    state, _ = opened(market, 2, rnd)
    for _ in range(12):
        event, lot, worker = rnd.randrange(5), rnd.randrange(len(state.q)), rnd.randrange(len(state.m))
        if event == 0:
            state.set_seats(lot, state.q[lot] + rnd.randint(1, 2))
        elif event == 1:
            state.set_seats(lot, max(0, state.q[lot] - rnd.randint(1, 2)))
        elif event == 2 and state.present[worker]:
            state.depart(worker)
        elif event == 3 and state.present[worker]:
            state.lapse(worker, [lot])
        elif event == 4 and not state.present[worker]:
            state.arrive(worker)
        assert stable(state)
        assert not (state.m[~state.present] >= 0).any()


def fewest_moves(instance: Instance, m: Ints, present: Bools, frozen: Bools, lot: int) -> int:
    """Fewest moves that bring an unplaced worker to `lot`, by breadth-first search over people; 0 when none."""
    seats = {w: int(instance.lot[m[w]]) for w in range(len(m)) if m[w] >= 0}
    queue, seen = deque([(lot, 1)]), {lot}
    while queue:
        at, steps = queue.popleft()
        people = [w for w in np.flatnonzero(present).tolist() if at in instance.lot[instance.edges_of(w)]]
        people = [w for w in people if seats.get(w) != at]
        if any(w not in seats for w in people):
            return steps
        for w in people:
            if not frozen[w] and seats[w] not in seen:
                seen.add(seats[w])
                queue.append((seats[w], steps + 1))
    return 0


@given(markets(workers=16, lots=7), st.randoms(use_true_random=False))
@steady(200)
def test_a_freed_seat_goes_to_an_unplaced_worker_by_the_shortest_chain(market: Case, rnd: Random) -> None:
    solution = market.solve()
    instance, frozen, m = solution.instance, solution.holders, solution.m_edge.copy()
    placed = np.flatnonzero(m >= 0).tolist()
    if not placed:
        return
    gone = rnd.choice(placed)
    lot = int(instance.lot[m[gone]])
    present = np.ones(len(m), dtype=np.bool_)
    present[gone], m[gone] = False, -1
    chain = shortest_chain(instance, Index(instance, solution.key), m, present, frozen, lot)
    after = m.copy()
    for worker, (before, edge) in chain.items():
        assert m[worker] == before and present[worker] and not frozen[worker] and instance.owner[edge] == worker
        after[worker] = edge
    assert (np.bincount(instance.lot[after[after >= 0]], minlength=len(instance.q)) <= instance.q).all()
    assert int((after >= 0).sum()) == int((m >= 0).sum()) + bool(chain)
    assert len(chain) == fewest_moves(instance, m, present, frozen, lot)
