"""The tables of placement. SQLModel declares them, SQL does the work. Every row carries its region."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Text, UniqueConstraint, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Base(SQLModel, registry=registry()):
    """Base of this service's tables: its own metadata, so that no other service's table can be reached from here."""


def _instant(**more: Any) -> Any:
    return Field(sa_type=DateTime(timezone=True), **more)


def _text(default: str = "") -> Any:
    return Field(default=default, sa_type=Text)


# --- projections: what the neighbours say; droppable, rebuilt from their topics ---------------------------------------


class PersonRow(Base, table=True):
    """A worker as the registry describes the person: codes only. Projection `people`."""

    __tablename__ = "person"
    __table_args__ = (Index("person_region", "region", "worker_id"),)
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_number: str = _text()
    agency: str = _text()
    job_family: str = _text()
    kecamatan: str = _text()
    service_start: date
    service_end: date | None = None


class PersonHistoryRow(Base, table=True):
    """What was decreed about a worker, dated: stop, recall, proposal, exit, left, merged. Projection `people`."""

    __tablename__ = "person_history"
    __table_args__ = (Index("person_history_region", "region", "effective_on"),)
    worker_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    region: str = _text()
    aspect: str = _text()
    value: str = _text()
    effective_on: date
    recorded_at: datetime = _instant()


class RollChunkRow(Base, table=True):
    """A chunk of a sealed roll: JSON lists of aggregate ids and versions. Projection `people`."""

    __tablename__ = "roll_chunk"
    seal_id: UUID = Field(primary_key=True)
    chunk: int = Field(primary_key=True)
    region: str = _text()
    chunks: int
    as_of: datetime = _instant()
    pins: str = _text("[]")


class CapacityChunkRow(Base, table=True):
    """A chunk of sealed capacity. Projection `capacity`."""

    __tablename__ = "capacity_chunk"
    seal_id: UUID = Field(primary_key=True)
    chunk: int = Field(primary_key=True)
    region: str = _text()
    chunks: int
    as_of: datetime = _instant()
    pins: str = _text("[]")


class CredentialRow(Base, table=True):
    """A licence, certificate or age limit. Projection `rights`."""

    __tablename__ = "credential"
    __table_args__ = (Index("credential_worker", "worker_id"),)
    credential_id: UUID = Field(primary_key=True)
    worker_id: UUID
    region: str = _text()
    credential: str = _text()
    class_: str = _text()
    valid_from: date
    valid_until: date | None = None


class RightHistoryRow(Base, table=True):
    """Verdicts on the scheme and the person's consent, dated. Projection `rights`."""

    __tablename__ = "right_history"
    __table_args__ = (Index("right_history_region", "region", "effective_on"),)
    aggregate_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    worker_id: UUID = Field(index=True)
    region: str = _text()
    aspect: str = _text()
    value: str = _text()
    why: str = _text()
    effective_on: date
    recorded_at: datetime = _instant()


# --- state: what placement itself decides ------------------------------------------------------------------------------


class VendorRow(Base, table=True):
    """Whether a vendor may be offered for."""

    __tablename__ = "vendor"
    id: UUID = Field(primary_key=True)
    region: str = _text()
    name: str = _text()
    debarred: bool = False


class ContractRow(Base, table=True):
    """A vendor's contract, newest terms."""

    __tablename__ = "contract"
    id: UUID = Field(primary_key=True)
    region: str = _text()
    vendor_id: UUID
    vendor_name: str = _text()
    terms: int
    starts_on: date
    ends_on: date
    state: str = _text("signed")
    successor_of: UUID | None = None


class LotRow(Base, table=True):
    """Seats of a lot. The CHECK is the last wall: more than the covered seats are never offered or held."""

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("taken >= 0 AND released >= 0 AND excess >= 0", name="lot_counts"),
        CheckConstraint("taken + released <= capacity + excess", name="lot_never_over"),
        Index("lot_contract", "contract_id"),
        Index("lot_region", "region", "id"),
    )
    id: UUID = Field(primary_key=True)
    region: str = _text()
    contract_id: UUID
    vendor_id: UUID
    agency: str = _text()
    job: str = _text()
    site: str = _text()
    kecamatan: str = _text()
    wage: int = Field(sa_type=BigInteger)
    capacity: int
    taken: int = 0
    released: int = 0
    excess: int = 0
    owed: str = _text("[]")
    open: bool = True


class SeatRow(Base, table=True):
    """One row per worker: at most one offer or placement at a time, and whether offers are barred."""

    __tablename__ = "seat"
    __table_args__ = (CheckConstraint("offer_id IS NULL OR placement_id IS NULL", name="seat_one_thing"),)
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    barred: str = _text()
    offer_id: UUID | None = None
    placement_id: UUID | None = None
    last_agency: str = _text()
    last_job: str = _text()
    last_reason: str = _text()


