"""Who may lawfully hold which seat on a day, in whose order of wish, and the reason of who may hold none.

Pure and picklable: it also runs in the matching pool's process. The rules come from the region's rule pack.
"""

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Final

import msgspec

LASTING: Final = frozenset({"age"})
# Worst last: a person is told the nearest thing that can be cured.
CURABLE: Final = ("no_seat", "no_kta", "sim_class", "no_legal_basis", "in_verification", "age")
REASONS: Final = {"sim": "sim_class", "kta": "no_kta", "gada_pratama": "no_kta"}


class Credential(msgspec.Struct, frozen=True, array_like=True):
    """A licence or certificate, or an age limit as a date (`guard_until`)."""

    credential: str
    class_: str
    valid_from: date
    valid_until: date | None


class Person(msgspec.Struct, frozen=True):
    """A person as frozen for a round. `families` in the order of wish, the own family first; `carried` (agency, job) pairs that a
    contract's end interrupted; `verdict` is empty when nothing speaks against the scheme."""

    id: str
    agency: str
    family: str
    kecamatan: str
    service_start: date
    families: tuple[str, ...]
    credentials: tuple[Credential, ...] = ()
    carried: tuple[tuple[str, str], ...] = ()
    verdict: str = ""


class Place(msgspec.Struct, frozen=True):
    """A lot as frozen for a round; `seats` are those free for it."""

    id: str
    agency: str
    job: str
    kecamatan: str
    wage: int
    seats: int


class Asked(msgspec.Struct, frozen=True):
    """A credential a job asks for."""

    credential: str
    classes: tuple[str, ...]
    grace_days: int


class Job(msgspec.Struct, frozen=True):
    """A job of the catalogue as the rules stand on the day. `until` names the credential that carries the age limit."""

    family: str
    legal: bool
    asks: tuple[Asked, ...]
    until: str = ""


class Rules(msgspec.Struct, frozen=True):
    """What the rule pack says on the start day. `km` by `a|b` with a < b; pairs it does not know count as the limit."""

    on: date
    jobs: dict[str, Job]
    km: dict[str, int]
    limit_km: int
    priority: tuple[str, ...]
    vulnerable: bool = False


class Edge(msgspec.Struct, frozen=True, array_like=True):
    """One seat the person may hold: index of the lot, and the fields by which the lot ranks people."""

    lot: int
    incumbent: bool
    carry_over: bool
    years: int
    km: int


def years(start: date, on: date) -> int:
    """Whole years of service."""
    return max(0, on.year - start.year - ((on.month, on.day) < (start.month, start.day)))


def distance(rules: Rules, a: str, b: str) -> int:
    """Kilometres between two kecamatan."""
    if a == b:
        return 0
    return rules.km.get(f"{min(a, b)}|{max(a, b)}", rules.limit_km)


def fails(job: Job, person: Person, on: date) -> tuple[str, ...]:
    """Why the person may not do this job on that day; empty when nothing speaks against it."""
    found: list[str] = []
    if not job.legal:
        found.append("no_legal_basis")
    for need in job.asks:
        held = [c for c in person.credentials if c.credential == need.credential and (not need.classes or c.class_ in need.classes)]
        if not any(_usable(c, on, need.grace_days) for c in held):
            found.append(REASONS.get(need.credential, f"no_{need.credential}"))
    if job.until:
        limits = [c.valid_until for c in person.credentials if c.credential == job.until]
        if any(limit is not None and limit < on for limit in limits):
            found.append("age")
        elif not limits and not found:
            found.append("in_verification")
    return tuple(dict.fromkeys(found))


def in_grace(job: Job, person: Person, on: date) -> bool:
    """Whether a credential the job asks for has run out and is only tolerated: a term to renew it is due."""
    for need in job.asks:
        held = [c for c in person.credentials if c.credential == need.credential and (not need.classes or c.class_ in need.classes)]
        if not any(_usable(c, on, 0) for c in held) and any(_usable(c, on, need.grace_days) for c in held):
            return True
    return False


def _usable(c: Credential, on: date, grace: int) -> bool:
    return c.valid_from <= on and (c.valid_until is None or on <= c.valid_until + timedelta(days=grace))


def reason(person: Person, rules: Rules) -> str:
    """Why the person has no seat if there is no edge or no luck: the nearest curable reason; `age` only when nothing else is left."""
    if person.verdict:
        return person.verdict
    found: set[str] = set()
    for job in rules.jobs.values():
        if job.family in person.families:
            failing = fails(job, person, rules.on)
            # A lasting reason is not cured by curing the others.
            found |= set(failing) & LASTING or set(failing[:1]) or {"no_seat"}
    order = {name: place for place, name in enumerate(CURABLE)}
    return min(found, key=lambda name: (order.get(name, 2), name), default="no_legal_basis")


def edges(person: Person, places: Sequence[Place], rules: Rules) -> tuple[Edge, ...]:
    """The lots the person may hold, most wished first: chosen families in their order; inside one, the own work first, then
    carried-over work, near before far, higher wage, id."""
    if person.verdict:
        return ()
    rank = {family: place for place, family in enumerate(person.families)}
    allowed = {name: rank[job.family] for name, job in rules.jobs.items() if job.family in rank and not fails(job, person, rules.on)}
    tenure = years(person.service_start, rules.on)
    found = []
    for index, place in enumerate(places):
        wish = allowed.get(place.job)
        if wish is None:
            continue
        km = distance(rules, person.kecamatan, place.kecamatan)
        if km > rules.limit_km:
            continue
        incumbent = place.agency == person.agency and rules.jobs[place.job].family == person.family
        carried = (place.agency, place.job) in person.carried
        found.append(((wish, not incumbent, not carried, km, -place.wage, place.id), Edge(index, incumbent, carried, tenure, km)))
    found.sort(key=lambda pair: pair[0])
    return tuple(edge for _, edge in found)


def without(wished: Iterable[Edge], closed: frozenset[int]) -> tuple[Edge, ...]:
    """The list without these lots (offered before, no free seat, no longer in force)."""
    return tuple(edge for edge in wished if edge.lot not in closed)
