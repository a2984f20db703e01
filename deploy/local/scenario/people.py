"""The people of a region, generated from a seed: nobody real. What becomes of them is not written here.

A person has a public history (the group), credentials, a birthday and a will; the services decide the rest from rules and seats.
"""

import csv
import io
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from shared.regulation import rules
from shared.regulation.sources import build

from .figures import Figures, Group

GIVEN = (
    "Adi Afni Agus Aisyah Anton Arif Asmi Bayu Benny Citra Dasril Dedi Desi Dewi Edi Eka Elfi Endang Erna Fadil Fajar Fitri Gusti "
    "Hasan Hendri Ida Ilham Indra Irma Joni Kartini Lina Lisa Mardi Mega Mira Nanda Nelva Novi Nurul Oki Putri Rahmat Rani Reni Rian "
    "Riko Rina Rizal Rosma Sari Sinta Siti Sri Suci Tari Taufik Tika Tono Umar Wati Wendi Widya Yanti Yeni Yogi Yusra Zaki Zulfa"
).split()
FAMILY = (
    "Abidin Akbar Amir Anwar Bahar Basri Chaniago Darwis Efendi Fauzi Firdaus Gani Hakim Harahap Hidayat Idris Iskandar Jamil Kamal "
    "Koto Lubis Mahyudin Malik Mansur Marbun Nasution Natsir Oktavia Piliang Pratama Putra Rasyid Ramadhan Saputra Sikumbang Siregar "
    "Sutan Syafri Tanjung Usman Wahyuni Wijaya Yunus Zainal Zulkifli"
).split()
WOMEN = 40


@dataclass(frozen=True, slots=True)
class Credential:
    """A paper the person holds."""

    credential: str
    class_: str
    valid_from: date
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class Person:
    """One generated person. `will` is `yes`, `refuse` (not this scheme) or `silent` (until visited and asked again)."""

    nik: str
    name: str
    birth_date: date
    address_form: str
    agency: str
    family: str
    kecamatan: str
    service_start: date
    code: str
    listed: bool
    email: str
    phone: str
    group: str
    pool: bool
    credentials: tuple[Credential, ...] = ()
    will: str = "yes"
    adds: str = ""
    appointment: date | None = field(default=None)


def generate(figures: Figures, seed: int) -> tuple[Person, ...]:
    """The whole opening population, the same for the same seed, in an order that tells nothing."""
    chance = random.Random(f"{figures.region}/{seed}")
    pack = build(figures.region)
    places = sorted(rules.kecamatan(pack, figures.opening.day))
    niks: set[str] = set()
    people = []
    for group in figures.groups:
        for family, count in sorted(group.families.items()):
            for _ in range(count):
                people.append(_person(figures, group, family, places, chance, niks))
    people = _credentials(figures, people, chance)
    people = _wills(figures, people, chance)
    people = _contacts(people, chance)
    chance.shuffle(people)
    kept = [at for at, person in enumerate(people) if not person.pool][:3]
    for at in kept:
        people[at] = replace(people[at], appointment=date(2024, 3, 1))
    return tuple(people)


def _person(figures: Figures, group: Group, family: str, places: Sequence[str], chance: random.Random, niks: set[str]) -> Person:
    born = date(1974, 1, 1) + timedelta(days=chance.randrange(25 * 365))
    woman = chance.random() < 0.5
    lots = [lot for vendor in figures.vendors for lot in vendor.lots if lot.job == family]
    # Seven in ten of the pool served where the seats now are: the incumbents whom the promise is about.
    agency = chance.choice(lots).agency if lots and chance.random() < 0.7 else chance.choice(figures.agencies)
    forms = ("Ibu", "Kak") if woman else ("Bapak", "Kak")
    return Person(
        nik=_nik(figures.region, born, woman, chance, niks),
        name=f"{chance.choice(GIVEN)} {chance.choice(FAMILY)}",
        birth_date=born,
        address_form=forms[chance.random() < 0.1],
        agency=agency,
        family=family,
        kecamatan=chance.choice(places),
        service_start=date(2006, 1, 2) + timedelta(days=chance.randrange(15 * 365)),
        code=group.code,
        listed=group.listed,
        email="",
        phone="",
        group=group.name,
        pool=group.pool,
    )


