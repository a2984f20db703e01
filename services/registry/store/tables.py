"""The tables as SQLModel classes, on metadata of this service's own. Hot paths speak SQL; a test holds these to the migrated schema."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, MetaData, Text
from sqlmodel import Field, SQLModel


class Table(SQLModel):
    """Base of the registry's tables."""

    metadata = MetaData()


def _text(*, key: bool = False) -> str:
    found: str = Field(sa_type=Text, primary_key=key)
    return found


def _time() -> datetime:
    found: datetime = Field(sa_type=DateTime(timezone=True))
    return found


class Person(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    nik_entry: str = _text()
    name_entry: str = _text()
    words: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    content_mac: str = _text()
    contact_mac: str = _text()
    wrapped: bytes
    sealed: bytes
    recorded_at: datetime = _time()
    changed_at: datetime = _time()


class Worker(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    person_id: UUID | None
    worker_number: str = _text()
    agency: str = _text()
    job_family: str = _text()
    kecamatan: str = _text()
    service_start: date
    service_end: date | None
    selection_code: str = _text()
    barred: bool
    version: int
    merged_into: UUID | None
    gone: str = _text()
    recorded_at: datetime = _time()


class Suppressed(Table, table=True):
    entry: str = _text(key=True)
    region: str = _text()
    recorded_at: datetime = _time()


class Standing(Table, table=True):
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    id: UUID
    region: str = _text()
    worker_id: UUID
    topic: str = _text()
    value: str = _text()
    effective_on: date
    recorded_at: datetime = _time()
    decree_number: str = _text()
    decree_date: date | None


class Credential(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    credential: str = _text()
    class_: str = _text()
    valid_from: date
    valid_until: date | None
    expired: bool
    recorded_at: datetime = _time()


class Selection(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    year: int
    phase: str = _text()
    code: str = _text()
    listed: bool
    recorded_at: datetime = _time()


class Insurance(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    programme: str = _text()
    active: bool
    month: date
    recorded_at: datetime = _time()


class Honorarium(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    paid_from: date
    paid_until: date
    recorded_at: datetime = _time()


class Eligibility(Table, table=True):
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    verdict: str = _text()
    reasons: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    since: date
    recorded_at: datetime = _time()


class Consent(Table, table=True):
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    given: bool
    channel: str = _text()
    effective_on: date
    recorded_at: datetime = _time()


class ImportFile(Table, table=True):
    __tablename__ = "import_file"

    id: UUID = Field(primary_key=True)
    region: str = _text()
    kind: str = _text()
    file_id: UUID
    job_id: UUID
    state: str = _text()
    sha256: str = _text()
    size: int = Field(sa_type=BigInteger)
    header: bytes | None
    read: int
    new: int
    changed: int
    unchanged: int
    failure: str = _text()
    wrapped: bytes
    actor: str = _text()
    received_at: datetime = _time()
    done_at: datetime | None = Field(sa_type=DateTime(timezone=True))


class Reject(Table, table=True):
    import_id: UUID = Field(primary_key=True)
    line: int = Field(primary_key=True)
    code: str = _text(key=True)
    region: str = _text()
    column_name: str = _text()
    nik_entry: str = _text()
    sealed: bytes


class ImportSeen(Table, table=True):
    __tablename__ = "import_seen"

    import_id: UUID = Field(primary_key=True)
    nik_entry: str = _text(key=True)
    region: str = _text()


class Merge(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    survivor_id: UUID
    merged_id: UUID
    reason: str = _text()
    state: str = _text()
    proposed_by: str = _text()
    proposed_at: datetime = _time()
    approved_by: str = _text()
    approved_at: datetime | None = Field(sa_type=DateTime(timezone=True))


class ControlTotal(Table, table=True):
    __tablename__ = "control_total"

    id: UUID = Field(primary_key=True)
    region: str = _text()
    on_day: date
    opening: int
    source: str = _text()
    recorded_by: str = _text()
    recorded_at: datetime = _time()


class Roll(Table, table=True):
    seal_id: UUID = Field(primary_key=True)
    roll_id: UUID
    region: str = _text()
    pairs: int
    people: int
    chunks: int
    sealed_by: str = _text()
    as_of: datetime = _time()


class Rulepack(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    sha256: str = _text()
    effective_on: date
    state: str = _text()
    drafted_by: str = _text()
    drafted_at: datetime = _time()
    activated_by: str = _text()
    activated_at: datetime | None = Field(sa_type=DateTime(timezone=True))


class Conflict(Table, table=True):
    id: UUID = Field(primary_key=True)
    region: str = _text()
    other_region: str = _text()
    import_id: UUID
    line: int
    recorded_at: datetime = _time()


class Engagement(Table, table=True):
    offer_id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    vendor_id: UUID | None
    state: str = _text()


class Placement(Table, table=True):
    placement_id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    vendor_id: UUID | None
    contract_id: UUID | None
    lot_id: UUID | None
    agency: str = _text()
    job: str = _text()
    state: str = _text()
    starts_on: date | None
    ended_on: date | None
    reason: str = _text()
