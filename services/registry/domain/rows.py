"""Rows of the files that offices send: what each kind must hold, and what is wrong with a row. Texts in, values or a defect out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.privacy.redaction import personal

from .people import FORMS, Identity, Profile, normal_name, sound_number
from .standing import PROPOSAL_ROUTES, REASONS, ROUTES

KEY = "nik"
NUMBER = "worker_number"


@dataclass(frozen=True, slots=True)
class Defect(Exception):
    """Why a row, or one thing in it, is not taken: the column, a stable code; the advice follows from the code."""

    column: str
    code: str


ADVICE: Mapping[str, str] = {
    "bad_nik": "NIK harus 16 angka dengan tanggal lahir yang mungkin. Periksa KTP atau Kartu Keluarga.",
    "nik_two_names": "NIK ini sudah dipakai nama lain. Periksa KTP kedua orang, lalu kirim ulang baris yang salah.",
    "unknown_agency": "Kode OPD tidak ada dalam paket aturan daerah. Pakai kode dari daftar OPD.",
    "unknown_kecamatan": "Kode kecamatan tidak ada dalam paket aturan daerah. Pakai kode PP.KK.cc.",
    "unknown_job_family": "Kelompok pekerjaan tidak ada dalam paket aturan daerah.",
    "bad_date": "Tanggal tidak terbaca atau tidak mungkin. Tulis TTTT-BB-HH, contoh 2025-08-01.",
    "end_before_start": "Tanggal akhir lebih awal daripada tanggal mulai.",
    "appointment_barred": "Pengangkatan baru sejak 31 Oktober 2023 tidak dicatat (UU 20/2023). Orangnya tetap tercatat.",
    "held_elsewhere": "Orang ini tercatat di daerah lain. Kedua kantor perlu bicara sebelum baris ini dikirim ulang.",
    "unknown_person": "Orang ini belum tercatat. Kirim dahulu lewat berkas orang.",
    "duplicate_row": "Orang yang sama sudah ada di baris sebelumnya dalam berkas ini.",
    "missing_column": "Kolom wajib tidak ada di baris judul.",
    "bad_encoding": "Baris tidak terbaca sebagai UTF-8. Simpan berkas sebagai CSV UTF-8.",
    "bad_value": "Isi kolom kosong atau tidak termasuk pilihan yang ada.",
    "bad_row": "Jumlah kolom berbeda dari baris judul, atau tanda petik tidak ditutup.",
    "erased_before": "Data orang ini pernah dihapus atas permintaan. Pendaftaran ulang perlu surat dari yang bersangkutan.",
}
"""What to do about each code, in the words of the office that sent the file."""


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes of the region's rules, against which rows are held; `today` is the business day; `nik` reads a NIK (16 digits,
    or `ValueError`)."""

    agencies: frozenset[str]
    kecamatan: frozenset[str]
    families: frozenset[str]
    bar: date
    today: date
    nik: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of a people file. `barred`: the row asked for a later appointment, which is refused; the person stays."""

    line: int
    identity: Identity
    profile: Profile
    barred: bool


@dataclass(frozen=True, slots=True)
class FactRow:
    """One dated thing about a person who is known already, by NIK or worker number."""

    line: int
    nik: str
    number: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file: its columns (a person's key comes on top, except in a people file) and which of them may be empty."""

    name: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[["Reader"], Mapping[str, Any]] | None

    @property
    def columns(self) -> tuple[str, ...]:
        return self.required + self.optional

    def missing(self, header: Sequence[str]) -> str:
        """The first required column that the header lacks, or an empty text."""
        if self.name != "people" and KEY not in header and NUMBER not in header:
            return KEY
        return next((column for column in self.required if column not in header), "")


_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})\Z")
_LOCAL = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})\Z")
_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")
_EMAIL = re.compile(r"[^@\s<>\"',;]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+\Z")
_PHONE = re.compile(r"\+?[0-9]{8,15}\Z")
_CODE = re.compile(r"[A-Za-z0-9_.-]{1,40}\Z")
OLDEST = date(1930, 1, 1)
OFFICE_TEXTS = frozenset({"decree_number", "phase", "code", "selection_code", "credential", "class", "programme"})
"""Columns that are kept as they are written and told to others: no number or address of a person may stand there."""


