"""Secrets to plant, and a scanner that knows them again: plain, in hexadecimal, in base64 at any alignment, with digits apart."""

import base64
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from deploy.local.scenario.figures import Figures
from deploy.local.scenario.people import Person

SYLLABLES = ("zqvo", "wyxk", "qhuz", "vjebb", "xolq", "jytv", "kwezz", "pfiqx", "yvurq", "gzaxt")
APART = re.compile(rb"(?<=[0-9])(?:[\s.,/_-]|%20)+(?=[0-9])")
SHORTEST = 8
"""A shorter needle would be found by chance."""
PIECE = 1 << 20
EXACT = frozenset({"base64", "utf-16"})
"""Forms in which capital and small letters are different things."""


def marked(figures: Figures, people: tuple[Person, ...]) -> tuple[Figures, tuple[Person, ...]]:
    """The same people with names, mail addresses and telephone numbers that are found nowhere by chance."""
    chance = random.Random(f"planted/{figures.region}")

    def word() -> str:
        return "".join(chance.sample(SYLLABLES, 3))

    found = []
    for person in people:
        given, family = word(), word()
        found.append(
            replace(
                person,
                name=f"{given.capitalize()} {family.capitalize()}",
                email=person.email and f"{word()}@{word()}.invalid",
                phone=person.phone and f"0812{chance.randrange(10**8):08d}",
            )
        )
    return figures, tuple(found)


def texts_of(people: Iterable[Person]) -> Iterator[tuple[str, str]]:
    """(what it is, the text) of everything of these people that may be nowhere outside the vaults."""
    for person in people:
        yield "nik", person.nik
        for part in person.name.split():
            yield "name", part
        for part in person.email.removesuffix(".invalid").split("@"):
            if part:
                yield "mail", part
        if person.phone:
            # without the first zero, as it stands in the international form
            yield "phone", person.phone[1:]


def forms(text: str) -> Iterator[tuple[str, bytes]]:
    """(form, needle) of every way in which the text is looked for; letters in small type, where case does not matter."""
    for spelled in dict.fromkeys((text, text.capitalize(), text.lower(), text.upper())):
        raw = spelled.encode()
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + raw)
            # what neighbours would have a part in is cut off at both ends
            whole = (len(raw) + shift) // 3 * 4
            core = coded[4 if shift else 0 : whole]
            yield "base64", core
            yield "base64", core.translate(bytes.maketrans(b"+/", b"-_"))
        yield "hex", raw.hex().encode()
        yield "utf-16", spelled.encode("utf-16-le")
    yield "plain", text.lower().encode()


@dataclass(frozen=True, slots=True)
class Found:
    """A secret where none may be. It does not hold the secret itself, so that a report of it is no leak either."""

    place: str
    what: str
    form: str
    around: str


@dataclass(slots=True)
class Needles:
    """Many texts looked for at once: by their first eight bytes, each hit then compared in full."""

    texts: dict[int, list[bytes]] = field(default_factory=dict)
    _table: np.ndarray = field(default_factory=lambda: np.zeros(1 << 20, dtype=bool))

    def add(self, needle: bytes) -> None:
        """One more text to look for."""
        key = int.from_bytes(needle[:SHORTEST], "little")
        known = self.texts.setdefault(key, [])
        if needle not in known:
            known.append(needle)
            self._table[_hash(np.array([key], dtype=np.uint64))] = True

    def hits(self, content: bytes) -> Iterator[tuple[int, bytes]]:
        """(where, needle) of every occurrence."""
        for start in range(0, max(len(content) - SHORTEST + 1, 0), PIECE):
            raw = np.frombuffer(content, np.uint8, min(PIECE + SHORTEST - 1, len(content) - start), start).astype(np.uint64)
            many = len(raw) - SHORTEST + 1
            windows = np.zeros(many, dtype=np.uint64)
            for at in range(SHORTEST):
                windows |= raw[at : at + many] << np.uint64(8 * at)
            for at in np.flatnonzero(self._table[_hash(windows)]).tolist():
                for needle in self.texts.get(int(windows[at]), ()):
                    if content.startswith(needle, start + at):
                        yield start + at, needle


def _hash(windows: np.ndarray) -> np.ndarray:
    return (windows * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(44)


@dataclass(slots=True)
class Scanner:
    """Looks for all secrets in what it is given, and counts what it was given."""

    secrets: Iterable[tuple[str, str]]
    found: list[Found] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)
    """Kind of place -> how many were looked at."""
    looked: dict[str, int] = field(default_factory=dict)
    """Kind of place -> bytes."""
    _known: dict[bytes, tuple[str, str]] = field(default_factory=dict)
    _exact: Needles = field(default_factory=Needles)
    _small: Needles = field(default_factory=Needles)

    def __post_init__(self) -> None:
        for what, text in self.secrets:
            for form, needle in forms(text):
                assert len(needle) >= SHORTEST, f"a {what} of {len(text)} letters would be found by chance in {form}"
                self._known.setdefault(needle, (what, form))
                (self._exact if form in EXACT else self._small).add(needle)

    @property
    def needles(self) -> int:
        """How many different texts are looked for."""
        return len(self._known)

    def count(self, kind: str, many: int) -> None:
        """Say how many of something were looked at along the way."""
        self.places[kind] = self.places.get(kind, 0) + many

    def look(self, kind: str, place: str, content: bytes) -> None:
        """Look at one place. An empty one is counted as a place and adds no bytes."""
        self.count(kind, 1)
        self.looked[kind] = self.looked.get(kind, 0) + len(content)
        small = content.lower()
        together = APART.sub(b"", small)
        told: set[tuple[str, str]] = set()
        for text, needles in ((content, self._exact), (small, self._small), (together, self._small)):
            for at, needle in needles.hits(text):
                what, form = self._known[needle]
                if (what, form) not in told:
                    told.add((what, form))
                    around = text[max(0, at - 80) : at] + b"<here>" + text[at + len(needle) : at + len(needle) + 40]
                    self.found.append(Found(f"{kind}: {place}", what, form, repr(around)))
