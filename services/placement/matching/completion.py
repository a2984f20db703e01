"""M: more people are placed by chains from unplaced workers to vacant seats; nobody placed loses a place.

Objective, in this order: most placed, best class (years, vulnerable, lottery), fewest moves, least loss of wish.
Who can be placed is a transversal matroid, so class numbers 1..K are exact weights: a first min-cost flow chooses the
people, a second one, with only those people, chooses the chains. Both run on the part of the market that an unplaced
worker can reach and that reaches a vacancy.
"""

from dataclasses import dataclass, replace

import numpy as np
from ortools.graph.python import min_cost_flow

from .instance import Bools, Instance, Ints, lottery_bits, spans

NOT_CHOSEN = np.iinfo(np.int64).max


def right_holders(instance: Instance, m0: Ints) -> Bools:
    """Workers placed by M0 with an incumbency or carry-over edge at or below the seat held, bool[W]."""
    last = np.full(len(instance.workers), -1, dtype=np.int64)
    edges = np.flatnonzero(instance.right)
    np.maximum.at(last, instance.owner[edges], edges)
    held: Bools = (m0 >= 0) & (last >= m0)
    return held


def edges_of(instance: Instance, workers: Ints) -> Ints:
    """Edge indices of many workers, in order."""
    return spans(instance.ip[workers], instance.ip[workers + 1])


def reach(instance: Instance, m: Ints, frozen: Bools) -> tuple[Bools, Ints]:
    """Lots that chains from unplaced workers can reach, bool[P], and the movable workers seated there."""
    inside = np.zeros(len(instance.lots), dtype=np.bool_)
    movable = np.flatnonzero((m >= 0) & ~frozen)
    seats = instance.lot[m[movable]] if len(movable) else np.zeros(0, dtype=np.int32)
    done = np.zeros(len(movable), dtype=np.bool_)
    wave = np.flatnonzero(m < 0)
    while len(wave):
        inside[instance.lot[edges_of(instance, wave)]] = True
        new = inside[seats] & ~done
        done |= new
        wave = movable[new]
    return inside, movable[done]


def closed_lots(instance: Instance, m: Ints, frozen: Bools) -> Bools:
    """The closed set C, bool[P]: full lots that no unplaced worker and no movable occupant can leave."""
    return reach(instance, m, frozen)[0]


@dataclass(frozen=True)
class _Market:
    """The part that matters: `people` (worker indices, the first `seekers` of them unplaced), their useful edges
    (`worker` = place in `people`, `edge`), `home` lot of each mover, free seats `vacant int64[P]`."""

    people: Ints
    seekers: int
    worker: Ints
    edge: Ints
    home: Ints
    vacant: Ints


def complete(instance: Instance, key: Ints, m0: Ints, frozen: Bools) -> Ints:
    """Seats after completion, int64[W] (edge or -1); M0-placed workers stay placed, `frozen` ones stay put."""
    market = _prune(instance, m0, frozen)
    if market is None:
        return m0.copy()
    seekers = market.people[: market.seekers]
    ticket = key[instance.ip[seekers]] & ((1 << lottery_bits(instance)) - 1)
    weight = np.zeros(market.seekers, dtype=np.int64)
    weight[np.lexsort((ticket, instance.worker_class[seekers]))] = np.arange(1, market.seekers + 1)
    chosen = _flow(instance, market, -weight, np.zeros(len(market.edge), dtype=np.int64))
    takes = np.zeros(len(market.people), dtype=np.bool_)
    takes[market.worker[chosen]] = True
    takes[market.seekers :] = True
    slim = takes[market.worker]
    market = replace(market, worker=market.worker[slim], edge=market.edge[slim])
    who = market.people[market.worker]
    longest = int(np.diff(instance.ip).max())
    move = 2 * longest * len(market.people) + 1
    cost = np.where(market.worker >= market.seekers, move + market.edge - m0[who], market.edge - instance.ip[who])
    chosen = _flow(instance, market, np.where(takes[: market.seekers], 0, NOT_CHOSEN), cost)
    m = m0.copy()
    m[who[chosen]] = market.edge[chosen]
    return m


def _prune(instance: Instance, m0: Ints, frozen: Bools) -> _Market | None:
    seated = m0 >= 0
    taken = np.bincount(instance.lot[m0[seated]], minlength=len(instance.lots))
    vacant = instance.q.astype(np.int64) - taken
    inside, movers = reach(instance, m0, frozen)
    useful = inside & (vacant > 0)
    if not useful.any():
        return None
    movers.sort()
    home = instance.lot[m0[movers]].astype(np.int64)
    seekers = np.flatnonzero(~seated & (np.diff(instance.ip) > 0))
    own = edges_of(instance, movers)
    place = np.repeat(np.arange(len(movers)), np.diff(instance.ip)[movers])
    away = own != m0[movers][place]
    own, place = own[away], place[away]
    while True:
        grown = useful.copy()
        grown[home[place[useful[instance.lot[own]]]]] = True
        if (grown == useful).all():
            break
        useful = grown
    mine = edges_of(instance, seekers)
    edge = np.concatenate((mine, own))
    worker = np.concatenate((np.repeat(np.arange(len(seekers)), np.diff(instance.ip)[seekers]), place + len(seekers)))
    keep = useful[instance.lot[edge]]
    return _Market(np.concatenate((seekers, movers)), len(seekers), worker[keep], edge[keep], home, vacant * useful)


def _flow(instance: Instance, market: _Market, entry: Ints, cost: Ints) -> Ints:
    """Cheapest of the largest flows; the places in `market.edge` it uses. `entry`: cost of starting at a seeker."""
    people, lots = len(market.people), len(instance.lots)
    seekers = np.flatnonzero(entry < NOT_CHOSEN)
    movers = np.arange(market.seekers, people)
    open_lots = np.flatnonzero(market.vacant > 0)
    source, sink = people + lots, people + lots + 1
    tail = np.concatenate((np.full(len(seekers), source), people + market.home, market.worker, people + open_lots))
    head = np.concatenate((seekers, movers, people + instance.lot[market.edge], np.full(len(open_lots), sink)))
    room = np.concatenate((np.ones(people - market.seekers + len(seekers) + len(cost)), market.vacant[open_lots]))
    price = np.concatenate((entry[seekers], np.zeros(len(movers)), cost, np.zeros(len(open_lots))))
    network = min_cost_flow.SimpleMinCostFlow()
    arcs = network.add_arcs_with_capacity_and_unit_cost(
        tail.astype(np.int32),
        head.astype(np.int32),
        room.astype(np.int64),
        price.astype(np.int64),
    )
    network.set_node_supply(source, len(seekers))
    network.set_node_supply(sink, -len(seekers))
    status = network.solve_max_flow_with_min_cost()
    if status != network.OPTIMAL:
        raise RuntimeError(f"min-cost flow ended with status {status}")
    first = len(seekers) + len(movers)
    used: Ints = np.flatnonzero(network.flows(arcs[first : first + len(cost)]) > 0)
    return used