def _nik(region: str, born: date, woman: bool, chance: random.Random, taken: set[str]) -> str:
    head = f"{region.replace('.', '')}{chance.randrange(1, 3):02d}{born.day + WOMEN * woman:02d}{born:%m%y}"
    serial = 1
    while f"{head}{serial:04d}" in taken:
        serial += 1
    taken.add(f"{head}{serial:04d}")
    return f"{head}{serial:04d}"


def _credentials(figures: Figures, people: list[Person], chance: random.Random) -> list[Person]:
    found = list(people)
    for family, kinds in sorted(figures.credentials.items()):
        held = [kind for kind, count in sorted(kinds.items()) for _ in range(count)]
        mine = [at for at, person in enumerate(found) if person.pool and person.family == family]
        assert len(held) == len(mine), f"{figures.region}: {family} has {len(mine)} people and papers for {len(held)}"
        chance.shuffle(mine)
        for at, kind in zip(mine, held, strict=True):
            found[at] = _hold(found[at], kind, figures, chance)
    return found


def _hold(person: Person, kind: str, figures: Figures, chance: random.Random) -> Person:
    start = figures.rounds.starts_on
    since = start.replace(year=start.year - 4)
    pratama = Credential("gada_pratama", "", since, None)
    match kind:
        case "valid":
            return replace(person, credentials=(pratama, _kta(start + timedelta(days=chance.randrange(200, 900)))))
        case "kta_grace":
            return replace(person, credentials=(pratama, _kta(start - timedelta(days=90))))
        case "kta_long_expired":
            return replace(person, credentials=(pratama, _kta(start - timedelta(days=500))))
        case "kta_none":
            return replace(person, credentials=(pratama,))
        case "past_age":
            # The last birthday a guard may serve to lies before the start; the NIK follows the new birthday.
            born = date(start.year - _age_limit(figures) - 1, person.birth_date.month, min(person.birth_date.day, 28))
            nik = f"{person.nik[:6]}{born.day + WOMEN * (int(person.nik[6:8]) > WOMEN):02d}{born:%m%y}9{person.nik[13:]}"
            kta = _kta(start + timedelta(days=300))
            return replace(person, birth_date=born, nik=nik, credentials=(pratama, kta))
        case _:
            class_ = {"sim_a": "A", "sim_b": "BI", "sim_c": "C"}[kind]
            return replace(person, credentials=(Credential("sim", class_, since, start + timedelta(days=chance.randrange(200, 900))),))


def _kta(until: date) -> Credential:
    return Credential("kta", "", until - timedelta(days=3 * 365), until)


def _wills(figures: Figures, people: list[Person], chance: random.Random) -> list[Person]:
    found = list(people)
    for family, counts in sorted(figures.answers.items()):
        able = [at for at, person in enumerate(found) if person.pool and person.family == family and _can(person, figures)]
        chance.shuffle(able)
        wills = [will for will, count in sorted(counts.items()) for _ in range(count)]
        for at, will in zip(able, wills, strict=False):
            found[at] = replace(found[at], will=will)
    others = [at for at, person in enumerate(found) if person.pool and person.family in figures.others.families]
    chance.shuffle(others)
    for at in others[: figures.others.adding]:
        found[at] = replace(found[at], adds=figures.others.add)
    for at in others[figures.others.adding : figures.others.adding + figures.others.refusing]:
        found[at] = replace(found[at], will="refuse")
    return found


