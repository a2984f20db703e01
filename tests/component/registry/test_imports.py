"""Files come in: good rows are taken, bad ones go back with a reason, and the same file again changes nothing."""

import csv
import io
from datetime import date
from uuid import UUID

import pytest

from services.registry.store import vault
from shared.events.registry import CredentialRecorded, EligibilityDecided, WorkerLaidOff, WorkerProfileCorrected, WorkerRegistered
from shared.privacy import BoxKeys, Contact
from shared.regulation import rules
from shared.regulation.sources import build
from tests.component.registry.files import PEOPLE, person, send, send_people, table, workers
from tests.support.running import Running

DAY = date(2026, 1, 5)


async def of(registry: Running, kind: type, ids: set[UUID]) -> list:  # type: ignore[type-arg]
    """Events of a type about these workers."""
    return [one for one in await registry.events(kind) if one.worker_id in ids]


async def test_people_are_taken_once_however_often_the_file_is_sent(registry: Running) -> None:
    rows = [person() for _ in range(40)]
    first = await send_people(registry, rows)
    assert (first["state"], first["read"], first["new"], first["rejected"]) == ("done", 40, 40, {})
    before = len(await registry.events())
    again = await send_people(registry, rows)
    assert (again["new"], again["changed"], again["unchanged"], again["rejected"]) == (0, 0, 40, {})
    assert len(await registry.events()) == before
    ids = set(await workers(registry, rows))
    assert len(ids) == 40
    assert len(await of(registry, WorkerRegistered, ids)) == 40
    assert {one.verdict for one in await of(registry, EligibilityDecided, ids)} == {"eligible"}


async def test_the_stored_file_is_deleted_when_its_rows_are_in(registry: Running) -> None:
    done = await send_people(registry, [person()])
    assert await registry.rows("SELECT id FROM file WHERE id = $1", UUID(done["import_id"])) == []
    assert await registry.rows("SELECT ordinal FROM file_chunk WHERE file_id = $1", UUID(done["import_id"])) == []


async def test_only_what_changed_is_told_and_sealed(registry: Running) -> None:
    rows = [person() for _ in range(5)]
    await send_people(registry, rows)
    ids = await workers(registry, rows)
    rows[0] = rows[0] | {"phone": "081200000001"}
    rows[1] = rows[1] | {"agency": "setda", "service_end": "2025-12-31"}
    before = await registry.rows("SELECT seq FROM event ORDER BY seq DESC LIMIT 1")
    done = await send_people(registry, rows)
    assert (done["new"], done["changed"], done["unchanged"]) == (0, 2, 3)
    told = await registry.rows("SELECT type, key, body FROM event WHERE seq > $1 ORDER BY seq", before[0]["seq"])
    assert [(one["type"], one["key"]) for one in told] == [
        ("contact.changed.v1", ids[0]),
        ("worker.profile_corrected.v1", ids[1]),
        ("worker.laid_off.v1", ids[1]),
    ]
    (corrected,) = await of(registry, WorkerProfileCorrected, {ids[1]})
    assert (corrected.agency, corrected.service_end) == ("setda", date(2025, 12, 31))
    (stopped,) = await of(registry, WorkerLaidOff, {ids[1]})
    assert (stopped.decree_number, stopped.effective_on) == ("", date(2025, 12, 31))


async def test_bad_rows_go_back_with_line_column_code_and_advice(registry: Running) -> None:
    good = [person() for _ in range(3)]
    held, base = person(), person()
    await send_people(registry, [held])
    barred = person(appointment_date="2024-03-01")
    rows = [
        *good,
        base | {"nik": base["nik"][:15]},
        held | {"name": "Nama Lain Sekali"},
        person(agency="tidakada"),
        person(kecamatan="00.00.00"),
        person(job_family="pesulap"),
        person(service_start="31/02/2020"),
        person(service_start="2020-05-01", service_end="2019-05-01"),
        person(address_form="Tuan"),
        good[0],
        barred,
    ]
    raw = table(rows, PEOPLE) + b"too,few\n" + b"\xff\xfe" + b"," * 12 + b"\n"
    done = await send(registry, "people", raw)
    expected = {
        "bad_nik": 1,
        "nik_two_names": 1,
        "unknown_agency": 1,
        "unknown_kecamatan": 1,
        "unknown_job_family": 1,
        "bad_date": 1,
        "end_before_start": 1,
        "bad_value": 1,
        "duplicate_row": 1,
        "appointment_barred": 1,
        "bad_row": 1,
        "bad_encoding": 1,
    }
    assert (done["read"], done["new"], done["rejected"]) == (15, 4, expected)
    officer = registry.bearer("people_officer")
    answer = await registry.http.get(f"/v1/imports/{done['import_id']}/rejects.csv", headers=officer)
    assert answer.status_code == 200
    given = list(csv.reader(io.StringIO(answer.text)))
    assert given[0] == ["line", "column", "code", "advice", *PEOPLE]
    by_code = {row[2]: row for row in given[1:]}
    assert by_code["bad_nik"][:2] == ["5", "nik"] and by_code["bad_nik"][3] and by_code["bad_nik"][4] == base["nik"][:15]
    assert by_code["nik_two_names"][:2] == ["6", "name"]
    assert by_code["unknown_agency"][4 + PEOPLE.index("agency")] == "tidakada"
    # The appointment is refused, the person stays.
    assert len(await workers(registry, [barred])) == 1
    sealed = await registry.rows("SELECT sealed FROM reject WHERE import_id = $1", UUID(done["import_id"]))
    assert all(base["nik"][:12].encode() not in bytes(row["sealed"]) for row in sealed)


