"""The result of a run: `report.json` (its shape is `report.schema.json`) and the tables a person reads."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jsonschema
from rich.console import Console
from rich.table import Table

from deploy.local.invariants import Found

from .figures import COLUMNS
from .stage import Stage

SCHEMA = Path(__file__).parent / "report.schema.json"


def region(stage: Stage) -> dict[str, Any]:
    """One region's part."""
    by_date = stage.notes["by_date"]
    last = by_date[max(by_date)]
    budget = stage.notes["budget"]
    return {
        "opening": stage.figures.opening.people,
        **{column: last[column] for column in COLUMNS},
        "difference": last["difference"],
        "by_date": by_date,
        "budget": {"ceiling": budget["ceiling"], "committed": budget["committed"]},
    }


def build(
    stages: Sequence[Stage],
    events: Mapping[str, int],
    invariants: Mapping[str, Found],
    seconds: Mapping[str, float],
    chapters: Mapping[str, float],
) -> dict[str, Any]:
    """The whole report; raises `jsonschema.ValidationError` when it has not the promised shape."""
    waits = sorted(wait * 1000 for stage in stages for wait in stage.waits)
    messages = sum((stage.notes.get("messages", Counter()) for stage in stages), Counter[str]())
    rejects = sum((stage.rejects for stage in stages), Counter[str]())
    found = {
        "regions": {stage.region: region(stage) for stage in stages},
        "events": dict(events),
        "rejects": dict(rejects),
        "messages": dict(messages),
        "refused": [refusal for stage in stages for refusal in stage.refused],
        "latency_ms": {"p50": _quantile(waits, 0.5), "p99": _quantile(waits, 0.99)},
        "invariants": {name: {"checked": one.checked, "violations": one.violations} for name, one in invariants.items()},
        "seconds": {name: round(value, 2) for name, value in seconds.items()},
        "chapters": {name: round(value, 2) for name, value in chapters.items()},
    }
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    return found


def _quantile(values: Sequence[float], share: float) -> float:
    return round(values[min(len(values) - 1, int(len(values) * share))], 1) if values else 0.0


def show(console: Console, stages: Sequence[Stage], report: Mapping[str, Any], found: Mapping[str, Found]) -> None:
    """What a person reads at the end."""
    for stage in stages:
        balance = Table(title=f"{stage.region}: balance of {stage.figures.opening.people} people (P published, D arithmetic, A assumed)")
        for heading in ("date", *(column.replace("_", " ") for column in COLUMNS), "difference"):
            balance.add_column(heading, justify="right")
        for row in stage.figures.balance:
            counted = stage.notes["by_date"][row.day.isoformat()]
            cells = []
            for column in COLUMNS:
                value = counted[column]
                number = sum(value.values()) if isinstance(value, dict) else value
                cells.append(f"{number:,} {row.marks.get(column, '')}".strip())
            balance.add_row(row.day.isoformat(), *cells, str(counted["difference"]))
        console.print(balance)
        reasons = Table(title=f"{stage.region}: why people wait, left or are not eligible")
        for heading in ("column", "reason", "people"):
            reasons.add_column(heading)
        for column in ("waiting", "left", "ineligible"):
            for reason, number in sorted(report["regions"][stage.region][column].items()):
                reasons.add_row(column, reason, str(number))
        console.print(reasons)
        placed = Table(title=f"{stage.region}: placed, by job and agency")
        for heading in ("job", "agency", "people", "incumbents"):
            placed.add_column(heading)
        for (job, agency), number in sorted(stage.notes["placements"].items()):
            placed.add_row(job, agency, str(number), str(stage.notes["incumbents"][(job, agency)]))
        console.print(placed)
        budget = report["regions"][stage.region]["budget"]
        console.print(f"{stage.region}: committed Rp{budget['committed']:,} of Rp{budget['ceiling']:,}".replace(",", "."))
    for title, key in (("events by type", "events"), ("rejected rows by reason", "rejects"), ("messages by state", "messages")):
        table = Table(title=title)
        table.add_column("what")
        table.add_column("number", justify="right")
        for name, number in sorted(report[key].items()):
            table.add_row(name, f"{number:,}")
        console.print(table)
    refused = Table(title="refused, by rule and article")
    for heading in ("what", "rule", "article"):
        refused.add_column(heading)
    for one in report["refused"]:
        refused.add_row(one["what"], one["rule"], one["article"])
    console.print(refused)
    table = Table(title="invariants")
    for heading in ("invariant", "looked at", "violations"):
        table.add_column(heading, justify="right")
    for name, one in found.items():
        table.add_row(name, f"{one.checked:,}", str(one.violations))
    console.print(table)
    latency, seconds = report["latency_ms"], report["seconds"]
    console.print(f"from a yes to the accepted offer, seen from outside: p50 {latency['p50']} ms, p99 {latency['p99']} ms")
    console.print("seconds: " + ", ".join(f"{name} {value}" for name, value in {**seconds, **report["chapters"]}.items()))
