"""What the chapters of one region share while the scenario plays."""

import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from .driver import Refusal
from .figures import Figures
from .office import Office
from .people import Person

RULES = "2025-01-01"


@dataclass(slots=True)
class Stage:
    """One region on stage: its offices, its people, and what the chapters found out."""

    office: Office
    figures: Figures
    people: Sequence[Person]
    workers: dict[str, str] = field(default_factory=dict)
    """worker id by NIK, once the people are registered."""
    persons: dict[str, Person] = field(default_factory=dict)
    """Person by worker id."""
    notes: dict[str, Any] = field(default_factory=dict)
    """What a chapter leaves for a later one."""
    refused: list[dict[str, str]] = field(default_factory=list)
    rejects: Counter[str] = field(default_factory=Counter)
    waits: list[float] = field(default_factory=list)
    """Seconds of wall time from a yes to the accepted offer, seen from outside."""
    said: Callable[[str], None] = print

    @property
    def region(self) -> str:
        """Kode wilayah."""
        return self.figures.region

    def refusal(self, what: str, found: Refusal, slug: str) -> None:
        """Note a refusal that a door gave; it must be the expected one."""
        assert found.slug == slug, f"{what}: expected {slug}, got {found}"
        rule, article = str(found.problem.get("rule", "")), str(found.problem.get("article", ""))
        self.refused.append({"what": what, "slug": slug, "rule": rule or slug, "article": article})

    async def learn(self) -> None:
        """Which worker id each registered person has, asked by a payroll service in batches."""
        token = self.office.token("service", "payroll")
        niks = [person.nik for person in self.people if person.nik not in self.workers]
        by_nik = {person.nik: person for person in self.people}
        for start in range(0, len(niks), 500):
            body = {"purpose": "payroll", "region": self.region, "niks": niks[start : start + 500]}
            answer = await self.office.post("registry", "/v1/identities/lookup", token, body)
            for found in answer["people"]:
                self.workers[found["nik"]] = found["worker_id"]
                self.persons[found["worker_id"]] = by_nik[found["nik"]]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens on a day. Steps of all regions are played in the order of their days."""

    day: date
    chapter: str
    name: str
    run: Callable[[], Awaitable[None]]


def fingerprint(*parts: object) -> bytes:
    """32 bytes from names: the demo's stand-in for what a council member would throw dice for."""
    return hashlib.sha256("/".join(map(str, parts)).encode()).digest()
