"""The scanner finds a secret however it is written, and nothing where there is none."""

import base64
import random

import pytest

from tests.support.planted import Scanner

NIK = "9901014101900001"
NAME = "Zqvowyxk"


def found(content: bytes) -> set[tuple[str, str]]:
    """(what, form) of everything found."""
    scanner = Scanner([("nik", NIK), ("name", NAME)])
    scanner.look("test", "here", content)
    assert scanner.looked["test"] == len(content) and scanner.places["test"] == 1
    return {(one.what, one.form) for one in scanner.found}


@pytest.mark.parametrize(
    "written",
    [NIK, "9901 0141 0190 0001", "99.01.01-41/0190_0001", "9901%200141%200190%200001", "9901\n0141 0190, 0001", f"x{NIK}y"],
)
def test_digits_apart_or_together(written: str) -> None:
    assert found(written.encode()) == {("nik", "plain")}


@pytest.mark.parametrize("before", range(6))
@pytest.mark.parametrize("after", range(4))
def test_base64_at_any_alignment(before: int, after: int) -> None:
    for secret, what in ((NIK, "nik"), (NAME, "name")):
        raw = b"\xfb" * before + secret.encode() + b"\xff" * after
        assert found(b"--" + base64.b64encode(raw) + b"--") == {(what, "base64")}
        assert found(base64.urlsafe_b64encode(raw)) == {(what, "base64")}


@pytest.mark.parametrize("name", [NAME, NAME.upper(), NAME.lower()])
def test_letters_of_any_size(name: str) -> None:
    assert found(f"<b>{name}</b>".encode()) == {("name", "plain")}
    assert found(name.encode().hex().encode()) == {("name", "hex")}
    assert found(name.encode().hex().upper().encode()) == {("name", "hex")}
    assert found(name.encode("utf-16-le")) == {("name", "utf-16")}


def test_at_the_seams_of_large_contents() -> None:
    noise = random.Random(1).randbytes(3 << 20)
    assert found(noise) == set()
    for at in ((1 << 20) - 9, (1 << 20) - 3, (2 << 20) - 16, len(noise)):
        assert found(noise[:at] + NIK.encode() + noise[at:]) == {("nik", "plain")}


def test_a_report_does_not_hold_the_secret() -> None:
    scanner = Scanner([("nik", NIK)])
    scanner.look("test", "here", f"before {NIK} after".encode())
    assert NIK not in str(scanner.found) and "before" in str(scanner.found)


def test_what_is_too_short_is_refused() -> None:
    with pytest.raises(AssertionError):
        Scanner([("name", "Ida")])
