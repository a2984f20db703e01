"""Imports that are interrupted, raced and large; and nothing personal outside the vault."""

import asyncio
import base64
from typing import Any
from uuid import UUID

import pytest

from services.registry import jobs
from services.registry.usecases.taking import take_rows
from shared.events.registry import WorkerRegistered
from tests.component.registry.files import PEOPLE, person, send, send_people, table, workers
from tests.support.running import Running


async def test_an_interrupted_import_goes_on_behind_the_last_committed_chunk(registry: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    async def failing(tx: Any, safe: Any, batch: Any, lines: Any) -> Any:
        counts = await take_rows(tx, safe, batch, lines)
        taken.append(lines[0].number)
        if len(taken) == 3:
            raise ConnectionResetError
        return counts

    monkeypatch.setattr(jobs, "take_rows", failing)
    monkeypatch.setattr(jobs, "CHUNK", 10)
    rows = [person() for _ in range(45)]
    # The same person again, two chunks later: still seen after the interruption.
    done = await send_people(registry, [*rows[:44], rows[0]])
    assert taken == [2, 12, 22, 22, 32, 42]
    assert (done["read"], done["new"], done["rejected"]) == (45, 44, {"duplicate_row": 1})
    ids = set(await workers(registry, rows[:44]))
    told = [one.worker_id for one in await registry.events(WorkerRegistered) if one.worker_id in ids]
    assert len(told) == len(set(told)) == 44


async def test_two_files_with_the_same_people_at_once_make_each_person_once(registry: Running) -> None:
    rows = [person() for _ in range(60)]
    officer = registry.bearer("people_officer")
    contents = [table(rows, PEOPLE), table(list(reversed(rows)), PEOPLE)]
    answers = await asyncio.gather(
        *(registry.http.post("/v1/imports?region=13.74&kind=people", content=one, headers=officer) for one in contents)
    )
    await registry.settle()
    found = [(await registry.http.get(f"/v1/imports/{one.json()['import_id']}", headers=officer)).json() for one in answers]
    assert [one["state"] for one in found] == ["done", "done"]
    assert sum(one["new"] for one in found) == 60 and sum(one["unchanged"] for one in found) == 60
    assert len(set(await workers(registry, rows))) == 60


async def test_an_upload_repeated_under_one_key_is_one_import(registry: Running) -> None:
    content = table([person()], PEOPLE)
    headers = registry.bearer("people_officer", key="b6c3a5c2-upload-twice")
    first, second = [await registry.http.post("/v1/imports?region=13.74&kind=people", content=content, headers=headers) for _ in range(2)]
    assert first.json()["import_id"] == second.json()["import_id"]
    await registry.settle()


async def test_nothing_personal_stands_outside_the_vault(registry: Running, capfd: pytest.CaptureFixture[str]) -> None:
    secret = person(name="Zamrud Khatulistiwa Rahasia", email="zamrud.rahasia@contoh.invalid", phone="089911223344")
    broken = person(name="Zamrud Khatulistiwa Rahasia", agency="tidakada", email="zamrud.rahasia@contoh.invalid")
    other = secret | {"name": "Intan Samudra Rahasia"}
    await send_people(registry, [secret, broken, other])
    (worker,) = await workers(registry, [secret])
    officer = registry.bearer("people_officer")
    await registry.http.get(f"/v1/people/{worker}?purpose=case", headers=officer)
    await registry.http.get("/v1/people?region=13.74&name=zamrud&purpose=case", headers=officer)
    await send(registry, "leavings", table([{"nik": secret["nik"], "reason": "x", "effective_on": "2026-01-01"}]))
    headless = person(name="Zamrud Khatulistiwa Rahasia", email="zamrud.rahasia@contoh.invalid")
    failed = await send(registry, "people", ",".join(headless.values()).encode() + b"\n")
    assert failed["failure"] == "missing_column"
    given = await registry.http.get(f"/v1/imports/{failed['import_id']}/rejects.csv", headers=officer)
    assert headless["nik"] in given.text
    plain = [headless["nik"], secret["nik"], broken["nik"], "Zamrud Khatulistiwa", "zamrud.rahasia", "089911223344", "Intan Samudra"]
    hidden = [form for one in plain for form in (one, one.encode().hex(), base64.b64encode(one.encode()).decode().rstrip("=")[:-2])]
    tables = await registry.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    for row in tables:
        name = row["tablename"]
        dump = "\n".join(one["t"] for one in await registry.rows(f'SELECT x::text AS t FROM "{name}" x'))
        assert [form for form in hidden if form.casefold() in dump.casefold()] == [], name
    metrics = (await registry.system.get("/metrics")).text
    captured = capfd.readouterr()
    for where in (metrics, captured.out, captured.err):
        assert [form for form in hidden if form.casefold() in where.casefold()] == []


async def test_an_identity_is_corrected_at_the_version_seen(registry: Running) -> None:
    row = person(job_family="guard", birth_date="1975-03-10")
    await send_people(registry, [row])
    (worker,) = await workers(registry, [row])
    officer = registry.bearer("people_officer")
    door = f"/v1/people/{worker}/correction"
    stale = await registry.http.post(door, json={"reason": "id_card", "name": "Melati Baru"}, headers=officer | {"If-Match": '"7"'})
    assert stale.status_code == 412
    bad = await registry.http.post(door, json={"reason": "id_card", "phone": "abc"}, headers=officer)
    assert bad.status_code == 422
    body = {"reason": "id_card", "name": "Melati Baru", "birth_date": "1976-03-10"}
    done = await registry.http.post(door, json=body, headers=officer | {"If-Match": '"1"'})
    assert done.status_code == 200 and done.json()["changed"] and done.headers["etag"] == '"2"'
    await registry.settle()
    shown = (await registry.http.get(f"/v1/people/{worker}?purpose=correction", headers=officer)).json()
    assert (shown["name"], shown["birth_date"]) == ("Melati Baru", "1976-03-10")
    last = [one.valid_until.isoformat() for one in await registry.events("credential.recorded") if one.worker_id == worker]
    assert last == ["2031-03-09", "2032-03-09"]
    # The office's file has the old name still: it is another name now.
    again = await send_people(registry, [row])
    assert again["rejected"] == {"nik_two_names": 1}
    assert (await send_people(registry, [row | {"name": "Melati Baru", "birth_date": "1976-03-10"}]))["unchanged"] == 1


async def test_stored_files_that_nobody_needs_are_swept(registry: Running) -> None:
    content = table([person()], PEOPLE)
    stored = await send(registry, "people", content)
    async with registry.db.begin("worker", registry.service.scope, "test.file") as tx:
        left = await registry.service.files.put_bytes(tx, "13.74", "import", "text/csv", content, seal=True)
        await tx.run("UPDATE file SET created_at = created_at - interval '2 days' WHERE id = :id", id=left.id)
        from services.registry.usecases.importing import sweep_files

        await sweep_files(tx)
    found = await registry.rows("SELECT id FROM file WHERE id = ANY($1)", [left.id, UUID(stored["import_id"])])
    assert found == []
