"""What may come up, in placement's own words. Doors translate a neighbour's facts and officers' decisions into these."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.events import Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """Something that happened, with the local day it counts from and the event that told it."""

    region: str
    on: date
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered(Matter):
    """The person's word on an offer; `on` is the local day of receipt, which decides whether it was in time."""

    offer_id: UUID
    worker_id: UUID
    says: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TermPassed(Matter):
    """Nobody answered in time; `evidence` says how the person was reached."""

    offer_id: UUID
    worker_id: UUID
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed(Matter):
    """Vendor and worker signed the work agreement for an accepted offer."""

    agreement_id: UUID
    offer_id: UUID
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    starts_on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone(Matter):
    """The worker is out of reach for good: `exited`, `left`, `merged`, `erased`."""

    worker_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentTold(Matter):
    """The person's yes or no to the scheme as a whole."""

    worker_id: UUID
    given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FamiliesChosen(Matter):
    """The job families the person is willing to work in, in order."""

    worker_id: UUID
    families: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorKnown(Matter):
    """A vendor may be contracted."""

    vendor_id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VendorBarred(Matter):
    """A vendor went on the blacklist, or (`barred` False) came off it."""

    vendor_id: UUID
    barred: bool = True


@dataclass(frozen=True, slots=True)
class LotTerms:
    """One lot as a contract states it."""

    id: UUID
    agency: str
    job: str
    site: str
    kecamatan: str
    wage: int
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTold(Matter):
    """A contract with all its lots, as signed or as amended."""

    contract_id: UUID
    vendor_id: UUID
    vendor_name: str
    terms: int
    starts_on: date
    ends_on: date
    lots: tuple[LotTerms, ...]
    successor_of: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReductionAsked(Matter):
    """Fewer seats are wanted at a lot."""

    contract_id: UUID
    lot_id: UUID
    request_id: UUID
    seats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractOver(Matter):
    """A contract ended; nobody can be offered a seat of it or stay in one."""

    contract_id: UUID
    vendor_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Began(Matter):
    """The first working day came."""

    placement_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed(Matter):
    """A dismissal is disputed: the seat is held."""

    placement_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeClosed(Matter):
    """A dispute ended: the placement `continues` or is `ended`."""

    placement_id: UUID
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted(Matter):
    """A seat that the rule gives to a worker in a round: it becomes an offer if seat and worker are still free."""

    offer_id: UUID
    worker_id: UUID
    lot_id: UUID
    round_id: UUID | None
    incumbent: bool
    starts_on: date
    answer_by: date
