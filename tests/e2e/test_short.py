"""The scenario of the invented region through the real command, and what a small change of the world changes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import msgspec
import psutil
import pytest

from deploy.local import invariants
from deploy.local.scenario.figures import Figures, read
from deploy.local.scenario.people import Person
from deploy.local.scenario.play import Play, first_day
from deploy.local.scenario.report import SCHEMA
from deploy.local.scenario.stage import Stage
from deploy.local.stack import Stack

REGION = "99.01"
pytestmark = pytest.mark.timeout(900)


def test_the_command_carries_everybody_across_and_leaves_nothing_running(tmp_path: Path) -> None:
    environment = {**os.environ, "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "shared.cli", "demo", "--region", REGION, "--seed", "3", "--folder", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = json.loads((tmp_path / "report.json").read_text())
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    region = found["regions"][REGION]
    last = read(REGION).balance[-1]
    assert (region["placed"], region["declined"]) == (last.placed, last.declined)
    assert sum(region["waiting"].values()) == last.waiting
    assert {day["difference"] for day in region["by_date"].values()} == {0}
    slugs = {refusal["slug"] for refusal in found["refused"]}
    assert {"wage-below-floor", "over-the-line", "line-not-approved", "vendor-debarred", "round-same-officer"} <= slugs
    left = [p.info for p in psutil.process_iter(["pid", "cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or [])]
    assert left == []


Alter = Callable[[Figures, tuple[Person, ...]], tuple[Figures, tuple[Person, ...]]]


async def played(folder: Path, alter: Alter | None = None) -> Stage:
    """The scenario of the region with one seed, altered or not; every invariant held."""
    async with Stack(folder, opening=first_day((REGION,)), durable=False) as stack:
        run = Play(stack, (REGION,), 3, folder / "runs", lambda _: None, alter=alter)
        await run.run()
        for title, found in (await invariants.check(stack.reader_dsns())).items():
            assert found.held, (title, found)
        return run.stages[0]


def one_seat_one_card_one_yes_fewer(figures: Figures, people: tuple[Person, ...]) -> tuple[Figures, tuple[Person, ...]]:
    """One cleaning seat fewer; one willing guard without the card; one willing driver who does not want the scheme."""
    first, *rest = figures.vendors
    lot = first.lots[0]
    assert lot.job == "cleaning"
    lots = (msgspec.structs.replace(lot, seats=lot.seats - 1), *first.lots[1:])
    figures = msgspec.structs.replace(figures, vendors=(msgspec.structs.replace(first, lots=lots), *rest))
    changed = list(people)
    guard = next(
        i for i, p in enumerate(people) if p.family == "guard" and p.will == "yes" and len(p.credentials) == 2 and p.birth_date.year > 1970
    )
    changed[guard] = replace(people[guard], credentials=tuple(c for c in people[guard].credentials if c.credential != "kta"))
    driver = next(
        i for i, p in enumerate(people) if p.family == "driver" and p.will == "yes" and any(c.class_ == "A" for c in p.credentials)
    )
    changed[driver] = replace(people[driver], will="refuse")
    return figures, tuple(changed)


async def test_one_seat_one_card_and_one_yes_fewer_move_exactly_those_people(tmp_path: Path) -> None:
    before = (await played(tmp_path / "before")).notes["by_date"]
    after = (await played(tmp_path / "after", one_seat_one_card_one_yes_fewer)).notes["by_date"]
    was, now = before["2026-01-31"], after["2026-01-31"]
    assert now["placed"] == was["placed"] - 3
    assert now["declined"] == was["declined"] + 1
    assert now["waiting"].get("no_kta", 0) == was["waiting"].get("no_kta", 0) + 1
    assert now["waiting"].get("no_seat", 0) == was["waiting"].get("no_seat", 0) + 1
    untouched = ("asn", "paruh_waktu", "left", "serving", "ineligible")
    assert {column: now[column] for column in untouched} == {column: was[column] for column in untouched}
    assert now["difference"] == was["difference"] == 0
