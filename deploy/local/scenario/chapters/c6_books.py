"""Books: the balance per date from the owner of each column, placements by job and agency, cover, and the difference of zero."""

from collections import Counter
from datetime import date
from typing import Any

from deploy.local.scenario.stage import Stage, Step

TITLE = "books"
BUDGET = 45.0


def steps(stage: Stage) -> list[Step]:
    """On the day the books are read."""
    return [Step(stage.figures.rounds.close_on, TITLE, "balance", lambda: books(stage))]


async def columns(stage: Stage, day: date) -> dict[str, Any]:
    """All columns of one day, each from the service that owns it; `difference` against the typed opening."""
    office = stage.office
    clerk = office.token("people_officer", "a")
    people = await office.get("registry", f"/v1/regions/{stage.region}/balance", clerk, on=day.isoformat())
    pool = await office.get("placement", f"/v1/regions/{stage.region}/pool", clerk, on=day.isoformat())
    assert pool["total"] == people["pool"], (
        f"{stage.region} {day}: placement knows {pool['total']} of the {people['pool']} people of the pool"
    )
    waiting, ineligible = Counter(pool["waiting"]), Counter(pool["ineligible"])
    found = {
        "asn": people["asn"],
        "paruh_waktu": people["paruh_waktu"],
        "left": dict(people["left"]),
        "serving": people["serving"],
        "placed": pool["placed"],
        "declined": pool["declined"],
        "ineligible": dict(ineligible),
        "waiting": dict(waiting),
    }
    total = sum(sum(value.values()) if isinstance(value, dict) else value for value in found.values())
    found["difference"] = stage.figures.opening.people - total
    return found


async def books(stage: Stage) -> None:
    """Every dated row, and what the press or arithmetic says beside it."""
    office, by_date = stage.office, {}
    for row in stage.figures.balance:
        found = await columns(stage, row.day)
        by_date[row.day.isoformat()] = found
        for column in ("asn", "paruh_waktu", "placed", "declined", "ineligible", "left", "serving", "waiting"):
            value = found[column]
            counted = sum(value.values()) if isinstance(value, dict) else value
            expected = getattr(row, column)
            differs = counted != expected
            if differs and (row.marks.get(column, "A") != "A" or column in ("asn", "paruh_waktu", "left", "serving")):
                raise AssertionError(f"{stage.region} {row.day} {column}: {counted}, published {expected}")
            if differs:
                stage.said(f"{stage.region} {row.day} {column}: {counted} where we assumed {expected} (the rule wins)")
        assert found["difference"] == 0, (row.day, found)
    stage.notes["by_date"] = by_date
    treasurer = office.token("treasurer", "a")
    stage.notes["budget"] = await office.get("vendor", f"/v1/budget-lines/{stage.notes['line']}", treasurer)
    placements: Counter[tuple[str, str]] = Counter()
    incumbents: Counter[tuple[str, str]] = Counter()
    async for placement in office.list("placement", "/v1/placements", office.token("placement_signer", "b")):
        if placement["state"] not in ("confirmed", "started", "disputed"):
            continue
        at = (placement["job"], placement["agency"])
        placements[at] += 1
        incumbents[at] += bool(placement["incumbent"])
    stage.notes["placements"] = placements
    stage.notes["incumbents"] = incumbents
    last = by_date[max(by_date)]
    assert sum(placements.values()) == last["placed"], (placements, last)
