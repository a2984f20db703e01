"""The tables of the vendor service. SQLModel declares them; SQL does the work. Every row carries its region."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, DateTime, Index, UniqueConstraint
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Base(SQLModel, registry=registry()):
    """Base of this service's tables: its own metadata, so that no other service's table can be reached from here."""


def _money(**more: object) -> int:
    return Field(sa_type=BigInteger, **more)  # type: ignore[call-overload, no-any-return]


def _instant() -> datetime:
    return Field(sa_type=DateTime(timezone=True))  # type: ignore[no-any-return]


class VendorRow(Base, table=True):
    """A vendor in a region. `reasons` is a JSON list of [slug, rule, article]."""

    __tablename__ = "vendor"
    __table_args__ = (UniqueConstraint("region", "nib", name="vendor_once"),)
    id: UUID = Field(primary_key=True)
    region: str
    name: str
    nib: str
    registered_by: str
    registered_at: datetime = _instant()
    standing: str
    qualified_until: date | None = None
    assessed_by: str = ""
    minutes: str = ""
    reasons: str = "[]"
    debarred: bool = False
    debarred_until: date | None = None
    debarment: str = ""


class PaperRow(Base, table=True):
    """A document a vendor showed."""

    __tablename__ = "vendor_document"
    vendor_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    region: str
    number: str
    valid_from: date
    valid_until: date | None = None


class LineRow(Base, table=True):
    """A budget line. The CHECK is the last wall: more than the ceiling can never be committed, whatever the code does."""

    __tablename__ = "budget_line"
    __table_args__ = (
        UniqueConstraint("region", "agency", "account", "year", name="budget_line_once"),
        CheckConstraint("committed >= 0 AND committed <= ceiling", name="budget_line_cover"),
        CheckConstraint("state = 'approved' OR committed = 0", name="budget_line_approved"),
    )
    id: UUID = Field(primary_key=True)
    region: str
    agency: str
    account: str
    year: int
    state: str
    ceiling: int = _money()
    committed: int = _money()
    dpa_number: str = ""
    approved_on: date | None = None
    written_by: str = ""


class QuarterRow(Base, table=True):
    """A quarter of a line: its fund release (SPD) and what contracts hold in it."""

    __tablename__ = "budget_quarter"
    line_id: UUID = Field(primary_key=True)
    quarter: int = Field(primary_key=True)
    region: str
    committed: int = _money()
    released: int = _money()
    spd_number: str = ""
    released_on: date | None = None


class EntryRow(Base, table=True):
    """One side of a movement; a deferred trigger sees that the sides of a movement sum to zero. Append-only."""

    __tablename__ = "ledger"
    __table_args__ = (
        Index("ledger_line", "budget_line_id", "id"),
        Index("ledger_movement", "movement_id"),
        Index("ledger_contract", "contract_id"),
    )
    id: UUID = Field(primary_key=True)
    region: str
    movement_id: UUID
    budget_line_id: UUID
    account: str
    amount: int = _money()
    reason: str
    contract_id: UUID | None = None
    effective_on: date
    recorded_at: datetime = _instant()


class ContractRow(Base, table=True):
    """A contract with the present number of its terms."""

    __tablename__ = "contract"
    __table_args__ = (UniqueConstraint("region", "number", name="contract_once"), Index("contract_vendor", "vendor_id"))
    id: UUID = Field(primary_key=True)
    region: str
    vendor_id: UUID
    vendor_name: str
    number: str
    starts_on: date
    ends_on: date
    obligation_incumbents: bool
    obligation_by: date
    transfer_clause: bool
    partial_cover: bool
    successor_of: UUID | None = None
    drafted_by: str
    state: str
    terms: int
    signed_on: date | None = None
    signed_by: str = ""
    ending_on: date | None = None
    ended_on: date | None = None
    end_reason: str = ""


class ContractLineRow(Base, table=True):
    """Which line pays which year of a contract."""

    __tablename__ = "contract_line"
    contract_id: UUID = Field(primary_key=True)
    line_id: UUID = Field(primary_key=True)
    region: str
    ordinal: int


class LotRow(Base, table=True):
    """A lot under the present terms."""

    __tablename__ = "lot"
    __table_args__ = (
        Index("lot_contract", "contract_id"),
        CheckConstraint("covered_seats >= 0 AND covered_seats <= seats", name="lot_cover"),
    )
    id: UUID = Field(primary_key=True)
    contract_id: UUID
    region: str
    ordinal: int
    agency: str
    job: str
    site: str
    kecamatan: str
    seats: int
    covered_seats: int
    wage: int = _money()
    price: int = _money()


class ReductionRow(Base, table=True):
    """Seats asked back, and given back so far."""

    __tablename__ = "reduction"
    __table_args__ = (Index("reduction_contract", "contract_id"), CheckConstraint("released <= asked", name="reduction_within"))
    id: UUID = Field(primary_key=True)
    region: str
    contract_id: UUID
    lot_id: UUID
    asked: int
    released: int
    reason: str
    requested_by: str
    requested_at: datetime = _instant()


class AcceptedRow(Base, table=True):
    """Projection of placement.internal: offers that people accepted in the vendor's name."""

    __tablename__ = "accepted_offer"
    __table_args__ = (Index("accepted_worker", "worker_id"), Index("accepted_contract", "contract_id"))
    offer_id: UUID = Field(primary_key=True)
    region: str
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    starts_on: date
    withdrawn: str = ""


