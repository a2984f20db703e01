"""`jembatan demo` and `jembatan up`: the whole system on one machine, played by the scenario or left running."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.local import invariants
from deploy.local.processes import ProcessError, interruptible
from deploy.local.scenario import report
from deploy.local.scenario.driver import NotQuiet, Refusal
from deploy.local.scenario.figures import read, regions
from deploy.local.scenario.play import Play, first_day
from deploy.local.stack import Stack
from shared.identity import ROLES

FOLDER = Path("var/demo")
REGIONS = ("13.74", "15.05")
PLAYED = ("13.74",)
Folder = Annotated[Path, typer.Option(help="Where the run keeps its data, logs and results.")]


def demo(
    region: Annotated[list[str] | None, typer.Option(help="A region to play (repeat it for several); without it 13.74.")] = None,
    seed: Annotated[int, typer.Option(help="The people are generated from it.")] = 1,
    folder: Folder = FOLDER,
    apart: Annotated[bool, typer.Option(help="Each role of each service in a process of its own, two of each.")] = False,
) -> None:
    """Carry the people of a government across, through public doors, and check that nobody was lost.

    Example: jembatan demo --region 13.74 --seed 7
    """
    chosen = tuple(region or PLAYED)
    if unknown := set(chosen) - set(regions()):
        raise typer.BadParameter(f"no figures for {', '.join(sorted(unknown))}; there are {', '.join(regions())}")
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty(), width=None if sys.stdout.isatty() else 160)
    try:
        asyncio.run(_demo(console, chosen, seed, folder, apart))
    except (AssertionError, ExceptionGroup, ProcessError, Refusal, NotQuiet, TimeoutError) as error:
        notes = getattr(error, "__notes__", ())
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        console.print("the demo did not hold:", style="red")
        for line in (f"{type(error).__name__}: {error}", *notes):
            console.print(line, markup=False)
        console.print(f"the logs are in {folder / 'logs'}", markup=False)
        if os.environ.get("JEMBATAN_TRACEBACK"):
            raise
        raise typer.Exit(1) from None


async def _demo(console: Console, chosen: Sequence[str], seed: int, folder: Path, apart: bool) -> None:
    def say(line: str) -> None:
        console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {line}", markup=True)

    say(f"regions {', '.join(chosen)}, seed {seed}, data in {folder}")
    stack = Stack(folder, apart, 2 if apart else 1, opening=first_day(chosen), make_cache=True, say=say)
    async with interruptible(), stack:
        say(f"ready after {stack.seconds['setup'] + stack.seconds['ready']:.1f} s")
        begun = time.perf_counter()
        play = Play(stack, chosen, seed, folder.absolute() / "runs", say)
        await play.run()
        seconds = {**stack.seconds, "scenario": time.perf_counter() - begun}
        say("invariants, with SQL of their own")
        found = await invariants.check(stack.reader_dsns())
        events = await invariants.events_by_type(stack.reader_dsns())
        for name, one in found.items():
            assert one.held, f"{name}: looked at {one.checked}, {one.violations} violations: {'; '.join(one.first)}"
        result = report.build(play.stages, events, found, seconds, play.chapters)
        (folder / "report.json").write_text(json.dumps(result, indent=1))
        report.show(console, play.stages, result, found)
        say("stopping everything")
    assert all(code == 0 for _, code in stack.exits), f"not every service ended with 0: {stack.exits}"
    people = sum(read(region).opening.people for region in chosen)
    console.print(f"{people:,} people, difference 0 on every date, every invariant held. Result: {folder / 'report.json'}")


def up(
    folder: Folder = Path("var/up"),
    live: Annotated[bool, typer.Option(help="Business time starts now; else on the first day of 2025.")] = True,
    region: Annotated[list[str] | None, typer.Option(help="Regions whose rules are activated; without it both real ones.")] = None,
) -> None:
    """Leave the whole system running; print addresses and a token per role. Ctrl-C stops it and leaves no process behind.

    Example: jembatan up --region 13.74
    """
    console = Console(highlight=False, soft_wrap=True)
    asyncio.run(_up(console, folder, tuple(region or REGIONS), datetime.now(UTC) if live else datetime(2025, 1, 1, 2, tzinfo=UTC)))


async def _up(console: Console, folder: Path, chosen: Sequence[str], opening: datetime) -> None:
    from deploy.local.scenario.chapters.c1_opening import rules
    from deploy.local.scenario.driver import Driver
    from deploy.local.scenario.office import Office
    from deploy.local.scenario.stage import Stage

    async with interruptible(), Stack(folder, opening=opening, make_cache=True, say=console.print) as stack:
        driver = Driver(stack)
        for region in chosen:
            figures = read(region)
            await rules(Stage(Office(driver, figures), figures, ()))
        await driver.close()
        addresses = Table(title="addresses")
        for heading in ("what", "where"):
            addresses.add_column(heading, overflow="fold")
        for unit in stack.units:
            addresses.add_row(unit.service, f"{unit.url}/docs")
            addresses.add_row(f"{unit.service} probes and metrics", f"{unit.metrics_url}/metrics")
        addresses.add_row("Kafka", stack.bootstrap)
        addresses.add_row("mail", f"{stack.sink.url}/messages")
        addresses.add_row("clock (PUT /now, bearer token beside)", f"{stack.clock.url}/now  {stack.clock.token}")
        console.print(addresses)
        for region in chosen:
            issuer = read(region).issuer
            for role in sorted(ROLES):
                agencies = ("setda",) if role == "agency_officer" else ()
                console.print(f"\n{region} {role}:\n{stack.mint(issuer, f'{role}-a', (role,), (region,), agencies)}", markup=False)
        console.print("\nrunning; Ctrl-C stops it")
        await asyncio.Event().wait()
