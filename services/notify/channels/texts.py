"""Words for people: letters and the answer page, in Bahasa Indonesia and English.

A letter's template is text: first line the subject, then paragraphs; lines with a hyphen are a list. The HTML follows from it.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from babel.dates import format_date
from babel.numbers import format_decimal
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.notify.domain import REASONS, Letter, Question, Written
from shared.privacy import Contact
from shared.regulation import Pack, rules

LOCALES = ("id", "en")
FORMS = frozenset({"Ibu", "Bapak", "Kak"})
FOLDER = Path(__file__).parent / "templates"
STYLE = (FOLDER / "style.css").read_text()
STYLE_HASH = b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

_REASONS = {
    "id": {
        "wage": "Upah",
        "distance": "Terlalu jauh",
        "other_job": "Sudah punya pekerjaan lain",
        "hours": "Jam kerja",
        "health": "Kesehatan",
        "family": "Keluarga",
        "other": "Alasan lain",
    },
    "en": {
        "wage": "Wage",
        "distance": "Too far away",
        "other_job": "I have other work",
        "hours": "Working hours",
        "health": "Health",
        "family": "Family",
        "other": "Another reason",
    },
}
_JOBS_EN = {
    "cleaning": "cleaner",
    "guard": "security guard",
    "driver": "driver",
    "pramusaji": "pantry attendant",
    "administrative": "administrative worker",
    "technical": "technical worker",
}


def locale_of(wanted: str) -> str:
    """A locale we have: Bahasa Indonesia unless English was asked for."""
    return wanted if wanted in LOCALES else "id"


@lru_cache(maxsize=4096)
def rupiah(amount: int) -> str:
    """`Rp3.182.955`, in every language."""
    return "Rp" + format_decimal(amount, locale="id")


@lru_cache(maxsize=4096)
def day(on: date, locale: str) -> str:
    """`5 Januari 2026` / `5 January 2026`."""
    return format_date(on, "d MMMM y", locale=locale)


class Texts:
    """The templates, read once."""

    def __init__(self) -> None:
        self._letters = Environment(
            loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
        )
        self._pages = Environment(
            loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
        )
        for environment in (self._letters, self._pages):
            environment.filters |= {"rupiah": rupiah}

    def write(self, letter: Letter, pack: Pack) -> Written:
        """The words of one letter, in the person's language."""
        locale = locale_of(letter.contact.locale)
        values = self._values(letter.details, pack, letter.day, locale) | self._address(letter.contact, locale)
        text = self._letters.get_template(f"{locale}/{letter.template}.txt.j2").render(**values, link=letter.link)
        subject, _, body = text.strip().partition("\n")
        body = body.strip() + "\n"
        html = self._pages.get_template("letter.html.j2").render(
            lang=locale, subject=subject, paragraphs=_paragraphs(body), link=letter.link, style=Markup(STYLE)
        )
        return Written(subject.strip(), body, html, locale)

    def line(self, template: str, details: Mapping[str, Any], pack: Pack, on: date) -> str:
        """One sentence for the agency's printed list: what is to be told."""
        return self._letters.get_template(f"id/line.{template}.txt.j2").render(**self._values(details, pack, on, "id")).strip()

    def page(self, question: Question, pack: Pack, on: date, wanted: str, *, notice: str, simulated: bool, path: str) -> str:
        """The answer page. `notice` is empty while an answer can be given, else what stands in its way."""
        locale = locale_of(wanted)
        return self._pages.get_template(f"{locale}/page.html.j2").render(
            **self._values(question.details, pack, on, locale),
            lang=locale,
            notice=notice,
            says=question.says,
            reasons=[(code, _REASONS[locale][code]) for code in REASONS],
            simulated=simulated,
            path=path,
            style=Markup(STYLE),
        )

    def no_page(self, wanted: str, slug: str) -> str:
        """What is shown when a link leads nowhere, or nothing can be shown now."""
        locale = locale_of(wanted)
        return self._pages.get_template(f"{locale}/no_page.html.j2").render(lang=locale, slug=slug, style=Markup(STYLE))

    def printed(self, wanted: str, region: str, agency: str, on: date, rows: list[dict[str, Any]]) -> str:
        """The agency's printed list as a page."""
        locale = locale_of(wanted)
        return self._pages.get_template("printed.html.j2").render(
            lang=locale, region=region, agency=agency, day=day(on, "id"), rows=rows, style=Markup(STYLE)
        )

    def _address(self, contact: Contact, locale: str) -> dict[str, Any]:
        form = contact.address_form if contact.address_form in FORMS else ""
        return {
            "salutation": f"{form} {contact.name}".strip() if locale == "id" else f"Dear {contact.name}",
            "you": (form or "Anda") if locale == "id" else "you",
        }

    def _values(self, details: Mapping[str, Any], pack: Pack, on: date, locale: str) -> dict[str, Any]:
        code = str(details.get("job", ""))
        wage = int(details.get("wage") or 0)
        kept = rules.worker_contributions(pack, wage, on) if wage else 0
        agency = rules.agencies(pack, on).get(str(details.get("agency", "")), str(details.get("agency", "")))
        known = rules.jobs(pack, on).get(code)
        indonesian = known.name if known else code.replace("_", " ")
        return {
            "vendor": details.get("vendor_name") or ("perusahaan alih daya" if locale == "id" else "the company"),
            "job": indonesian if locale == "id" else _JOBS_EN.get(code, indonesian),
            "agency": agency,
            "site": details.get("site") or agency,
            "wage": wage,
            "kept": kept,
            "net": wage - kept,
            "starts_on": _day(details.get("starts_on"), locale),
            "answer_by": _day(details.get("answer_by"), locale),
            "government": f"Pemerintah {pack.name}",
            "phone": rules.contact_phone(pack, on),
        }


def _day(value: Any, locale: str) -> str:
    return day(date.fromisoformat(str(value)), locale) if value else ""


def _paragraphs(body: str) -> list[tuple[str, list[str]]]:
    """Blocks between empty lines: a list when every line has a hyphen, else a paragraph."""
    found: list[tuple[str, list[str]]] = []
    for block in body.strip().split("\n\n"):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if lines and all(line.startswith("- ") for line in lines):
            found.append(("list", [line[2:] for line in lines]))
        elif lines:
            found.append(("text", lines))
    return found
