"""The words: what must stand in a letter, what must never stand in one, and pages that need no script."""

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest

from services.notify.channels import Texts
from services.notify.domain import Letter, Template
from shared.privacy import Contact
from shared.regulation import Pack, sources
from tests.unit.notify.test_domain import QUESTION

TEXTS = Texts()
LINK = "https://jawab.test/a/" + "x" * 43
DAY = date(2026, 1, 5)
DETAILS = {
    "vendor_name": "PT Contoh Karya",
    "agency": "rsud",
    "job": "cleaning",
    "site": "RSUD",
    "wage": 3182955,
    "starts_on": "2026-02-02",
    "answer_by": "2026-01-19",
}
NEVER = ("gagal", "ditolak", "tidak layak", "pasti", "dijamin", "formasi", "diangkat", "lulus", "PPK", "R3", "R4")


@pytest.fixture(scope="module")
def pack() -> Pack:
    return sources.build("13.74")


def letter(template: str, locale: str = "id", form: str = "Ibu", name: str = "Yeni Marlina") -> Letter:
    link = LINK if template in ("offer", "reminder") else ""
    return Letter(template, "13.74", Contact(name=name, address_form=form, locale=locale), DETAILS, link, DAY)


@pytest.mark.parametrize("locale", ["id", "en"])
@pytest.mark.parametrize("template", list(Template))
def test_every_letter_names_the_person_the_job_and_a_human_number(pack: Pack, template: Template, locale: str) -> None:
    written = TEXTS.write(letter(template, locale), pack)
    assert "Yeni Marlina" in written.text.splitlines()[0]
    assert ("petugas kebersihan" if locale == "id" else "cleaner") in written.text
    assert "0752-000111" in written.text
    assert written.language == locale
    assert "\n" not in written.subject
    assert "None" not in written.text + written.subject
    assert not [word for word in NEVER if word.lower() in re.findall(r"[\w ]+", written.text.lower())]


def test_an_offer_says_what_an_offer_must_say(pack: Pack) -> None:
    text = TEXTS.write(letter("offer"), pack).text
    assert text.startswith("Ibu Yeni Marlina,")
    for part in (
        "PT Contoh Karya menawari Ibu kerja sebagai petugas kebersihan.",
        "Rp3.182.955",
        "Iuran BPJS bagian Ibu: Rp127.318",
        "Diterima bersih: Rp3.055.637",
        "2 Februari 2026",
        "19 Januari 2026",
        "Yang mempekerjakan adalah PT Contoh Karya, bukan Pemerintah Kota Padang Panjang.",
        "Tidak bersedia tidak mengurangi hak Ibu.",
        "gratis",
        "keberatan",
    ):
        assert part in text
    assert text.count(LINK) == 1


def test_sentences_are_short(pack: Pack) -> None:
    for template in Template:
        text = TEXTS.write(letter(template), pack).text.replace(LINK, "")
        for sentence in re.split(r"[.!?:]\s|\n", text):
            assert len(sentence.split()) <= 15, sentence


def test_an_unknown_form_of_address_is_not_guessed(pack: Pack) -> None:
    text = TEXTS.write(letter("offer", form=""), pack).text
    assert text.startswith("Yeni Marlina,")
    assert "hak Anda" in text


def test_names_cannot_write_html(pack: Pack) -> None:
    written = TEXTS.write(letter("offer", name="<script>alert(1)</script>"), pack)
    assert "<script" not in written.html
    assert "&lt;script&gt;" in written.html


def test_codes_nobody_knows_are_shown_as_they_are(pack: Pack) -> None:
    given = letter("placed")
    written = TEXTS.write(replace(given, details={"agency": "xx", "job": "new_job", "starts_on": "2026-02-02"}), pack)
    assert "new job" in written.text
    assert "perusahaan alih daya" in written.text


@pytest.mark.parametrize("template", list(Template))
def test_the_printed_line_is_one_sentence_about_one_matter(pack: Pack, template: Template) -> None:
    line = TEXTS.line(template, DETAILS, pack, DAY)
    assert line
    assert "\n" not in line


class Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def named(self, name: str) -> list[dict[str, str | None]]:
        return [attrs for tag, attrs in self.tags if tag == name]


def outline(html: str) -> Outline:
    parser = Outline()
    parser.feed(html)
    return parser


@pytest.mark.parametrize("locale", ["id", "en"])
@pytest.mark.parametrize("notice", ["", "answered", "already-answered", "offer-withdrawn", "too-late", "question-closed"])
def test_the_page_is_accessible_and_needs_no_script(pack: Pack, locale: str, notice: str) -> None:
    question = replace(QUESTION, details=DETAILS, says="yes")
    html = TEXTS.page(question, pack, DAY, locale, notice=notice, simulated=False, path="/a/t")
    page = outline(html)
    assert page.named("html") == [{"lang": locale}]
    assert not page.named("script")
    assert not [attrs for _, attrs in page.tags if any(name.startswith("on") for name in attrs)]
    assert not [attrs for _, attrs in page.tags if "style" in attrs or "src" in attrs]
    assert len(page.named("h1")) == 1
    assert len(page.named("main")) == 1
    assert len(page.named("title")) == 1
    assert len(page.named("label")) == len(page.named("input"))
    assert bool(page.named("form")) is (notice == "")
    assert {attrs.get("value") for attrs in page.named("button")} == (set() if notice else {"yes", "no", "no_scheme"})
    if notice:
        assert 'role="status"' in html


def test_the_page_shows_no_name_and_says_when_it_is_a_drill(pack: Pack) -> None:
    question = replace(QUESTION, details=DETAILS)
    assert "Simulasi" in TEXTS.page(question, pack, DAY, "id", notice="", simulated=True, path="/a/t")
    assert "Simulasi" not in TEXTS.page(question, pack, DAY, "id", notice="", simulated=False, path="/a/t")


@pytest.mark.parametrize("slug", ["link-unknown", "bad-answer", "pack-missing"])
def test_a_link_that_leads_nowhere_has_a_page_too(slug: str) -> None:
    for locale in ("id", "en", "xx"):
        assert outline(TEXTS.no_page(locale, slug)).named("h1")


def test_both_languages_have_the_same_templates() -> None:
    from services.notify.channels.texts import FOLDER

    letters = {path.name for path in (FOLDER / "id").iterdir() if not path.name.startswith("line.")}
    assert letters == {path.name for path in (FOLDER / "en").iterdir()}