def read_date(text: str) -> date | None:
    """`2025-08-01`, `01/08/2025` or `1-8-2025`; None when it is none of them."""
    if iso := _ISO.match(text):
        year, month, day = (int(part) for part in iso.groups())
    elif local := _LOCAL.match(text):
        day, month, year = (int(part) for part in local.groups())
    else:
        return None
    try:
        return date(year, month, day)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Reader:
    """The cells of one row by column, trimmed."""

    cells: Mapping[str, str]
    codes: Codes

    def nik(self) -> str:
        try:
            return self.codes.nik(self.cells.get(KEY, ""))
        except ValueError:
            raise Defect(KEY, "bad_nik") from None

    def text(self, column: str, longest: int = 100) -> str:
        found = self.cells.get(column, "")
        if not found or len(found) > longest or (column in OFFICE_TEXTS and personal(found)):
            raise Defect(column, "bad_value")
        return found

    def maybe(self, column: str, longest: int = 100) -> str:
        return self.text(column, longest) if self.cells.get(column) else ""

    def code(self, column: str) -> str:
        found = self.text(column)
        if not _CODE.match(found):
            raise Defect(column, "bad_value")
        return found

    def one_of(self, column: str, allowed: Sequence[str]) -> str:
        found = self.text(column)
        if found not in allowed:
            raise Defect(column, "bad_value")
        return found

    def yes(self, column: str, *, usual: bool | None = None) -> bool:
        found = self.cells.get(column, "").casefold()
        if not found and usual is not None:
            return usual
        if found not in ("yes", "no", "ya", "tidak", "true", "false", "1", "0"):
            raise Defect(column, "bad_value")
        return found in ("yes", "ya", "true", "1")

    def day(self, column: str) -> date:
        found = read_date(self.cells.get(column, ""))
        if found is None or found < OLDEST or found.year > self.codes.today.year + 50:
            raise Defect(column, "bad_date")
        return found

    def maybe_day(self, column: str) -> date | None:
        return self.day(column) if self.cells.get(column) else None


def sound_email(text: str) -> str:
    """The address, or nothing. Raises `Defect`."""
    if text and not _EMAIL.match(text):
        raise Defect("email", "bad_value")
    return text


def sound_phone(text: str) -> str:
    """The number without spaces, dots, brackets and hyphens, or nothing. Raises `Defect`."""
    digits = re.sub(r"[ .()-]", "", text)
    if digits and not _PHONE.match(digits):
        raise Defect("phone", "bad_value")
    return digits


def person(line: int, cells: Mapping[str, str], codes: Codes) -> PersonRow:
    """A row of a people file. Raises `Defect` with the first thing that is wrong."""
    r = Reader(cells, codes)
    nik = r.nik()
    name = r.text("name", 200)
    if not normal_name(name):
        raise Defect("name", "bad_value")
    birth = r.day("birth_date")
    form = r.one_of("address_form", FORMS)
    for column, known in (("agency", codes.agencies), ("job_family", codes.families), ("kecamatan", codes.kecamatan)):
        if cells.get(column, "") not in known:
            raise Defect(column, f"unknown_{column}")
    start, end, later = r.day("service_start"), r.maybe_day("service_end"), r.maybe_day("appointment_date")
    if start > codes.today:
        raise Defect("service_start", "bad_date")
    if birth >= start:
        raise Defect("birth_date", "bad_date")
    if end is not None and end < start:
        raise Defect("service_end", "end_before_start")
    email, phone = sound_email(r.maybe("email", 254)), sound_phone(r.maybe("phone", 30))
    code = r.maybe("selection_code", 20)
    profile = Profile(cells["agency"], cells["job_family"], cells["kecamatan"], start, end, code)
    return PersonRow(line, Identity(nik, name, birth, form, email, phone), profile, later is not None and later >= codes.bar)


