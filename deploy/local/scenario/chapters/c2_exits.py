"""Exits: decrees, the recall, selection results, PPPK paruh waktu, resignations, deaths: dated files, as the offices received them."""

from collections.abc import Callable, Mapping

from deploy.local.scenario.figures import Fact
from deploy.local.scenario.people import Person
from deploy.local.scenario.stage import Stage, Step

TITLE = "exits"
BUDGET = 60.0


def steps(stage: Stage) -> list[Step]:
    """One upload a dated fact."""
    return [
        Step(fact.day, TITLE, f"{fact.kind} {', '.join(fact.groups)}", lambda fact=fact: upload(stage, fact))  # type: ignore[misc]
        for fact in stage.figures.history
    ]


async def upload(stage: Stage, fact: Fact) -> None:
    """The file of one dated fact; no row of it may come back."""
    row = ROWS[fact.kind]
    rows = [{"nik": person.nik} | row(fact, person) for person in stage.people if not fact.groups or person.group in fact.groups]
    await stage.office.uploads(fact.kind, rows)


def _decree(fact: Fact, _: Person) -> dict[str, str]:
    return {"decree_number": fact.decree, "decree_date": fact.day.isoformat(), "effective_on": fact.day.isoformat()}


ROWS: Mapping[str, Callable[[Fact, Person], dict[str, str]]] = {
    "stops": _decree,
    "recalls": _decree,
    "selections": lambda fact, person: {
        "year": "2024",
        "phase": "1",
        "code": person.code,
        "listed": "yes" if person.listed else "no",
    },
    "proposals": lambda fact, _: {"route": fact.route, "effective_on": fact.day.isoformat(), "withdrawn": "no"},
    "exits": lambda fact, _: {"route": fact.route, "effective_on": fact.day.isoformat()},
    "leavings": lambda fact, _: {"reason": fact.reason, "effective_on": fact.day.isoformat()},
    "untraced": lambda fact, _: {"effective_on": fact.day.isoformat(), "found": "no"},
}