class OfferRow(Base, table=True):
    """An offer."""

    __tablename__ = "offer"
    __table_args__ = (
        Index("offer_one_active", "worker_id", unique=True, postgresql_where=text("state IN ('open', 'accepted')")),
        Index("offer_contract", "contract_id"),
        Index("offer_vendor", "vendor_id"),
        Index("offer_round", "round_id", "worker_id"),
        Index("offer_region", "region", "id"),
    )
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID = Field(index=True)
    round_id: UUID | None = None
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agency: str = _text()
    job: str = _text()
    incumbent: bool
    starts_on: date
    answer_by: date
    made_on: date
    since: date
    state: str = _text("open")
    reason: str = _text()
    reasons: str = _text("[]")


class PlacementRow(Base, table=True):
    """A placement. One active per person, by index."""

    __tablename__ = "placement"
    __table_args__ = (
        Index("placement_one_active", "worker_id", unique=True, postgresql_where=text("state IN ('confirmed', 'started', 'disputed')")),
        Index("placement_contract", "contract_id"),
        Index("placement_region", "region", "id"),
    )
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID = Field(index=True)
    offer_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agency: str = _text()
    job: str = _text()
    incumbent: bool
    starts_on: date
    since: date
    state: str = _text("confirmed")
    ended_on: date | None = None
    reason: str = _text()


class PreferenceRow(Base, table=True):
    """The job families a person is willing to work in: JSON list in order."""

    __tablename__ = "preference"
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    families: str = _text("[]")
    given_on: date


class CourseRow(Base, table=True):
    """Where a worker stood from a day on, by what placement did; the newest row of a day counts."""

    __tablename__ = "course"
    __table_args__ = (Index("course_region", "region", "worker_id", "effective_on", "seq"),)
    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    worker_id: UUID = Field(index=True)
    region: str = _text()
    value: str = _text()
    effective_on: date
    recorded_at: datetime = _instant()


class RoundRow(Base, table=True):
    """A round (putaran penempatan)."""

    __tablename__ = "round"
    __table_args__ = (
        UniqueConstraint("region", "number", name="round_number"),
        Index("round_one_unsigned", "region", unique=True, postgresql_where=text("state IN ('draft', 'frozen', 'drawn', 'computed')")),
    )
    id: UUID = Field(primary_key=True)
    region: str = _text()
    number: int
    state: str = _text("draft")
    roll_seal_id: UUID
    capacity_seal_id: UUID
    starts_on: date
    answer_by: date | None = None
    commitment: str = _text()
    second: str = _text()
    rules: str = _text("{}")
    instance_hash: str = _text()
    run_sha256: str = _text()
    pack: str = _text()
    people: int = 0
    lots: int = 0
    seats: int = 0
    placed: int = 0
    unplaced: int = 0
    opener: str = _text()
    drawer: str = _text()
    signer: str = _text()
    opened_at: datetime = _instant()
    drawn_at: datetime | None = _instant(default=None)
    computed_at: datetime | None = _instant(default=None)
    signed_at: datetime | None = _instant(default=None)
    closed_at: datetime | None = _instant(default=None)
    problem: str = _text()


class RoundLotRow(Base, table=True):
    """A lot as frozen for a round, in the order of the instance."""

    __tablename__ = "round_lot"
    round_id: UUID = Field(primary_key=True)
    lot_id: UUID = Field(primary_key=True)
    region: str = _text()
    ordinal: int
    agency: str = _text()
    job: str = _text()
    kecamatan: str = _text()
    wage: int = Field(sa_type=BigInteger)
    seats: int


class RoundPersonRow(Base, table=True):
    """A person as frozen for a round: facts, possible seats in the order of wish, and what the run gave."""

    __tablename__ = "round_person"
    round_id: UUID = Field(primary_key=True)
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    facts: str = _text("{}")
    edges: str = _text("[]")
    reason: str = _text()
    lot_id: UUID | None = None
    kind: str = _text()
    incumbent: bool = False


class RoundExclusionRow(Base, table=True):
    """A person an officer left out of a round by name, with the reason."""

    __tablename__ = "round_exclusion"
    round_id: UUID = Field(primary_key=True)
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    reason: str = _text()


class RoundFileRow(Base, table=True):
    """A file of the run folder; `public` ones are served to anybody."""

    __tablename__ = "round_file"
    round_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=Text)
    region: str = _text()
    public: bool
    media: str = _text()
    sha256: str = _text()
    size: int
    file_id: UUID


SCOPED = tuple(str(table.name) for table in Base.metadata.sorted_tables)
"""Every table has a `region` column."""
