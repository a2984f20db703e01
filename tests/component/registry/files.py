"""Generated people as the files offices send. Nobody is real; no two calls make the same person."""

import csv
import io
import itertools
import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from tests.support.running import Running

PEOPLE = (
    "nik,name,birth_date,address_form,agency,job_family,kecamatan,service_start,service_end,appointment_date,selection_code,email,phone"
).split(",")
_serial = itertools.count(1)
_chance = random.Random(1374)
GIVEN = ("Bunga", "Cempaka", "Dahlia", "Kenanga", "Melati", "Seroja", "Teratai", "Wijaya")
FAMILY = ("Batu", "Bukit", "Danau", "Gunung", "Hutan", "Lembah", "Muara", "Sungai")


def person(**more: str) -> dict[str, str]:
    """One row of a people file."""
    number = next(_serial)
    born = date(1970, 1, 1) + timedelta(days=_chance.randrange(9000))
    row = {
        "nik": f"137401{born:%d%m%y}{number % 9999 + 1:04d}",
        "name": f"{_chance.choice(GIVEN)} {_chance.choice(FAMILY)}",
        "birth_date": born.isoformat(),
        "address_form": "Ibu",
        "agency": "rsud",
        "job_family": "cleaning",
        "kecamatan": "13.74.01",
        "service_start": "2012-03-01",
        "service_end": "",
        "appointment_date": "",
        "selection_code": "R3",
        "email": f"warga{number}@contoh.invalid",
        "phone": f"0800{number:08d}",
    }
    assert not set(more) - set(row)
    return row | more


def table(rows: Iterable[Mapping[str, str]], columns: Sequence[str] = ()) -> bytes:
    """Rows as a CSV file."""
    rows = list(rows)
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(columns or rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


async def send(registry: Running, kind: str, content: bytes, *, region: str = "13.74", **headers: str) -> dict[str, Any]:
    """Upload a file and wait for its end; the import as the door shows it."""
    officer = registry.bearer("people_officer", regions=(region,))
    answer = await registry.http.post(f"/v1/imports?region={region}&kind={kind}", content=content, headers=officer | headers)
    assert answer.status_code == 202, answer.text
    await registry.settle()
    found = await registry.http.get(f"/v1/imports/{answer.json()['import_id']}", headers=officer)
    assert found.status_code == 200, found.text
    body: dict[str, Any] = found.json()
    return body


async def send_people(registry: Running, rows: Iterable[Mapping[str, str]], *, region: str = "13.74") -> dict[str, Any]:
    """Upload people."""
    return await send(registry, "people", table(rows, PEOPLE), region=region)


async def workers(registry: Running, rows: Sequence[Mapping[str, str]], *, region: str = "13.74") -> list[UUID]:
    """The worker ids of these people, in their order."""
    service = registry.bearer("service", regions=(region,))
    found: dict[str, str] = {}
    for start in range(0, len(rows), 500):
        niks = [row["nik"] for row in rows[start : start + 500]]
        answer = await registry.http.post(
            "/v1/identities/lookup", json={"region": region, "purpose": "payroll", "niks": niks}, headers=service
        )
        assert answer.status_code == 200, answer.text
        found |= {one["nik"]: one["worker_id"] for one in answer.json()["people"]}
    return [UUID(found[row["nik"]]) for row in rows]
