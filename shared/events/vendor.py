"""Facts that the vendor service decides: who may supply, under which contract, out of which budget line."""

from datetime import date
from uuid import UUID

import msgspec

from .base import Fact, Stream, fact
from .registry import Pin

EVENTS = Stream("vendor", "events")
INTERNAL = Stream("vendor", "internal")


class Lot(msgspec.Struct, frozen=True, kw_only=True):
    """Kelompok posisi: seats of one job at one agency and site. Money in whole rupiah per month; `covered_seats` fit the budget line."""

    lot_id: UUID
    agency: str
    job: str
    site: str
    kecamatan: str
    seats: int
    covered_seats: int
    wage: int
    price_per_seat_month: int


@fact("vendor.qualified", EVENTS, "vendor", id="vendor_id")
class VendorQualified(Fact, frozen=True, kw_only=True):
    """The vendor passed the strict selection and may be contracted in the region."""

    vendor_id: UUID
    name: str
    qualified_until: date | None = None


@fact("vendor.refused", EVENTS, "vendor", id="vendor_id")
class VendorRefused(Fact, frozen=True, kw_only=True):
    """The vendor did not pass; `reasons` are rule slugs."""

    vendor_id: UUID
    reasons: tuple[str, ...]


@fact("vendor.debarred", EVENTS, "vendor", id="vendor_id")
class VendorDebarred(Fact, frozen=True, kw_only=True):
    """Put on the blacklist (daftar hitam): open offers are withdrawn, running placements go on."""

    vendor_id: UUID
    reason: str
    until: date | None = None


@fact("vendor.debarment_lifted", EVENTS, "vendor", id="vendor_id")
class VendorDebarmentLifted(Fact, frozen=True, kw_only=True):
    """Taken off the blacklist."""

    vendor_id: UUID


@fact("contract.signed", EVENTS, "contract", id="contract_id", key="vendor_id")
class ContractSigned(Fact, frozen=True, kw_only=True):
    """A contract with its lots; seats x price x months are committed against the budget line. Version 1 of the contract's terms."""

    contract_id: UUID
    vendor_id: UUID
    vendor_name: str
    number: str
    terms: int
    starts_on: date
    ends_on: date
    lots: tuple[Lot, ...]
    obligation_incumbents: bool
    obligation_by: date
    successor_of: UUID | None = None


@fact("contract.reduction_requested", EVENTS, "contract", id="contract_id", key="vendor_id")
class ContractReductionRequested(Fact, frozen=True, kw_only=True):
    """Fewer seats are wanted: placement stops offering and gives seats back as they come free."""

    contract_id: UUID
    vendor_id: UUID
    request_id: UUID
    lot_id: UUID
    seats: int


@fact("contract.amended", EVENTS, "contract", id="contract_id", key="vendor_id")
class ContractAmended(Fact, frozen=True, kw_only=True):
    """The contract's terms after an amendment (all lots, not a difference); `terms` counts up from 1."""

    contract_id: UUID
    vendor_id: UUID
    terms: int
    starts_on: date
    ends_on: date
    lots: tuple[Lot, ...]


@fact("contract.ended", EVENTS, "contract", id="contract_id", key="vendor_id")
class ContractEnded(Fact, frozen=True, kw_only=True):
    """The contract is over (`expired`, `terminated`); people inside wait or are carried over."""

    contract_id: UUID
    vendor_id: UUID
    reason: str


@fact("budget_line.approved", EVENTS, "budget_line", id="budget_line_id")
class BudgetLineApproved(Fact, frozen=True, kw_only=True):
    """A budget line (kode rekening of the DPA) with its ceiling for the year, in whole rupiah."""

    budget_line_id: UUID
    account: str
    year: int
    ceiling: int


@fact("budget_line.revised", EVENTS, "budget_line", id="budget_line_id")
class BudgetLineRevised(Fact, frozen=True, kw_only=True):
    """The ceiling of a line changed."""

    budget_line_id: UUID
    ceiling: int


@fact("capacity.sealed", EVENTS, "capacity", id="capacity_id")
class CapacitySealed(Pin, frozen=True, kw_only=True):
    """Every contract of the region that a round must know, with its version."""

    capacity_id: UUID
    seal_id: UUID


@fact("work_agreement.recorded", EVENTS, "work_agreement", id="work_agreement_id", key="worker_id")
class WorkAgreementRecorded(Fact, frozen=True, kw_only=True):
    """Vendor and worker signed (PKWT or PKWTT) for a seat of the lot; the wage was compared in the vendor service's own store."""

    work_agreement_id: UUID
    worker_id: UUID
    offer_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agreement: str
    number: str
    starts_on: date
    ends_on: date | None


@fact("roster.reported", INTERNAL, "roster", id="roster_id")
class RosterReported(Fact, frozen=True, kw_only=True):
    """The vendor's own list of who works where, by its size."""

    roster_id: UUID
    contract_id: UUID
    month: date
    people: int


@fact("case.opened", INTERNAL, "case", id="case_id")
class CaseOpened(Fact, frozen=True, kw_only=True):
    """A matter both sides are heard in (penanganan): its kind (`wage_below_floor`, `vendor_refusal`, ...) and the rule it is about."""

    case_id: UUID
    case: str
    vendor_id: UUID | None
    worker_id: UUID | None
    rule: str
    contract_id: UUID | None = None
    offer_id: UUID | None = None


@fact("case.decided", INTERNAL, "case", id="case_id")
class CaseDecided(Fact, frozen=True, kw_only=True):
    """An officer decided; `outcome` is a code."""

    case_id: UUID
    outcome: str


@fact("case.closed", INTERNAL, "case", id="case_id")
class CaseClosed(Fact, frozen=True, kw_only=True):
    """Nothing is left to do."""

    case_id: UUID