def _can(person: Person, figures: Figures) -> bool:
    # Only somebody who may get an offer can refuse one; this reads papers as a clerk would, not the services' rules.
    start = figures.rounds.starts_on
    if person.family == "guard":
        kta = [c for c in person.credentials if c.credential == "kta"]
        young = start.year - person.birth_date.year < _age_limit(figures)
        return young and any(c.valid_until is not None and start - c.valid_until < timedelta(days=365) for c in kta)
    if person.family == "driver":
        return any(c.class_ in ("A", "BI") for c in person.credentials)
    return True


def _age_limit(figures: Figures) -> int:
    start = figures.rounds.starts_on
    return rules.job(build(figures.region), "guard", start).age_limit or 100


def _contacts(people: list[Person], chance: random.Random) -> list[Person]:
    """Half have no mail; one in ten has no phone. Mail addresses are in a domain that cannot exist."""
    mails = chance.sample(range(len(people)), len(people) // 2)
    phoneless = set(chance.sample(range(len(people)), len(people) // 10))
    found = [replace(person, phone="" if at in phoneless else f"0800{at:08d}") for at, person in enumerate(people)]
    for number in mails:
        found[number] = replace(found[number], email=f"warga{number}.{found[number].nik[:4]}@contoh.invalid")
    return found


# Files, as an office would upload them ------------------------------------------------------------------------------------------


def people_rows(people: Iterable[Person]) -> Iterator[dict[str, str]]:
    """Rows of the people file."""
    for p in people:
        yield {
            "nik": p.nik,
            "name": p.name,
            "birth_date": p.birth_date.isoformat(),
            "address_form": p.address_form,
            "agency": p.agency,
            "job_family": p.family,
            "kecamatan": p.kecamatan,
            "service_start": p.service_start.isoformat(),
            "service_end": "",
            "appointment_date": p.appointment.isoformat() if p.appointment else "",
            "selection_code": p.code,
            "email": p.email,
            "phone": p.phone,
        }


def defective_rows(people: Sequence[Person]) -> tuple[dict[str, str], ...]:
    """Rows that must come back with a reason, on top of the people: (what was planted) is known to `PLANTED`."""
    good = next(iter(people_rows(people[:1])))
    other = [dict(row) for row in people_rows(people[10:13])]
    fresh = [f"{good['nik'][:12]}{serial}" for serial in range(9001, 9010)]
    return (
        good | {"nik": good["nik"][:15]},
        good | {"nik": "13740X" + good["nik"][6:]},
        other[0] | {"name": "Nama Lain Sekali"},
        good | {"nik": fresh[0], "agency": "tidakada"},
        good | {"nik": fresh[1], "service_start": "31/02/2020"},
        good | {"nik": fresh[2], "service_start": "2020-05-01", "service_end": "2019-05-01"},
        good | {"nik": fresh[3], "job_family": "pesulap"},
        good | {"nik": fresh[4], "kecamatan": "00.00.00"},
    )


PLANTED = {
    "bad_nik": 2,
    "nik_two_names": 1,
    "unknown_agency": 1,
    "bad_date": 1,
    "end_before_start": 1,
    "unknown_job_family": 1,
    "unknown_kecamatan": 1,
    "appointment_barred": 3,
}
"""Rejects of the people file by reason: what `defective_rows` plants, and three people with a second, later appointment."""


def table(rows: Iterable[dict[str, str]]) -> bytes:
    """CSV with a header, UTF-8. Empty for no rows."""
    rows = list(rows)
    out = io.StringIO()
    if rows:
        writer = csv.DictWriter(out, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return out.getvalue().encode()


def credential_rows(people: Iterable[Person]) -> Iterator[dict[str, str]]:
    """Rows of the credentials file."""
    for p in people:
        for c in p.credentials:
            until = c.valid_until.isoformat() if c.valid_until else ""
            row = {"nik": p.nik, "credential": c.credential, "class": c.class_}
            yield row | {"valid_from": c.valid_from.isoformat(), "valid_until": until}
