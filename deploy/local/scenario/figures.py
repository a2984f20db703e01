"""A region's figures as the scenario plays them: read from `regions/<code>.yaml`, checked when read."""

from datetime import date
from functools import cache
from pathlib import Path

import msgspec
import yaml

FOLDER = Path(__file__).parent / "regions"
COLUMNS = ("asn", "paruh_waktu", "placed", "declined", "ineligible", "left", "serving", "waiting")


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A slip of the pen in a file of figures is an error, not a silent default."""


class Opening(Strict, frozen=True, kw_only=True):
    """The typed opening population (tenaga non-ASN yang ditata)."""

    day: date
    people: int
    source: str
    mark: str


class Group(Strict, frozen=True, kw_only=True):
    """People with the same public history; `families` says how many of each job family. `pool`: they come to the round."""

    name: str
    count: int
    code: str
    listed: bool
    families: dict[str, int]
    pool: bool = False


class Fact(Strict, frozen=True, kw_only=True):
    """One dated upload: its kind of import, and for whom."""

    day: date
    kind: str
    groups: tuple[str, ...] = ()
    route: str = ""
    reason: str = ""
    decree: str = ""


class Rounds(Strict, frozen=True, kw_only=True):
    """When the world is sealed for the round, when people start, when the books are read."""

    seal_on: date
    starts_on: date
    close_on: date


class Others(Strict, frozen=True, kw_only=True):
    """People whose own family has no legal basis: how many add another family, how many do not want the scheme."""

    families: tuple[str, ...]
    add: str
    adding: int
    refusing: int


class Budget(Strict, frozen=True, kw_only=True):
    """The one budget line of the year, ceiling in whole rupiah."""

    account: str
    ceiling: int
    source: str
    mark: str


class LotPlan(Strict, frozen=True, kw_only=True):
    """Seats that a contract will hold."""

    agency: str
    job: str
    site: str
    kecamatan: str
    seats: int


class VendorPlan(Strict, frozen=True, kw_only=True):
    """A vendor that qualifies, with its contract."""

    name: str
    contract: str
    lots: tuple[LotPlan, ...]
    guard_licence: bool = False


class Row(Strict, frozen=True, kw_only=True):
    """The balance that the press (P), arithmetic (D) or our assumption (A) gives for the end of a day."""

    day: date
    asn: int
    paruh_waktu: int
    placed: int
    declined: int
    ineligible: int
    left: int
    serving: int
    waiting: int
    marks: dict[str, str]


class Figures(Strict, frozen=True, kw_only=True):
    """Everything the scenario knows of one region."""

    region: str
    issuer: str
    opening: Opening
    agencies: tuple[str, ...]
    groups: tuple[Group, ...]
    history: tuple[Fact, ...]
    credentials: dict[str, dict[str, int]]
    answers: dict[str, dict[str, int]]
    others: Others
    rounds: Rounds
    budget: Budget
    vendors: tuple[VendorPlan, ...]
    balance: tuple[Row, ...]

    @property
    def seats(self) -> int:
        """All seats of all lots."""
        return sum(lot.seats for vendor in self.vendors for lot in vendor.lots)


@cache
def read(region: str, folder: Path = FOLDER) -> Figures:
    """The figures of a region. Raises `ValueError` when groups do not add up to the opening or a row to the people."""
    raw = yaml.safe_load((folder / f"{region}.yaml").read_text())
    found = msgspec.convert(raw, Figures, strict=False)
    counted = sum(group.count for group in found.groups)
    if counted != found.opening.people:
        raise ValueError(f"{region}: the groups hold {counted} people, the opening says {found.opening.people}")
    for group in found.groups:
        if sum(group.families.values()) != group.count:
            raise ValueError(f"{region}: the families of {group.name} do not add up")
    for row in found.balance:
        if sum(getattr(row, column) for column in COLUMNS) != found.opening.people:
            raise ValueError(f"{region}: the row of {row.day} does not add up")
    return found


def regions(folder: Path = FOLDER) -> tuple[str, ...]:
    """The regions that have figures."""
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))
