"""Figures of the engine beside its peers on the same market; writes key `matching` in var/bench/report.json.

``python -m tests.bench.matching [--large]``: W = 5,000 always; ``--large`` adds W = 50,000. Times are the best of the
repeats in milliseconds: `_ms` by the wall clock, `_cpu_ms` of this process (one thread), which stays comparable on a
busy machine; the report says how busy it was. Aims are judged by both.
"""

import argparse
import json
import os
import platform
import resource
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.util import find_spec
from io import StringIO
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from ortools.graph.python import min_cost_flow

from services.placement.matching import (
    Instance,
    SeedParts,
    Signature,
    Solution,
    check,
    draw,
    engine_version,
    run_files,
    solve,
)
from services.placement.matching.acceptance import accept
from services.placement.matching.explain import nearest_change
from services.placement.matching.incremental import Index, Market, shortest_chain
from services.placement.matching.instance import keys
from services.placement.matching.verify import Verifier
from tests.bench.matching.generator import market

REPORT = Path("var/bench/report.json")
PARTS = SeedParts(b"s" * 32, b"r" * 32)
AIMS = {
    "acceptance_ms": 20,
    "full_run_checked_ms": 120,
    "verifier_ms": 10_000,
    "event_p99_ms": 1,
    "large_full_run_ms": 2500,
    "large_peak_mb": 250,
}
T = TypeVar("T")


def best(figures: dict[str, Any], name: str, repeats: int, work: Callable[[], T]) -> T:
    """Put the best wall and CPU time of some repeats into `figures`; the last result."""
    walls, cpus = [], []
    for _ in range(repeats):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work()
        walls.append(1e3 * (time.perf_counter() - wall))
        cpus.append(1e3 * (time.process_time() - cpu))
    figures[f"{name}_ms"], figures[f"{name}_cpu_ms"] = round(min(walls), 2), round(min(cpus), 2)
    return result


