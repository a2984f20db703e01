"""What runs in the matching process: plain picklable values in, plain values out. The solver is imported here and nowhere else.

Every function is a module-level one, so that the pool can name it; the engine is imported inside, so that the service's own
process never loads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from services.placement.domain.eligibility import Edge, Job, Person, Place, Rules, edges, fails, reason, without


@dataclass(frozen=True, slots=True)
class Frozen:
    """The instance's hash, and per person the possible seats (JSON) and the reason of who has none."""

    instance_hash: str
    rows: list[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Market:
    """A frozen world with its possible seats: (worker id, edges as JSON), lots and seats in the order of the instance."""

    people: list[tuple[str, str]]
    lots: list[tuple[str, int]]
    priority: tuple[str, ...]
    salt: bytes
    tried: dict[str, frozenset[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Computed:
    """The run: public files, the auditors' opening, who sits where (worker id, lot id, kind, whether it is the own work)."""

    files: dict[str, bytes]
    openings: bytes
    run_sha256: str
    seats: list[tuple[str, str, str, bool]]


def warm() -> int:
    """Load the engine and solve a market of two, so that the first round does not wait for it."""
    from services.placement.matching import EdgeSpec, LotSpec, Seeker, build, solve

    people = [Seeker("a", (EdgeSpec("x"), EdgeSpec("y"))), Seeker("b", (EdgeSpec("x"),))]
    return len(solve(build(people, [LotSpec("x", 1), LotSpec("y", 1)]), b"warm" * 8).assignment)


def freeze(facts: Sequence[str], places: Sequence[Place], rules: Rules, salt: bytes) -> Frozen:
    """Everybody's possible seats by the rules of the day, and the hash of the frozen instance."""
    rows = []
    for text in facts:
        person = msgspec.json.decode(text, type=Person)
        wished = edges(person, places, rules)
        # Who has a possible seat and does not get it waits because there is none.
        rows.append((person.id, msgspec.json.encode(wished).decode(), "no_seat" if wished else reason(person, rules)))
    market = Market([(worker, edges_) for worker, edges_, _ in rows], [(place.id, place.seats) for place in places], rules.priority, salt)
    return Frozen(_instance(market).hash.hex(), rows)


def compute(market: Market, operator_secret: bytes, second: bytes, pack: str) -> Computed:
    """The canonical run with its certificate. Raises ValueError when the engine's own checker refuses it."""
    from services.placement.matching import SeedParts, auditor_file, check, draw, run_files, run_hash, solve

    instance = _instance(market)
    solution = solve(instance, draw(operator_secret, second, instance))
    report = check(solution)
    if not report.ok:
        raise ValueError("the run does not pass its own check")
    files = run_files(instance, solution, SeedParts(operator_secret, second), pack)
    kinds = solution.exceptions
    own = _incumbents(solution)
    seats = [(worker, lot, kinds.get(worker, ""), worker in own) for worker, lot in sorted(solution.assignment.items())]
    return Computed(files, auditor_file(instance), run_hash(files), seats)


def sign(run_json: bytes, officer: str, role: str, time: str, key_pem: bytes) -> bytes:
    """`signature.json` of the officer's decision."""
    from services.placement.matching import Signature
    from services.placement.matching import sign as attest

    return attest({"run.json": run_json}, Signature(officer, role, time, key_pem))


def refill(whole: Market, rest: Market, operator_secret: bytes, second: bytes) -> list[tuple[str, int, bool]]:
    """Free seats to those who still look for one, by the same rule and the same lottery: (worker id, index of the lot, own work).

    The seed is that of the whole frozen instance, so everybody keeps the lottery number of the signed run.
    """
    from services.placement.matching import draw, solve

    solution = solve(_instance(rest), draw(operator_secret, second, _instance(whole)))
    index = {lot: place for place, (lot, _) in enumerate(rest.lots)}
    own = _incumbents(solution)
    return [(worker, index[lot], worker in own) for worker, lot in sorted(solution.assignment.items())]


def _incumbents(solution: Any) -> set[str]:
    """Who got the own work."""
    instance = solution.instance
    return {instance.workers[w] for w, edge in enumerate(solution.m_edge.tolist()) if edge >= 0 and instance.incumbent[edge]}


def explain(
    market: Market, operator_secret: bytes, second: bytes, worker: str, facts: str, places: list[Place], rules: Rules
) -> dict[str, Any]:
    """The seat held and why; if none, what loses at each wished lot, and the nearest change, applied and solved again."""
    from services.placement.matching import draw, own_row, solve
    from services.placement.matching import explain as explaining

    instance = _instance(market)
    solution = solve(instance, draw(operator_secret, second, instance))
    why = explaining.explain(solution, worker)
    person = msgspec.json.decode(facts, type=Person)
    advice = explaining.nearest_change(solution, worker, _candidates(person, places, rules))
    return {
        "seat": why.seat,
        "reason": why.reason,
        "refusals": [{"lot_id": r.lot, "field": r.field, "own": r.own, "needed": r.needed} for r in why.refusals],
        "return_right": why.return_right,
        "nearest_change": None
        if advice is None
        else {"change": advice.change.name, "lot_id": advice.change.lot or None, "seats": advice.change.seats, "seat": advice.seat},
        "opening": own_row(instance, worker),
    }


def _candidates(person: Person, places: Sequence[Place], rules: Rules) -> list[Any]:
    """Credentials that would open lots: one change per curable reason of each job in the chosen families."""
    from services.placement.matching import EdgeSpec
    from services.placement.matching.explain import Change

    known = {edge.lot for edge in edges(person, places, rules)}
    found: dict[str, Any] = {}
    for name, job in sorted(rules.jobs.items()):
        failing = fails(job, person, rules.on)
        if job.family not in person.families or len(failing) != 1 or failing[0] not in ("sim_class", "no_kta"):
            continue
        eased = msgspec.structs.replace(rules, jobs={**rules.jobs, name: Job(job.family, job.legal, (), job.until)})
        gained = [edge for edge in edges(person, places, eased) if edge.lot not in known]
        if gained:
            specs = tuple(EdgeSpec(places[e.lot].id, e.incumbent, e.carry_over, e.years, False, e.km) for e in gained)
            found.setdefault(failing[0], Change(failing[0], specs))
    return list(found.values())


def _instance(market: Market) -> Any:
    from services.placement.matching import EdgeSpec, LotSpec, Seeker, build

    decoder = msgspec.json.Decoder(tuple[Edge, ...])
    names = [lot for lot, _ in market.lots]
    people = []
    for worker, text in market.people:
        wished = without(decoder.decode(text), market.tried.get(worker, frozenset()))
        people.append(Seeker(worker, tuple(EdgeSpec(names[e.lot], e.incumbent, e.carry_over, e.years, False, e.km) for e in wished)))
    return build(people, [LotSpec(lot, seats) for lot, seats in market.lots], market.priority, market.salt)
