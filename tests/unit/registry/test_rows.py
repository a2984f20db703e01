"""What is wrong with a row, by column and code."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.registry.domain import rows
from services.registry.domain.rows import ADVICE, KINDS, Codes, Defect
from services.registry.store.vault import read_nik

TODAY = date(2026, 1, 5)
CODES = Codes(frozenset({"rsud"}), frozenset({"13.74.01"}), frozenset({"cleaning", "guard"}), date(2023, 10, 31), TODAY, read_nik)
GOOD = {
    "nik": "1374014506800001",
    "name": "Melati Gunung",
    "birth_date": "1980-06-05",
    "address_form": "Ibu",
    "agency": "rsud",
    "job_family": "cleaning",
    "kecamatan": "13.74.01",
    "service_start": "2012-03-01",
    "email": "",
    "phone": "0800 1234-5678",
}


def test_a_good_row_becomes_an_identity_and_a_profile() -> None:
    row = rows.person(7, GOOD, CODES)
    assert (row.line, row.identity.nik, row.identity.phone, row.barred) == (7, GOOD["nik"], "080012345678", False)
    assert row.profile.service_start == date(2012, 3, 1) and row.profile.service_end is None


@pytest.mark.parametrize(
    ("change", "column", "code"),
    [
        ({"nik": "137401450680001"}, "nik", "bad_nik"),
        ({"nik": "1374013213800001"}, "nik", "bad_nik"),
        ({"nik": "1374014506800000"}, "nik", "bad_nik"),
        ({"nik": "1.37401E+15"}, "nik", "bad_nik"),
        ({"name": " . "}, "name", "bad_value"),
        ({"birth_date": "1980-13-01"}, "birth_date", "bad_date"),
        ({"birth_date": "2012-03-01"}, "birth_date", "bad_date"),
        ({"address_form": "Tuan"}, "address_form", "bad_value"),
        ({"agency": "x"}, "agency", "unknown_agency"),
        ({"job_family": "x"}, "job_family", "unknown_job_family"),
        ({"kecamatan": "x"}, "kecamatan", "unknown_kecamatan"),
        ({"service_start": ""}, "service_start", "bad_date"),
        ({"service_start": "2026-01-06"}, "service_start", "bad_date"),
        ({"service_end": "2012-02-29"}, "service_end", "end_before_start"),
        ({"service_end": "kemarin"}, "service_end", "bad_date"),
        ({"appointment_date": "31/02/2024"}, "appointment_date", "bad_date"),
        ({"email": "bukan surel"}, "email", "bad_value"),
        ({"phone": "nol delapan"}, "phone", "bad_value"),
    ],
)
def test_a_bad_row_names_its_column_and_code(change: dict[str, str], column: str, code: str) -> None:
    with pytest.raises(Defect) as found:
        rows.person(2, GOOD | change, CODES)
    assert (found.value.column, found.value.code) == (column, code)
    assert ADVICE[code]


@pytest.mark.parametrize(("given_date", "barred"), [("2023-10-30", False), ("2023-10-31", True), ("2024-03-01", True), ("", False)])
def test_an_appointment_is_barred_from_the_day_the_law_says(given_date: str, barred: bool) -> None:
    assert rows.person(2, GOOD | {"appointment_date": given_date}, CODES).barred is barred


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-08-01", date(2025, 8, 1)),
        ("01/08/2025", date(2025, 8, 1)),
        ("1-8-2025", date(2025, 8, 1)),
        ("31/02/2020", None),
        ("08/2025", None),
        ("", None),
    ],
)
def test_dates_are_read_as_offices_write_them(text: str, day: date | None) -> None:
    assert rows.read_date(text) == day


@pytest.mark.parametrize(
    ("kind", "cells", "column", "code"),
    [
        ("stops", {"decree_number": "1", "decree_date": "2025-01-01"}, "effective_on", "bad_date"),
        ("stops", {"decree_date": "2025-01-01", "effective_on": "2025-01-01"}, "decree_number", "bad_value"),
        ("exits", {"route": "cpns", "effective_on": "2025-01-01"}, "route", "bad_value"),
        ("leavings", {"reason": "hilang", "effective_on": "2025-01-01"}, "reason", "bad_value"),
        ("selections", {"year": "24", "phase": "1", "code": "R3", "listed": "yes"}, "year", "bad_value"),
        ("selections", {"year": "2024", "phase": "1", "code": "R3", "listed": "mungkin"}, "listed", "bad_value"),
        ("credentials", {"credential": "kta", "valid_from": "2025-01-01", "valid_until": "2024-01-01"}, "valid_until", "end_before_start"),
        ("insurance", {"programme": "jkn", "active": "yes", "month": "2025-13"}, "month", "bad_date"),
        ("honoraria", {"paid_from": "2025-02-01", "paid_until": "2025-01-01"}, "paid_until", "end_before_start"),
    ],
)
def test_every_other_kind_names_its_column_and_code(kind: str, cells: dict[str, str], column: str, code: str) -> None:
    with pytest.raises(Defect) as found:
        rows.fact(KINDS[kind], 2, cells | {"nik": GOOD["nik"]}, CODES)
    assert (found.value.column, found.value.code) == (column, code)


def test_a_withdrawn_proposal_is_read_as_one() -> None:
    row = rows.fact(
        KINDS["proposals"], 2, {"nik": GOOD["nik"], "route": "paruh_waktu", "effective_on": "2025-08-25", "withdrawn": "ya"}, CODES
    )
    assert row.values == {"value": "withdrawn", "effective_on": date(2025, 8, 25)}


def test_a_worker_number_with_a_wrong_digit_is_nobody() -> None:
    with pytest.raises(Defect) as found:
        rows.fact(KINDS["leavings"], 2, {"worker_number": "123456789012", "reason": "died", "effective_on": "2025-01-01"}, CODES)
    assert (found.value.column, found.value.code) == ("worker_number", "unknown_person")


@settings(derandomize=True, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(GOOD)), st.text(max_size=30)))
def test_any_text_in_any_cell_is_taken_or_a_known_defect(change: dict[str, str]) -> None:
    found = None
    try:
        rows.person(2, GOOD | change, CODES)
    except Defect as defect:
        found = defect
    assert found is None or (found.code in ADVICE and found.column in KINDS["people"].columns)


def test_a_header_lacks_what_it_lacks() -> None:
    people = KINDS["people"]
    assert people.missing(people.required) == ""
    assert people.missing([column for column in people.required if column != "kecamatan"]) == "kecamatan"
    assert KINDS["leavings"].missing(("reason", "effective_on")) == "nik"
    assert KINDS["leavings"].missing(("worker_number", "reason", "effective_on")) == ""
