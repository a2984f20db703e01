"""What placement knows, as frozen values."""

from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

OFFER_ACTIVE: Final = frozenset({"open", "accepted"})
PLACEMENT_ACTIVE: Final = frozenset({"confirmed", "started", "disputed"})


@dataclass(frozen=True, slots=True)
class Lot:
    """Seats of one job at one agency and site. `capacity` seats are covered by money; `taken` = offered + held.

    `released` seats were given back for a reduction that is not amended yet; `owed` (request, seats) is still to be given
    back. `excess` seats are held above a capacity that was cut without asking: they are honoured and never refilled.
    """

    id: UUID
    region: str
    contract_id: UUID
    vendor_id: UUID
    agency: str
    job: str
    site: str
    kecamatan: str
    wage: int
    capacity: int
    taken: int = 0
    released: int = 0
    excess: int = 0
    owed: tuple[tuple[UUID, int], ...] = ()
    open: bool = True

    @property
    def free(self) -> int:
        """Seats that may be offered now."""
        return max(0, self.capacity - self.taken - self.released) if self.open else 0


@dataclass(frozen=True, slots=True)
class Contract:
    """A vendor's contract as far as placement needs it."""

    id: UUID
    region: str
    vendor_id: UUID
    vendor_name: str
    terms: int
    starts_on: date
    ends_on: date
    state: str = "signed"
    successor_of: UUID | None = None


@dataclass(frozen=True, slots=True)
class Vendor:
    """Whether a vendor may be offered for."""

    id: UUID
    region: str
    name: str = ""
    debarred: bool = False


@dataclass(frozen=True, slots=True)
class Seat:
    """Where one worker stands: at most one offer or placement at a time. `barred` says why no offer may be made."""

    worker_id: UUID
    region: str
    barred: str = ""
    offer_id: UUID | None = None
    placement_id: UUID | None = None
    last_agency: str = ""
    last_job: str = ""
    last_reason: str = ""

    @property
    def free(self) -> bool:
        """Whether an offer may be made."""
        return not self.barred and self.offer_id is None and self.placement_id is None


@dataclass(frozen=True, slots=True)
class Offer:
    """A seat offered in the vendor's name. `since` is the day of the last change."""

    id: UUID
    region: str
    worker_id: UUID
    round_id: UUID | None
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agency: str
    job: str
    incumbent: bool
    starts_on: date
    answer_by: date
    made_on: date
    since: date
    state: str = "open"
    reason: str = ""
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placement:
    """A person in a seat. `since` is the day of the last change."""

    id: UUID
    region: str
    worker_id: UUID
    offer_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agency: str
    job: str
    incumbent: bool
    starts_on: date
    since: date
    state: str = "confirmed"
    ended_on: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """One line of a worker's course: from `on`, the worker stands at `value` (see `book.py`)."""

    worker_id: UUID
    region: str
    value: str
    on: date