async def test_of_two_names_under_one_nik_in_a_file_the_first_holds(registry: Running) -> None:
    one = person(name="Melati Gunung")
    rows = [one, one | {"name": "Seroja Lembah"}, one | {"name": "MELATI  gunung."}, one | {"appointment_date": "2024-01-01"}]
    done = await send_people(registry, rows)
    assert (done["new"], done["rejected"]) == (1, {"nik_two_names": 1, "duplicate_row": 1, "appointment_barred": 1})
    answer = await registry.http.get(
        "/v1/people?region=13.74&name=melati%20gunung&purpose=case&limit=500", headers=registry.bearer("people_officer")
    )
    (worker,) = await workers(registry, [one])
    assert str(worker) in {found["worker_id"] for found in answer.json()["items"]}


@pytest.mark.parametrize(
    ("content", "code", "column"),
    [
        (b"nik,name\n1,2\n", "missing_column", "birth_date"),
        (b"\xff\xfe\x00\n", "bad_encoding", ""),
        (b"", "missing_column", "nik"),
    ],
)
async def test_a_file_that_is_none_fails_as_a_whole(registry: Running, content: bytes, code: str, column: str) -> None:
    done = await send(registry, "people", content)
    assert (done["state"], done["failure"], done["rejected"]) == ("failed", code, {code: 1})
    answer = await registry.http.get(f"/v1/imports/{done['import_id']}/rejects.csv", headers=registry.bearer("people_officer"))
    assert answer.text.splitlines()[1].startswith(f"1,{column},{code},")


async def test_another_regions_person_is_a_case_for_both_offices(registry: Running) -> None:
    mine = person()
    await send_people(registry, [mine])
    pack = build("15.05")
    theirs = mine | {"kecamatan": min(rules.kecamatan(pack, DAY)), "agency": min(rules.agencies(pack, DAY))}
    done = await send_people(registry, [theirs], region="15.05")
    assert (done["new"], done["rejected"]) == (0, {"held_elsewhere": 1})
    for region, other in (("13.74", "15.05"), ("15.05", "13.74")):
        officer = registry.bearer("people_officer", regions=(region,))
        cases = (await registry.http.get(f"/v1/imports/conflicts?region={region}", headers=officer)).json()["items"]
        assert [(one["other_region"], one["line"]) for one in cases if one["import_id"] == done["import_id"]] == [(other, 2)]


async def test_a_guards_birthday_leaves_the_vault_as_a_last_day_only(registry: Running) -> None:
    guard, holder, cleaner = person(job_family="guard", birth_date="1970-06-15"), person(birth_date="1972-02-29"), person()
    await send_people(registry, [guard, holder, cleaner])
    ids = await workers(registry, [guard, holder, cleaner])
    rows = [
        {"nik": guard["nik"], "credential": "kta", "class": "", "valid_from": "2024-01-01", "valid_until": "2027-01-01"},
        {"nik": holder["nik"], "credential": "gada_pratama", "class": "", "valid_from": "2024-01-01", "valid_until": ""},
        {"nik": cleaner["nik"], "credential": "sim", "class": "A", "valid_from": "2024-01-01", "valid_until": "2029-01-01"},
    ]
    done = await send(registry, "credentials", table(rows))
    assert (done["new"], done["rejected"]) == (3, {})
    found = await of(registry, CredentialRecorded, set(ids))
    last = {one.worker_id: one.valid_until for one in found if one.credential == "guard_until"}
    assert last == {ids[0]: date(2026, 6, 14), ids[1]: date(2028, 2, 28)}
    again = await send(registry, "credentials", table(rows))
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, 3)


