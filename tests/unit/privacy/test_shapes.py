"""The NIK's shape, and what is struck out of texts."""

from datetime import date

import pytest

from shared.privacy import BadNik, Nik, mask_email, mask_nik, mask_phone, redact

GOOD = "1374014507850001"


@pytest.mark.parametrize(
    "text",
    [GOOD, "13.74.01.450785.0001", "1374 0145 0785 0001", "'1374014507850001", "1374-0145-0785-0001", f"\ufeff{GOOD}\u00a0"],
)
def test_a_nik_is_read_through_its_decoration(text: str) -> None:
    assert Nik.parse(text).reveal() == GOOD


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "letters"),
        ("137401450785000", "length"),
        ("13740145078500011", "length"),
        ("137401450785000A", "letters"),
        ("1.37401450785E+15", "exponent"),
        ("1,37401E15", "exponent"),
        ("1374010007850001", "date"),
        ("1374013213850001", "date"),
        ("1374013202850001", "date"),
        ("1374017202850001", "date"),
        ("1374013002850001", "date"),
        ("1374010113850001", "date"),
        ("1374014507850000", "serial"),
        ("0074014507850001", "shape"),
        ("١٣٧٤٠١٤٥٠٧٨٥٠٠٠١", "letters"),
    ],
)
def test_what_is_no_nik_says_why_and_never_what(text: str, advice: str) -> None:
    with pytest.raises(BadNik) as caught:
        Nik.parse(text)
    assert caught.value.advice == advice
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize("region", ["110101", "999999", "137401", "940000"])
def test_a_nik_is_never_refused_for_its_region(region: str) -> None:
    Nik(region + GOOD[6:])


@pytest.mark.parametrize("day", ["290200", "290284", "690204"])
def test_a_leap_day_counts_in_either_century(day: str) -> None:
    Nik("137401" + day + "0001")


def test_a_leap_day_that_was_never_is_refused() -> None:
    with pytest.raises(BadNik):
        Nik("1374012902850001")


def test_the_birth_date_is_compared_for_women_and_men() -> None:
    assert Nik(GOOD).fits_birth_date(date(1985, 7, 5))
    assert Nik("1374010507850001").fits_birth_date(date(1985, 7, 5))
    assert not Nik(GOOD).fits_birth_date(date(1985, 7, 6))


def test_a_nik_does_not_show_itself() -> None:
    nik = Nik(GOOD)
    assert GOOD not in f"{nik} {nik!r} {[nik]} {(nik,)}"
    assert nik == Nik(GOOD) and nik != Nik("1374010507850001") and len({nik, Nik(GOOD)}) == 1


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"nik {GOOD} x", "nik [number] x"),
        ("1374 0145 0785 0001", "[number]"),
        ("13.74.01.450785.0001", "[number]"),
        ("telp +62 812-0000-0001.", "telp [number]."),
        ("(0752) 000111222", "([number]"),
        ("mail yeni.m@example.co.id, ok", "mail [mail], ok"),
        ("Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "Bearer [token]"),
        ("GET /a/0ZmV4dG9rZW50b2tlbnRva2VudG9rZW4 200", "GET /a/[token] 200"),
        ("on 2026-01-05 09:00:00 in 13.74", "on 2026-01-05 09:00:00 in 13.74"),
        ("Rp3.182.955", "Rp3.182.955"),
        ("0192d3a4-7c1e-7b0a-9f3e-6a656d626174", "0192d3a4-7c1e-7b0a-9f3e-6a656d626174"),
    ],
)
def test_personal_values_are_struck_out(text: str, left: str) -> None:
    assert redact(text) == left


def test_masks_keep_little() -> None:
    assert mask_nik(GOOD) == "************0001"
    assert mask_nik("12") == "*" * 16
    assert mask_email("yeni@example.org") == "y***@example.org"
    assert (mask_email(""), mask_email("x")) == ("", "***")
    assert (mask_phone("+628120000001"), mask_phone(""), mask_phone("12")) == ("***001", "", "***")
