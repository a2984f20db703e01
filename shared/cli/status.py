"""`jembatan status`: lags, log age, parked, gaps, jobs and timers of every service on one screen."""

import asyncio
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from shared.cli.where import Target, targets
from shared.cli.words import advice

OLD_SECONDS = 10.0

_SQL = """
SELECT (SELECT count(*) FROM pending) AS pending,
       coalesce((SELECT extract(epoch FROM :wall - min(e.recorded_at)) FROM event e
                 WHERE e.seq = (SELECT min(p.seq) FROM pending p)), 0) AS log_age,
       (SELECT count(*) FROM parked WHERE state = 'waiting' AND kind NOT IN ('gap', 'behind')) AS parked,
       (SELECT count(DISTINCT (consumer, aggregate_id)) FROM parked WHERE state = 'waiting' AND kind = 'gap') AS gaps,
       (SELECT count(*) FROM timer WHERE due <= :business) AS timers_due,
       (SELECT count(*) FROM timer) AS timers,
       (SELECT count(*) FROM job WHERE state IN ('queued', 'running')) AS jobs_open,
       (SELECT count(*) FROM job WHERE state = 'failed') AS jobs_failed,
       (SELECT coalesce(max(seq), 0) FROM event) AS events
"""


@dataclass(slots=True)
class Status:
    """One service, as found. `trouble` are lines for a person; empty means all is well."""

    service: str
    figures: dict[str, float] = field(default_factory=dict)
    lags: dict[str, int | None] = field(default_factory=dict)
    rebuilding: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)


async def look(one: Target) -> Status:
    """Ask the service's database and the broker."""
    status = Status(one.service)
    try:
        async with asyncio.timeout(15), one.database() as db, db.begin("worker", one.operator(), "cli.status") as tx:
            row = await tx.one(_SQL, wall=tx.stamp.wall, business=tx.stamp.business)
            consumers = await tx.rows("SELECT name, generation, state FROM consumer ORDER BY name")
        status.figures = {name: float(value) for name, value in dict(row or {}).items()}
        status.rebuilding = [str(c["name"]) for c in consumers if c["state"] == "rebuilding"]
        for name, text in (
            ("parked", "parked records: see `jembatan parked list`"),
            ("jobs_failed", "failed jobs: see GET /v1/jobs?state=failed"),
        ):
            if status.figures[name]:
                status.trouble.append(f"{status.figures[name]:.0f} {text}")
        if status.figures["gaps"]:
            status.trouble.append(f"{status.figures['gaps']:.0f} aggregates wait for a missing event")
        if status.figures["log_age"] > OLD_SECONDS:
            status.trouble.append(f"an event waits for {status.figures['log_age']:.0f} s: is the relay running, and Kafka up?")
        async with asyncio.timeout(15):
            status.lags = await _lags(one, [(str(c["name"]), int(c["generation"])) for c in consumers])
    except Exception as error:
        known = advice(error)
        if known is None:
            raise
        status.trouble.append(known)
    return status


async def _lags(one: Target, consumers: list[tuple[str, int]]) -> dict[str, int | None]:
    from aiokafka.errors import GroupCoordinatorNotAvailableError

    from shared.kafka import ends

    kafka = one.kafka()
    lags: dict[str, int | None] = {}
    probe = kafka.consumer()
    async with kafka.admin() as admin:
        await probe.start()
        try:
            for name, generation in consumers:
                try:
                    committed: dict[Any, Any] = await admin.list_consumer_group_offsets(kafka.group(one.service, name, generation))
                except GroupCoordinatorNotAvailableError:
                    # A broker that has never had a group.
                    committed = {}
                limits = await ends(probe, sorted({place.topic for place in committed}))
                lags[name] = (
                    sum(max(0, end - max(first, committed[p].offset if p in committed else 0)) for p, (first, end) in limits.items())
                    if committed
                    else None
                )
        finally:
            await probe.stop()
    return lags


def run(files: list[Path], service: str, as_json: bool) -> bool:
    """Print the screen; True when all is well."""

    async def all_of_them() -> list[Status]:
        return list(await asyncio.gather(*(look(one) for one in targets(files, service))))

    found = asyncio.run(all_of_them())
    well = not any(one.trouble for one in found)
    import typer

    if as_json:
        typer.echo(json.dumps({"well": well, "services": [asdict(one) for one in found]}, indent=1))
        return well
    _print(found)
    return well


def _print(found: list[Status]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(
        "service",
        "events",
        "pending",
        "log age s",
        "lag",
        "parked",
        "gaps",
        "timers due",
        "jobs open",
        box=None,
    )
    for one in found:
        f = one.figures
        behind = sum(value or 0 for value in one.lags.values())
        shown = [f"{f.get(name, 0):.{1 if name == 'log_age' else 0}f}" if f else "-" for name in ("events", "pending", "log_age")]
        rest = [f"{f.get(name, 0):.0f}" if f else "-" for name in ("parked", "gaps", "timers_due", "jobs_open")]
        table.add_row(one.service, *shown, str(behind) if one.lags else "-", *rest)
    console.print(table)
    for one in found:
        for name, lag in one.lags.items():
            if lag or lag is None:
                console.print(f"{one.service}: {name} is {'not started' if lag is None else f'{lag} records behind'}")
        for name in one.rebuilding:
            console.print(f"{one.service}: {name} is being rebuilt")
        for line in one.trouble:
            console.print(f"{one.service}: {line}", style="bold red")
