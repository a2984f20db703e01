"""A region's rules as dated data: which value of a figure counts on a day, where it comes from, and how sure that is.

A pack is one file per region, resolved from its parents (nation, then province, then region; the nearest that names a key wins
the whole key) and named by the SHA-256 of its canonical bytes. Decisions carry that hash.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from shared.errors import NotNow, Refused


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One value from `from_` on. `mark`: P text read, S press or firm article, D arithmetic, A assumption, M from memory."""

    from_: date = msgspec.field(name="from")
    value: Any
    source: str
    article: str = ""
    mark: str = "A"


class Pack(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The rules of one region, all dates. `figures[key]` is ordered by date, without two of one day."""

    format: int
    region: str
    name: str
    parents: tuple[str, ...]
    figures: dict[str, tuple[Figure, ...]]

    @cached_property
    def sha256(self) -> str:
        """The name of the pack: hex SHA-256 of its canonical bytes."""
        return hashlib.sha256(self.canonical()).hexdigest()

    def canonical(self) -> bytes:
        """Sorted, without spaces: the bytes that the hash covers and the mounted file holds."""
        return msgspec.json.encode(self, order="sorted")

    def figure(self, key: str, on: date) -> Figure:
        """The figure in force on a local day. Raises `Refused` (`rule-missing`) when the pack has none for that day: never a guess."""
        found = None
        for figure in self.figures.get(key, ()):
            if figure.from_ <= on:
                found = figure
        if found is None:
            raise Refused("rule-missing", detail=f"the rules of {self.region} hold no {key} for {on.isoformat()}", rule=key)
        return found

    def value(self, key: str, on: date) -> Any:
        """The value of `figure(key, on)`."""
        return self.figure(key, on).value


def parse(raw: bytes) -> Pack:
    """A compiled pack from its bytes. Raises `ValueError` when it is not one."""
    try:
        pack = msgspec.json.decode(raw, type=Pack)
    except msgspec.MsgspecError as wrong:
        raise ValueError(f"not a rule pack: {wrong}") from None
    if pack.format != 1:
        raise ValueError(f"pack format {pack.format} is not known")
    for key, figures in pack.figures.items():
        days = [figure.from_ for figure in figures]
        if not days or days != sorted(set(days)):
            raise ValueError(f"the dates of {key} are empty, doubled or out of order")
    return pack


def load(folder: Path, sha256: str) -> Pack:
    """The mounted pack of that name. Raises `NotNow` (`pack-missing`) when the file is absent or its bytes do not have that hash."""
    path = folder / f"{sha256}.json"
    try:
        raw = path.read_bytes()
    except OSError:
        raise NotNow("pack-missing", f"rule pack {sha256[:12]} is not mounted here") from None
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise NotNow("pack-missing", f"the file of rule pack {sha256[:12]} does not have that hash")
    return parse(raw)


def resolve(region: str, name: str, chain: Sequence[tuple[str, Mapping[str, tuple[Figure, ...]]]]) -> Pack:
    """One pack out of its layers, outermost first; a nearer layer replaces a key as a whole."""
    figures: dict[str, tuple[Figure, ...]] = {}
    for _, layer in chain:
        figures |= {key: tuple(sorted(value, key=lambda figure: figure.from_)) for key, value in layer.items()}
    return Pack(format=1, region=region, name=name, parents=tuple(code for code, _ in chain[:-1]), figures=figures)
