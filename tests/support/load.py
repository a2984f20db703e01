"""A load on the doors of an installation: people uploaded, vendors registered, preferences told, until somebody says enough."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from deploy.local.scenario.chapters import c1_opening
from deploy.local.scenario.driver import Driver, Place, Refusal
from deploy.local.scenario.figures import read
from deploy.local.scenario.office import Office
from deploy.local.scenario.people import Person, generate, people_rows, table
from deploy.local.scenario.stage import Stage

PAUSE = 0.05
CHUNK = 20
"""People in one file: small, so that there is always one under way."""


class Load:
    """What the officers of a region do all day, in a region that the scenario beside it does not look at."""

    def __init__(self, place: Place, region: str, seed: int, folder: Path) -> None:
        self.driver = Driver(place, patience=400)
        figures = read(region)
        self.stage = Stage(Office(self.driver, figures), figures, generate(figures, seed), said=lambda _: None)
        self.stage.notes["runs"] = folder

    async def open(self) -> None:
        """The region's rules, without which its doors are closed."""
        await c1_opening.rules(self.stage)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._people())
            for desk in range(2):
                group.create_task(self._vendors(desk))
                group.create_task(self._preferences(desk))

    async def _people(self) -> None:
        """One small file after the other, each twice: the second time nothing may change."""
        people = list(self.stage.people)
        while True:
            for start in range(0, len(people), CHUNK):
                content = table(people_rows(people[start : start + CHUNK]))
                await self.stage.office.upload("people", content)
                again = await self.stage.office.upload("people", content)
                assert (again["new"], again["changed"]) == (0, 0), again
                await self._learn(people[start : start + CHUNK])
                await asyncio.sleep(PAUSE)

    async def _learn(self, people: Sequence[Person]) -> None:
        """The worker ids of these people."""
        office, by_nik = self.stage.office, {person.nik: person for person in people}
        body = {"purpose": "payroll", "region": self.stage.region, "niks": sorted(by_nik)}
        found = await office.post("registry", "/v1/identities/lookup", office.token("service", "payroll"), body)
        self.stage.persons |= {one["worker_id"]: by_nik[one["nik"]] for one in found["people"]}

    async def _vendors(self, desk: int) -> None:
        office, token, number = self.stage.office, self.stage.office.token("procurement_officer", "a"), 0
        while True:
            number += 1
            nib = f"{desk + 1:03d}{number:010d}"
            body = {"region": self.stage.region, "name": f"PT Beban {nib}", "nib": nib}
            vendor = await office.post("vendor", "/v1/vendors", token, body)
            paper = {"kind": "nib", "number": nib, "valid_from": "2024-01-01", "valid_until": "2028-12-31"}
            await office.post("vendor", f"/v1/vendors/{vendor['id']}/documents", token, {"documents": [paper]})
            await asyncio.sleep(PAUSE)

    async def _preferences(self, desk: int) -> None:
        token, office, number = self.stage.office.token("desk", "a"), self.stage.office, desk
        while True:
            workers = sorted(self.stage.persons)
            if not workers:
                await asyncio.sleep(0.2)
                continue
            worker = workers[number % len(workers)]
            number += 7
            body = {"worker_id": worker, "families": [self.stage.persons[worker].family]}
            try:
                await office.post("notify", "/v1/desk/preferences", token, body)
            except Refusal as refusal:
                # the desk has not heard of this person yet
                if refusal.status not in (404, 409, 422):
                    raise
            await asyncio.sleep(PAUSE)
