"""Opening: rule packs activated by two officers, the people uploaded, the same file again, planted defects back with reasons."""

import csv
import io

from deploy.local.scenario.people import PLANTED, credential_rows, defective_rows, people_rows, table
from deploy.local.scenario.stage import Stage, Step
from shared.regulation.sources import build

TITLE = "opening"
BUDGET = 60.0


def steps(stage: Stage) -> list[Step]:
    """Everything on the opening day."""
    day = stage.figures.opening.day
    return [
        Step(day, TITLE, "rules", lambda: rules(stage)),
        Step(day, TITLE, "people", lambda: people(stage)),
        Step(day, TITLE, "again", lambda: again(stage)),
        Step(day, TITLE, "papers", lambda: papers(stage)),
    ]


async def rules(stage: Stage) -> None:
    """One officer drafts the pack, another activates it; the same one may not."""
    office = stage.office
    first, second = office.token("people_officer", "a"), office.token("people_officer", "b")
    sha256 = build(stage.region).sha256
    draft = {"region": stage.region, "sha256": sha256, "effective_on": "2024-01-01"}
    pack = await office.post("registry", "/v1/packs", first, draft)
    found = await office.refused("registry", f"/v1/packs/{pack['pack_id']}/activation", first, {})
    stage.refusal("a rule pack activated by the officer who drafted it", found, "same-officer")
    await office.post("registry", f"/v1/packs/{pack['pack_id']}/activation", second, {})
    await office.driver.quiet()


async def people(stage: Stage) -> None:
    """The people file with defects planted on top: good rows go on, bad ones come back."""
    office, opening = stage.office, stage.figures.opening
    total = {"region": stage.region, "opening": opening.people, "on": opening.day.isoformat(), "source": opening.source}
    await office.post("registry", "/v1/control-totals", office.token("people_officer", "a"), total)
    content = table([*people_rows(stage.people), *defective_rows(stage.people)])
    stage.notes["people_file"] = content
    found = await office.upload("people", content)
    assert found["new"] == opening.people, found
    assert found["rejected"] == PLANTED, found["rejected"]
    stage.rejects.update(found["rejected"])
    rejects = await office.text("registry", f"/v1/imports/{found['import_id']}/rejects.csv", office.token("people_officer", "a"))
    rows = list(csv.DictReader(io.StringIO(rejects)))
    assert len(rows) == sum(PLANTED.values()), len(rows)
    assert all(row["line"] and row["column"] and row["code"] and row["advice"] for row in rows), "a reject without line or advice"
    await stage.learn()
    assert len(stage.workers) == opening.people, len(stage.workers)


async def again(stage: Stage) -> None:
    """The same file again: nothing changes."""
    found = await stage.office.upload("people", stage.notes["people_file"])
    assert (found["new"], found["changed"]) == (0, 0), found
    assert found["unchanged"] == stage.figures.opening.people, found


async def papers(stage: Stage) -> None:
    """Licences and certificates, as the agencies keep them."""
    rows = list(credential_rows(stage.people))
    if rows:
        await stage.office.uploads("credentials", rows)
