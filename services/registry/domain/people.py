"""Who a person is: the vault's content, the profile that may leave the vault, the worker number."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

EARLIEST = date(1945, 8, 17)
"""A day before all service: where a date needs a beginning that says nothing."""

FORMS = ("Ibu", "Bapak", "Kak")
"""Forms of address: chosen by the person, never guessed from the NIK."""

GUARD_CREDENTIALS = frozenset({"gada_pratama", "kta"})
GUARD_FAMILY = "guard"

_NUMBER = re.compile(r"[0-9]{12}\Z")


@dataclass(frozen=True, slots=True)
class Identity:
    """What is sealed, as one ciphertext per person. Never logged, never in an event, never in an error."""

    nik: str
    name: str
    birth_date: date
    address_form: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What the other services may know of a worker: codes and dates of service."""

    agency: str
    job_family: str
    kecamatan: str
    service_start: date
    service_end: date | None
    selection_code: str


def normal_name(name: str) -> str:
    """The name as it is compared: one space between parts, without case, dots or commas."""
    return " ".join(re.sub(r"[.,]", " ", name).casefold().split())


def name_words(name: str) -> tuple[str, ...]:
    """The words a person can be found by."""
    return tuple(sorted(set(normal_name(name).split())))


def check_digit(digits: str) -> str:
    """ISO 7064 MOD 11,10: catches every single wrong digit and nearly all swaps of neighbours."""
    product = 10
    for letter in digits:
        total = (int(letter) + product) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def worker_number(random_digits: int) -> str:
    """A printable number of twelve digits, the last of which is a check digit; `random_digits` below 10**11."""
    body = f"{random_digits:011d}"
    return body + check_digit(body)


def sound_number(number: str) -> bool:
    """Whether the text is a worker number: its digits fit the check digit."""
    return bool(_NUMBER.match(number)) and check_digit(number[:-1]) == number[-1]


def last_day_before_birthday(birth_date: date, age: int) -> date:
    """The day before the birthday: the last day on which one is younger than `age`. Who was born on 29 February turns on 1 March."""
    year = birth_date.year + age
    leap = birth_date.month == 2 and birth_date.day == 29
    birthday = date(year, 3, 1) if leap and not _leap(year) else date(year, birth_date.month, birth_date.day)
    return birthday - timedelta(days=1)


def _leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
