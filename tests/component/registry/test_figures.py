"""The two regions' opening and exits, as the offices' files tell them, end in the published columns: with any seed."""

from datetime import date, datetime, time

import pytest

from deploy.local.scenario import figures, people
from deploy.local.scenario.chapters.c2_exits import ROWS
from shared.clock import WIB
from tests.component.registry.files import send
from tests.support.running import Running
from tests.support.servers import Servers


@pytest.mark.slow
@pytest.mark.parametrize(("region", "seed"), [("13.74", 1), ("13.74", 20), ("15.05", 1)])
async def test_the_published_columns_are_met_on_every_date(servers: Servers, region: str, seed: int) -> None:
    plan = figures.read(region)
    start = datetime.combine(plan.opening.day, time(9), WIB)
    async with Running("registry", servers, start=start) as registry:
        await registry.activate_pack(region, date(2024, 1, 1))
        persons = people.generate(plan, seed)
        content = people.table([*people.people_rows(persons), *people.defective_rows(persons)])
        first = await send(registry, "people", content, region=region)
        assert (first["new"], first["rejected"]) == (plan.opening.people, people.PLANTED)
        again = await send(registry, "people", content, region=region)
        assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, plan.opening.people)
        papers = await send(registry, "credentials", people.table(people.credential_rows(persons)), region=region)
        assert not papers["rejected"]
        for fact in plan.history:
            registry.clock.move(fact.day)
            named = [one for one in persons if not fact.groups or one.group in fact.groups]
            rows = [{"nik": one.nik} | ROWS[fact.kind](fact, one) for one in named]
            done = await send(registry, fact.kind, people.table(rows), region=region)
            assert (done["new"], done["rejected"]) == (len(rows), {}), fact
        total = {"region": region, "opening": plan.opening.people, "on": plan.opening.day.isoformat(), "source": plan.opening.source}
        officer = registry.bearer("people_officer", regions=(region,))
        assert (await registry.http.post("/v1/control-totals", json=total, headers=officer)).status_code == 201
        for row in plan.balance:
            found = (await registry.http.get(f"/v1/regions/{region}/balance?on={row.day}", headers=officer)).json()
            columns = (found["asn"], found["paruh_waktu"], sum(found["left"].values()), found["serving"], found["difference"])
            assert columns == (row.asn, row.paruh_waktu, row.left, row.serving, 0), row.day
            assert found["pool"] == row.placed + row.declined + row.ineligible + row.waiting, row.day
