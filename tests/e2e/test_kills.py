"""The scenario of the invented region while processes are killed, and with every role in processes of its own."""

import asyncio
import functools
import hashlib
import os
import secrets
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import pytest

from deploy.local import invariants
from deploy.local.scenario.chapters import CHAPTERS
from deploy.local.scenario.driver import Driver
from deploy.local.scenario.play import Play, first_day
from deploy.local.scenario.stage import Step
from deploy.local.stack import Stack
from shared.cli.app import _subscriptions
from tests.support.crash_serve import POINTS
from tests.support.kills import BROKER, ForkedStack, Killer, Watch, units_of
from tests.support.load import Load
from tests.support.zygote import Zygotes

REGION = "99.01"
REPORT = Path(__file__).parents[2] / "var" / "kills" / "report.json"
KILLS = 20
MORE = 4
"""In the load, and in the scenario that follows it."""
EFFECTS = 1_000
ALL = ("api", "consumer", "relay", "timers", "jobs")
PLAN: dict[str, list[tuple[str, ...]]] = {
    # one service does everything in one process; the others apart as far as it changes what a kill hits
    "registry": [ALL],
    "vendor": [("api", "timers", "jobs"), ("consumer",), ("relay",)],
    "placement": [("api", "timers", "jobs"), ("consumer",), ("relay",)],
    "notify": [("api", "consumer", "timers", "jobs"), ("relay",)],
}
TRAPS = [
    ("registry", "after-commit"),
    ("placement-consumer", "mid-batch"),
    ("placement-relay", "after-send"),
    ("notify-api-consumer-timers-jobs", "before-commit"),
    ("registry", "before-commit"),
    ("placement-consumer", "after-effect"),
    ("vendor-consumer", "after-effect"),
    ("vendor-relay", "after-send"),
    ("notify-api-consumer-timers-jobs", "after-effect"),
    ("registry", "after-send"),
    ("placement-consumer", "before-commit"),
    ("vendor-api-timers-jobs", "before-commit"),
    ("placement-consumer", "after-commit"),
]
pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.timeout(900)]


def projections(service: str) -> dict[str, tuple[str, ...]]:
    """The projections of a service with the tables they write."""
    return {found.name: found.tables for found in _subscriptions(service) if found.sort == "projection"}


async def state_of(dsn: str, tables: tuple[str, ...]) -> dict[str, tuple[int, str]]:
    """Rows and hash of each table, whatever the order of its rows."""
    connection = await asyncpg.connect(dsn)
    try:
        found = {}
        for table in tables:
            rows = sorted(str(row["row"]) for row in await connection.fetch(f"SELECT t::text AS row FROM {table} t"))
            found[table] = (len(rows), hashlib.sha256("\n".join(rows).encode()).hexdigest())
        return found
    finally:
        await connection.close()


async def rebuilt_is_live(stack: ForkedStack) -> invariants.Found:
    """I9: every projection, rebuilt by the command line from its topic, equals the one that lived through everything."""
    known = {service: projections(service) for service in invariants.SERVICES}
    dsns = stack.reader_dsns()
    before = {service: {name: await state_of(dsns[service], t) for name, t in names.items()} for service, names in known.items()}
    for service, names in known.items():
        for name in names:
            await stack.command(service, "rebuild", name, "--service", service)
    driver = Driver(stack, patience=300)
    try:
        for service in known:
            await driver.until(f"{service}'s projections to be rebuilt", functools.partial(live, dsns[service]))
        await driver.quiet()
    finally:
        await driver.close()
    found = invariants.Found()
    for service, names in known.items():
        for name, tables in names.items():
            now = await state_of(dsns[service], tables)
            found.add(sum(rows for rows, _ in now.values()), [f"{service}: {t}" for t in tables if now[t] != before[service][name][t]])
    return found


async def live(dsn: str) -> bool:
    """Whether no consumer is being rebuilt."""
    connection = await asyncpg.connect(dsn)
    try:
        return not await connection.fetchval("SELECT count(*) FROM consumer WHERE state = 'rebuilding'")
    finally:
        await connection.close()


async def held(stack: Stack) -> dict[str, invariants.Found]:
    """Every invariant of a quiet installation; each must have looked at something and found nothing."""
    found = await invariants.check(stack.reader_dsns())
    for title, one in found.items():
        assert one.held, (title, one)
    return found


async def look(stack: ForkedStack, found: dict[str, invariants.Found]) -> None:
    """Every invariant, the rebuild last."""
    found |= await held(stack)
    found["I9"] = await rebuilt_is_live(stack)