class SeatRow(Base, table=True):
    """Projection of placement.events: who holds which seat."""

    __tablename__ = "seat"
    __table_args__ = (Index("seat_contract", "contract_id"), Index("seat_worker", "worker_id"))
    placement_id: UUID = Field(primary_key=True)
    region: str
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    incumbent: bool
    state: str
    starts_on: date
    ended_on: date | None = None
    end_reason: str = ""


class AgreementRow(Base, table=True):
    """A recorded work agreement; the wage stays here."""

    __tablename__ = "work_agreement"
    __table_args__ = (
        UniqueConstraint("offer_id", name="work_agreement_once"),
        UniqueConstraint("vendor_id", "number", name="work_agreement_number"),
        Index("work_agreement_worker", "worker_id"),
        Index("work_agreement_contract", "contract_id"),
    )
    id: UUID = Field(primary_key=True)
    region: str
    offer_id: UUID
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agreement: str
    number: str
    wage: int = _money()
    starts_on: date
    ends_on: date | None = None
    recorded_at: datetime = _instant()


class GoneRow(Base, table=True):
    """Who exited, left, was merged or erased, as the registry told it: they are hired no more."""

    __tablename__ = "gone"
    worker_id: UUID = Field(primary_key=True)
    region: str
    why: str
    effective_on: date


class RosterRow(Base, table=True):
    """A vendor's own list of a month, an independent book of who works where."""

    __tablename__ = "roster"
    __table_args__ = (UniqueConstraint("contract_id", "month", name="roster_once"),)
    id: UUID = Field(primary_key=True)
    region: str
    contract_id: UUID
    vendor_id: UUID
    month: date
    people: int
    reported_at: datetime = _instant()


class RosterEntryRow(Base, table=True):
    """One person on a roster."""

    __tablename__ = "roster_entry"
    __table_args__ = (Index("roster_entry_worker", "worker_id"),)
    roster_id: UUID = Field(primary_key=True)
    worker_id: UUID = Field(primary_key=True)
    region: str
    lot_id: UUID


class FindingRow(Base, table=True):
    """A deviation computed on a day."""

    __tablename__ = "finding"
    __table_args__ = (Index("finding_contract", "contract_id"),)
    id: UUID = Field(primary_key=True)
    region: str
    finding: str
    contract_id: UUID
    vendor_id: UUID
    lot_id: UUID | None = None
    rule: str
    article: str
    source: str
    floor: int = _money()
    wage: int = _money()
    shortfall_per_seat: int = _money()
    seats: int
    shortfall: int = _money()
    people: int
    judged_on: date
    state: str
    pack: str


class CaseRow(Base, table=True):
    """A matter in which both sides are heard."""

    __tablename__ = "case_file"
    id: UUID = Field(primary_key=True)
    region: str
    kind: str
    rule: str
    vendor_id: UUID | None = None
    worker_id: UUID | None = None
    contract_id: UUID | None = None
    offer_id: UUID | None = None
    state: str
    outcome: str = ""
    opened_at: datetime = _instant()
    decided_by: str = ""


TABLES: tuple[str, ...] = tuple(sorted(Base.metadata.tables))
"""Names of all tables of this service; each has a region."""

PROJECTED: tuple[str, ...] = ("accepted_offer", "seat")
"""Tables that only projections write and a rebuild empties."""