def plain_flow(instance: Instance, seed: bytes) -> int:
    """The peer: one min-cost flow over the whole market (a weighted b-matching), most placed, then highest keys."""
    workers, lots, edges = len(instance.workers), len(instance.lots), len(instance.lot)
    order = keys(instance, seed)
    span = int(order.max() - order.min()) + 1
    cost = ((order.max() - order) * 1_000_000 // span).astype(np.int64)
    source, sink = workers + lots, workers + lots + 1
    everybody, places = np.arange(workers), np.arange(lots)
    network = min_cost_flow.SimpleMinCostFlow()
    network.add_arcs_with_capacity_and_unit_cost(
        np.concatenate((np.full(workers, source), instance.owner, workers + places)).astype(np.int32),
        np.concatenate((everybody, workers + instance.lot, np.full(lots, sink))).astype(np.int32),
        np.concatenate((np.ones(workers + edges), instance.q)).astype(np.int64),
        np.concatenate((np.zeros(workers), cost, np.zeros(lots))).astype(np.int64),
    )
    network.set_node_supply(source, workers)
    network.set_node_supply(sink, -workers)
    if network.solve_max_flow_with_min_cost() != network.OPTIMAL:
        raise RuntimeError("the peer found no optimum")
    return int(network.maximum_flow())


def matching_peer(instance: Instance, solution: Solution) -> dict[str, Any]:
    """The `matching` package on the same market, when it is installed (it is no dependency of the project)."""
    if find_spec("matching") is None:
        return {"skipped": "the package `matching` is not installed"}
    from matching.games import HospitalResident  # type: ignore[import-not-found]

    key = solution.key
    wishes = {w: instance.lot[instance.edges_of(w)].tolist() for w in range(len(instance.workers))}
    order = np.lexsort((-key, instance.lot))
    bounds = np.searchsorted(instance.lot[order], np.arange(len(instance.lots) + 1))
    people = {p: instance.owner[order[bounds[p] : bounds[p + 1]]].tolist() for p in range(len(instance.lots))}
    seats = {p: int(q) for p, q in enumerate(instance.q) if q}
    wishes = {w: kept for w, lots in wishes.items() if (kept := [p for p in lots if p in seats])}
    people = {p: [w for w in people[p] if w in wishes] for p in seats}
    spent: dict[str, Any] = {}
    best(spent, "matching", 1, lambda: HospitalResident.create_from_dictionaries(wishes, people, seats).solve())
    return spent


def fresh(instance: Instance) -> Instance:
    """The same instance without anything remembered."""
    return replace(instance)


def full_run(instance: Instance, seed: bytes) -> Solution:
    solution = solve(fresh(instance), seed)
    if not check(solution).ok:
        raise RuntimeError("the engine's own checker says no")
    return solution


def pem() -> bytes:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def publish(instance: Instance, decision: Signature) -> tuple[Solution, dict[str, bytes]]:
    """Freeze, draw, solve, check and write the signed run folder: everything a round needs."""
    instance = fresh(instance)
    solution = solve(instance, draw(PARTS.operator_secret, PARTS.second, instance))
    if not check(solution).ok:
        raise RuntimeError("the engine's own checker says no")
    return solution, run_files(instance, solution, PARTS, "0" * 64, decision)


def verified(files: dict[str, bytes]) -> int:
    """Exit code of the stand-alone verifier, silenced, on a folder of this run."""
    with tempfile.TemporaryDirectory() as name:
        for file, content in files.items():
            Path(name, file).write_bytes(content)
        with redirect_stdout(StringIO()):
            code = Verifier(name).run()
        if code:
            raise RuntimeError("the verifier rejects an honest run")
        return code


def events(solution: Solution, count: int) -> dict[str, dict[str, float]]:
    """Microseconds of each kind of event between rounds, p50 and p99."""
    instance, rng = solution.instance, np.random.default_rng(5)
    state = Market(instance, solution.key, solution.m0_edge, solution.cut)
    spent: dict[str, list[tuple[float, float]]] = {}

    def timed(kind: str, work: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.thread_time()
        work()
        cpu = time.thread_time() - cpu
        spent.setdefault(kind, []).append((1e6 * (time.perf_counter() - wall), 1e6 * cpu))

    for _ in range(count):
        worker, lot = int(rng.integers(len(instance.workers))), int(rng.integers(len(instance.lots)))
        seats = state.q[lot]
        timed("a worker leaves", lambda worker=worker: state.depart(worker))  # type: ignore[misc]
        timed("a worker becomes free", lambda worker=worker: state.arrive(worker))  # type: ignore[misc]
        timed("a quota rises", lambda lot=lot, seats=seats: state.set_seats(lot, seats + 1))  # type: ignore[misc]
        timed("a quota falls", lambda lot=lot, seats=seats: state.set_seats(lot, seats))  # type: ignore[misc]
        if seats:
            timed("a contract ends", lambda lot=lot: state.end_contract(lot))  # type: ignore[misc]
            state.set_seats(lot, seats)
    index, present = Index(instance, solution.key), np.ones(len(instance.workers), dtype=np.bool_)
    for worker in rng.choice(np.flatnonzero(solution.m_edge >= 0), size=count).tolist():
        m, lot = solution.m_edge.copy(), int(instance.lot[solution.m_edge[worker]])
        m[worker], present[worker] = -1, False
        args = (instance, index, m, present, solution.holders, lot)
        timed("a freed seat, shortest chain", lambda args=args: shortest_chain(*args))  # type: ignore[misc]
        present[worker] = True
    return {
        kind: {
            f"{name}_us": round(float(np.percentile([pair[column] for pair in v], rank)), 1)
            for name, column, rank in (("p50", 0, 50), ("p99", 0, 99), ("p99_cpu", 1, 99))
        }
        for kind, v in spent.items()
    }


def measure() -> dict[str, Any]:
    instance = market(5000)
    seed = draw(PARTS.operator_secret, PARTS.second, instance)
    key = keys(instance, seed)
    decision = Signature("officer", "ppk", "2026-01-05T02:00:00Z", pem())
    figures: dict[str, Any] = {}
    best(figures, "acceptance", 9, lambda: accept(instance.ip, instance.lot, key, instance.q))
    best(figures, "solve", 5, lambda: solve(fresh(instance), seed))
    solution = best(figures, "full_run_checked", 5, lambda: full_run(instance, seed))
    _, files = best(figures, "with_signed_run_folder", 5, lambda: publish(instance, decision))
    flow = best(figures, "peer_ortools_flow", 2, lambda: plain_flow(instance, seed))
    best(figures, "verifier", 1, lambda: verified(files))
    report = check(solution)
    unplaced = next(w for w in instance.workers if w not in solution.assignment)
    best(figures, "advice", 1, lambda: nearest_change(solution, unplaced))
    told = events(solution, 300)
    return figures | {
        "engine": engine_version,
        "workers": len(instance.workers),
        "lots": len(instance.lots),
        "edges": len(instance.lot),
        "seats": int(instance.q.sum()),
        "placed_by_rights": len(solution.m0),
        "placed": report.placed,
        "right_holders": report.right_holders,
        "movers": report.movers,
        "newcomers": report.newcomers,
        "with_envy": report.envious,
        "peer_ortools_flow_placed": flow,
        "times_faster_than_flow": round(figures["peer_ortools_flow_cpu_ms"] / figures["full_run_checked_cpu_ms"], 2),
        "peer_matching": matching_peer(instance, solution),
        "events": told,
        "event_p99_ms": round(max(kind["p99_us"] for kind in told.values()) / 1e3, 3),
        "event_p99_cpu_ms": round(max(kind["p99_cpu_us"] for kind in told.values()) / 1e3, 3),
    }


def large() -> dict[str, Any]:
    # made in another process, so that the peak is the run's own
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        instance = pool.submit(market, 50_000, edges_per_worker=100).result()
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    seed = bytes(32)
    figures: dict[str, Any] = {}
    solution = best(figures, "large_full_run", 1, lambda: full_run(instance, seed))
    return figures | {
        "large_workers": len(instance.workers),
        "large_edges": len(instance.lot),
        "large_placed": len(solution.assignment),
        "large_peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "large_peak_before_mb": base,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="also W = 50,000")
    given = parser.parse_args()
    figures: dict[str, Any] = large() if given.large else {}
    figures |= measure()
    figures["machine"] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 2), "python": platform.python_version()}
    figures["aims"] = {
        name: {"aim": aim, "reached": figures[name] <= aim, "reached_in_cpu_time": figures.get(cpu, figures[name]) <= aim}
        for name, aim in AIMS.items()
        for cpu in [name.replace("_ms", "_cpu_ms")]
        if name in figures
    }
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    report["matching"] = {**report.get("matching", {}), **figures}
    REPORT.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
