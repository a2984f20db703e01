"""Plays the scenario: the steps of all regions in the order of their days, on one installation with one clock."""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from datetime import time as clock_time
from pathlib import Path

from .chapters import CHAPTERS
from .driver import WIB, Driver, Place
from .figures import Figures, read
from .office import Office
from .people import Person, generate
from .stage import Stage, Step

SLACK = 10.0
"""A chapter fails at this many times its budget: budgets are for people to read, the time-out only ends what hangs."""


@dataclass(slots=True)
class Play:
    """A scenario in progress. `between` is called before each step (restarts and kills come in there)."""

    place: Place
    regions: Sequence[str]
    seed: int
    runs: Path
    say: Callable[[str], None]
    between: Callable[[Step], object] | None = None
    alter: Callable[[Figures, tuple[Person, ...]], tuple[Figures, tuple[Person, ...]]] | None = None
    """A what-if: other seats or other people than the files say."""
    patience: float = 120.0
    """The longest wait for quiet in seconds."""
    stages: list[Stage] = field(default_factory=list)
    chapters: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    def prepare(self, driver: Driver) -> list[tuple[Stage, Step]]:
        """All steps of all regions, by day, in chapter order within a day."""
        order = {chapter.TITLE: number for number, chapter in enumerate(CHAPTERS)}
        found = []
        for region in self.regions:
            figures = read(region)
            people = generate(figures, self.seed)
            if self.alter is not None:
                figures, people = self.alter(figures, people)
            stage = Stage(Office(driver, figures), figures, people, said=self.say)
            stage.notes["runs"] = self.runs
            self.stages.append(stage)
            found += [(stage, step) for chapter in CHAPTERS for step in chapter.steps(stage)]
        return sorted(found, key=lambda pair: (pair[1].day, order[pair[1].chapter], pair[0].region))

    async def run(self) -> None:
        """Every step. Raises what the first failing step raises, with the step's name."""
        driver = Driver(self.place, self.patience)
        budgets = {chapter.TITLE: chapter.BUDGET for chapter in CHAPTERS}
        try:
            for stage, step in self.prepare(driver):
                if self.between is not None:
                    waited = self.between(step)
                    if hasattr(waited, "__await__"):
                        await waited
                started = time.perf_counter()
                try:
                    await driver.advance(step.day)
                    await step.run()
                except BaseException as error:
                    error.add_note(f"in chapter {step.chapter}, step {step.name}, region {stage.region}, day {step.day}")
                    raise
                took = time.perf_counter() - started
                self.chapters[step.chapter] += took
                self.say(f"{step.day} {stage.region} {step.chapter}: {step.name} ({took:.1f} s)")
                spent, budget = self.chapters[step.chapter], budgets[step.chapter] * len(self.regions) * SLACK
                if spent > budget:
                    raise TimeoutError(f"chapter {step.chapter} took {spent:.0f} s of {budget:.0f}")
            await driver.quiet()
        finally:
            await driver.close()


def first_day(regions: Sequence[str]) -> datetime:
    """Business time at which a scenario with these regions begins."""
    return datetime.combine(min(read(region).opening.day for region in regions), clock_time(8), WIB)