async def test_an_expired_paper_is_told_when_its_day_has_passed(registry: Running) -> None:
    driver = person(job_family="driver")
    await send_people(registry, [driver])
    (worker,) = await workers(registry, [driver])
    row = {"nik": driver["nik"], "credential": "sim", "class": "A", "valid_from": "2020-01-01", "valid_until": "2025-11-30"}
    await send(registry, "credentials", table([row]))
    expired = [one for one in await registry.events("credential.expired") if one.worker_id == worker]
    assert [(one.class_, one.effective_on) for one in expired] == [("A", date(2025, 12, 1))]
    renewed = row | {"valid_from": "2025-12-01", "valid_until": "2030-11-30"}
    await send(registry, "credentials", table([renewed]))
    found = [one for one in await registry.events(CredentialRecorded) if one.worker_id == worker]
    assert [one.valid_until for one in found] == [date(2025, 11, 30), date(2030, 11, 30)]
    assert len({one.credential_id for one in found}) == 1


async def test_selections_insurance_and_honoraria_are_told_once_and_anew_when_corrected(registry: Running) -> None:
    one = person()
    await send_people(registry, [one])
    (worker,) = await workers(registry, [one])
    files: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
        "selections": ({"year": "2024", "phase": "1", "code": "R3", "listed": "yes"}, {"code": "R3b"}, "selection.recorded"),
        "insurance": (
            {"programme": "jkn", "active": "yes", "month": "2025-12"},
            {"active": "no", "month": "2026-01"},
            "insurance.reported",
        ),
        "honoraria": ({"paid_from": "2025-01-01", "paid_until": "2025-07-31"}, {"paid_until": "2025-08-31"}, "honorarium.recorded"),
    }
    for kind, (row, change, told) in files.items():
        counts = []
        for content in (row, row, row | change, row | change):
            done = await send(registry, kind, table([{"nik": one["nik"]} | content]))
            counts.append((done["new"], done["changed"], done["unchanged"]))
        assert counts == [(1, 0, 0), (0, 0, 1), (0, 1, 0), (0, 0, 1)], kind
        found = [fact for fact in await registry.events(told) if fact.worker_id == worker]
        assert len(found) == 2 and found[0].aggregate_id == found[1].aggregate_id, kind


async def test_people_are_named_by_worker_number_too_and_unknown_ones_are_rejected(registry: Running) -> None:
    known = person()
    await send_people(registry, [known])
    (worker,) = await workers(registry, [known])
    (row,) = await registry.rows("SELECT worker_number FROM worker WHERE id = $1", worker)
    rows = [
        {"worker_number": row["worker_number"], "reason": "retired", "effective_on": "2025-11-01"},
        {"worker_number": "000000000000", "reason": "retired", "effective_on": "2025-11-01"},
    ]
    done = await send(registry, "leavings", table(rows))
    assert (done["new"], done["rejected"]) == (1, {"unknown_person": 1})
    verdicts = [one for one in await registry.events(EligibilityDecided) if one.worker_id == worker]
    assert [(one.verdict, one.reasons) for one in verdicts] == [("eligible", ()), ("ineligible", ("left_retired",))]


async def test_contacts_open_only_with_the_front_desks_key(registry: Running) -> None:
    one = person(email="", phone="081234567890")
    await send_people(registry, [one])
    (worker,) = await workers(registry, [one])
    keys = BoxKeys.parse(registry.environment["JEMBATAN_CONTACTS_PRIVATE_KEY"])
    safe = registry.service.extra["safe"]
    assert isinstance(safe, vault.Safe)
    (event,) = await registry.rows("SELECT body, sealed FROM event WHERE key = $1 AND type = 'contact.changed.v1'", worker)
    assert event["sealed"] and one["phone"] not in event["body"] and one["name"] not in event["body"]
    reseal = registry.service.rooms.reseal
    assert reseal is not None
    (row,) = await registry.rows("SELECT aggregate_id FROM event WHERE key = $1 AND type = 'contact.changed.v1'", worker)
    (sealed,) = (await reseal(registry.service)([row["aggregate_id"]])).values()
    contact = Contact.open(keys, sealed, worker)
    assert (contact.name, contact.phone, contact.address_form) == (one["name"], one["phone"], "Ibu")


async def test_statements_do_not_grow_with_the_chunk(registry: Running) -> None:
    from services.registry.domain import text
    from services.registry.domain.rows import KINDS
    from services.registry.usecases.taking import Batch, take_rows
    from shared.ids import new_id

    safe = registry.service.extra["safe"]
    counted = []
    for size in (5, 400):
        raw = table([person() for _ in range(size)], PEOPLE).split(b"\n")
        import_id = new_id()
        batch = Batch(import_id, "13.74", KINDS["people"], safe.new_file_key(import_id), text.header(raw[0]))
        async with registry.db.begin("worker", registry.service.scope, "test.rows") as tx:
            counts = await take_rows(tx, safe, batch, text.read(list(enumerate(raw[1:-1], start=2)), batch.header))
            await tx.flush()
            counted.append(tx.statements)
        assert counts.new == size
    assert counted[0] == counted[1]