def fact(kind: Kind, line: int, cells: Mapping[str, str], codes: Codes) -> FactRow:
    """A row of any other file. Raises `Defect`."""
    r = Reader(cells, codes)
    number = "" if cells.get(KEY) else cells.get(NUMBER, "").replace(" ", "")
    if number and not sound_number(number):
        raise Defect(NUMBER, "unknown_person")
    nik = "" if number else r.nik()
    assert kind.read is not None
    return FactRow(line, nik, number, kind.read(r))


def _decree(r: Reader) -> Mapping[str, Any]:
    return {"decree_number": r.text("decree_number"), "decree_date": r.day("decree_date"), "effective_on": r.day("effective_on")}


def _selection(r: Reader) -> Mapping[str, Any]:
    year = r.text("year")
    if not year.isdecimal() or not 2000 <= int(year) <= r.codes.today.year + 1:
        raise Defect("year", "bad_value")
    return {"year": int(year), "phase": r.text("phase", 40), "code": r.text("code", 20), "listed": r.yes("listed")}


def _proposal(r: Reader) -> Mapping[str, Any]:
    route = r.one_of("route", PROPOSAL_ROUTES)
    return {"value": "withdrawn" if r.yes("withdrawn", usual=False) else route, "effective_on": r.day("effective_on")}


def _exit(r: Reader) -> Mapping[str, Any]:
    return {"value": r.one_of("route", ROUTES), "effective_on": r.day("effective_on")}


def _leaving(r: Reader) -> Mapping[str, Any]:
    return {"value": r.one_of("reason", REASONS), "effective_on": r.day("effective_on")}


def _trace(r: Reader) -> Mapping[str, Any]:
    return {"value": "found" if r.yes("found", usual=False) else "untraced", "effective_on": r.day("effective_on")}


def _credential(r: Reader) -> Mapping[str, Any]:
    valid_from, valid_until = r.day("valid_from"), r.maybe_day("valid_until")
    if valid_until is not None and valid_until < valid_from:
        raise Defect("valid_until", "end_before_start")
    class_ = r.code("class") if r.cells.get("class") else ""
    return {"credential": r.code("credential"), "class_": class_, "valid_from": valid_from, "valid_until": valid_until}


def _insurance(r: Reader) -> Mapping[str, Any]:
    given = r.text("month")
    month = read_date(f"{given}-01") if _MONTH.match(given) else read_date(given)
    if month is None:
        raise Defect("month", "bad_date")
    return {"programme": r.code("programme"), "active": r.yes("active"), "month": month.replace(day=1)}


def _honorarium(r: Reader) -> Mapping[str, Any]:
    paid_from, paid_until = r.day("paid_from"), r.day("paid_until")
    if paid_until < paid_from:
        raise Defect("paid_until", "end_before_start")
    return {"paid_from": paid_from, "paid_until": paid_until}


_PEOPLE = ("nik", "name", "birth_date", "address_form", "agency", "job_family", "kecamatan", "service_start")
_PEOPLE_MAY = ("service_end", "appointment_date", "selection_code", "email", "phone")
_DECREE = ("decree_number", "decree_date", "effective_on")

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("people", _PEOPLE, _PEOPLE_MAY, None),
        Kind("stops", _DECREE, (), _decree),
        Kind("recalls", _DECREE, (), _decree),
        Kind("selections", ("year", "phase", "code", "listed"), (), _selection),
        Kind("proposals", ("route", "effective_on"), ("withdrawn",), _proposal),
        Kind("exits", ("route", "effective_on"), (), _exit),
        Kind("leavings", ("reason", "effective_on"), (), _leaving),
        Kind("untraced", ("effective_on",), ("found",), _trace),
        Kind("credentials", ("credential", "valid_from"), ("class", "valid_until"), _credential),
        Kind("insurance", ("programme", "active", "month"), (), _insurance),
        Kind("honoraria", ("paid_from", "paid_until"), (), _honorarium),
    )
}
"""Every kind of file that is understood."""