async def test_killed_at_random_and_at_named_points_nothing_is_lost_and_nothing_is_twice(tmp_path: Path) -> None:
    seed = int(os.environ.get("JEMBATAN_KILL_SEED") or secrets.randbelow(1_000_000))
    told = f"kill slice with seed {seed}; again: JEMBATAN_KILL_SEED={seed}"
    async with (
        Zygotes(tmp_path / "zygotes") as zygotes,
        ForkedStack(
            tmp_path / "stack", zygotes, units=units_of(PLAN), test_build=True, opening=first_day((REGION,)), durable=False
        ) as stack,
        Watch(stack) as watch,
    ):
        killer = Killer(stack, watch, seed, list(TRAPS), broker_at=(7,))
        load = Load(stack, "13.74", seed, tmp_path / "load")
        play = Play(stack, (REGION,), seed, tmp_path / "runs", lambda _: None, patience=400)
        try:
            async with asyncio.timeout(600):
                await load.open()
                started = await watch.effects()
                await beside(load.run(), killer.run(KILLS))
                await slice_of(killer, play)
                effects = await watch.effects() - started
                found: dict[str, invariants.Found] = {}
                await beside(killer.keep_going(), look(stack, found))
        except BaseException as error:
            error.add_note(told)
            write(killer.report(failed=repr(error)[:2000]))
            raise
        shown = {title: {"checked": one.checked, "violations": one.violations, "first": one.first} for title, one in found.items()}
        report = killer.report(effects=effects, invariants=shown)
        write(report)
    assert found["I9"].held, (told, found["I9"])
    judge(msgspec.json.decode(report), told)


async def slice_of(killer: Killer, play: Play) -> None:
    """The whole scenario, killed into from its first step on; it may be over before the last of these kills has counted."""
    playing = asyncio.create_task(play.run())
    killing = asyncio.create_task(killer.run(KILLS + MORE))
    try:
        await asyncio.wait({killing, playing}, return_when=asyncio.FIRST_COMPLETED)
        killer.enough()
        await killing
        await beside(killer.keep_going(), wait_for(playing))
    finally:
        for task in (killing, playing):
            task.cancel()
        await asyncio.gather(killing, playing, return_exceptions=True)


async def wait_for(task: asyncio.Task[None]) -> None:
    """What the task gives."""
    await task


async def beside(background: Coroutine[Any, Any, None], work: Coroutine[Any, Any, None]) -> None:
    """Do the work while something goes on beside it; that ends with the work, and must not end before."""
    tasks = [asyncio.create_task(background), asyncio.create_task(work)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[0].done():
            tasks[0].result()
        await tasks[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def write(report: bytes) -> None:
    """Where the report is kept."""
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_bytes(report)


def judge(report: dict[str, Any], told: str) -> None:
    """Enough kills that counted, of every kind, and enough at stake."""
    kills = report["kills"]
    assert report["counted"] == len(kills) >= 20, (told, report["by_target"], report["spared"])
    for kill in kills:
        held = kill["held"]
        assert held["transaction"] or held["unsent"] or held["uncommitted"], (told, kill)
    assert report["effects"] >= EFFECTS, (told, report["effects"])
    roles = {role for kill in kills for role in kill["roles"]}
    assert {"relay", "consumer", BROKER} <= roles, (told, roles)
    reasons = {kill["reason"] for kill in kills}
    assert "random" in reasons and len(reasons & set(POINTS)) >= 3, (told, reasons)


@pytest.mark.slow
async def test_every_role_in_processes_of_its_own_twice_and_restarted_between_chapters(tmp_path: Path) -> None:
    async with (
        Zygotes(tmp_path / "zygotes") as zygotes,
        ForkedStack(tmp_path / "stack", zygotes, apart=True, replicas=2, opening=first_day((REGION,)), durable=False) as stack,
    ):
        assert len(stack.units) == 40
        chapters: list[str] = []

        async def between(step: Step) -> None:
            if step.chapter in chapters:
                return
            if chapters:
                # in two waves, so that one replica of each is always there
                for replica in ("-1", "-2"):
                    await stack.renew([unit for unit in stack.units if unit.name.endswith(replica)])
            chapters.append(step.chapter)

        play = Play(stack, (REGION,), 3, tmp_path / "runs", lambda _: None, between=between, patience=400)
        await play.run()
        await held(stack)
        assert {day["difference"] for day in play.stages[0].notes["by_date"].values()} == {0}
        assert len(stack.exits) == 40 * (len(CHAPTERS) - 1)
    assert {code for _, code in stack.exits} == {0}, [unit for unit in stack.exits if unit[1]]
