"""HTTP bodies, made from the domain's values."""

import json
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, Field

from services.registry.domain.standing import Balance
from services.registry.usecases.books import Roll
from services.registry.usecases.people import Found, Listed, Shown, Why
from shared.http import Body, impersonal

REGION = r"^[0-9]{2}\.[0-9]{2}$"
Region = Annotated[str, Field(pattern=REGION, description="Kode wilayah, PP.KK.")]
Purpose = Literal["work_agreement", "payroll", "bpjs", "desk", "case", "correction", "audit"]
State = Literal["serving", "proposed", "pool", "asn", "paruh_waktu", "left"]


class ImportOut(Body):
    """A file an office sent, and what became of its rows."""

    import_id: UUID
    job_id: UUID
    region: str
    kind: str
    state: str
    sha256: str
    size: int
    read: int
    new: int
    changed: int
    unchanged: int
    rejected: dict[str, int]
    failure: str
    received_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(
            import_id=row["id"],
            rejected=json.loads(row["rejected"]),
            **{name: row[name] for name in cls.model_fields if name not in ("import_id", "rejected")},
        )


class PersonListed(Body):
    """A worker in a list; name and form of address only when a purpose was given."""

    worker_id: UUID
    worker_number: str
    name: str | None
    address_form: str | None
    agency: str
    job_family: str
    kecamatan: str
    column: str
    reason: str

    @classmethod
    def of(cls, one: Listed) -> Self:
        return cls(
            worker_id=one.worker_id,
            worker_number=one.worker_number,
            name=one.identity.name if one.identity else None,
            address_form=one.identity.address_form if one.identity else None,
            agency=one.profile.agency,
            job_family=one.profile.job_family,
            kecamatan=one.profile.kecamatan,
            column=one.column.name,
            reason=one.column.reason,
        )


class PersonOut(Body):
    """One person with everything the registry holds of them."""

    worker_id: UUID
    region: str
    worker_number: str
    nik: str
    name: str
    address_form: str
    birth_date: date
    email: str
    phone: str
    agency: str
    job_family: str
    kecamatan: str
    service_start: date
    service_end: date | None
    selection_code: str
    column: str
    reason: str
    consent: dict[str, Any] | None
    eligibility: dict[str, Any] | None
    credentials: list[dict[str, Any]]
    placement: dict[str, Any] | None

    @classmethod
    def of(cls, one: Shown) -> Self:
        i, p = one.identity, one.profile
        return cls(
            worker_id=one.worker_id,
            region=one.region,
            worker_number=one.worker_number,
            nik=i.nik,
            name=i.name,
            address_form=i.address_form,
            birth_date=i.birth_date,
            email=i.email,
            phone=i.phone,
            agency=p.agency,
            job_family=p.job_family,
            kecamatan=p.kecamatan,
            service_start=p.service_start,
            service_end=p.service_end,
            selection_code=p.selection_code,
            column=one.column.name,
            reason=one.column.reason,
            consent=one.facts["consent"],
            eligibility=one.facts["eligibility"],
            credentials=one.facts["credentials"] or [],
            placement=one.facts["placement"],
        )


class WhyStep(Body):
    """One dated thing that led to where a person stands."""

    on: date
    recorded_at: datetime
    what: str
    value: str
    decree_number: str = ""
    decree_date: date | None = None


class WhyOut(Body):
    """Where a person stands on a day, and why."""

    worker_id: UUID
    on: date
    column: str
    reason: str
    eligibility: dict[str, Any] | None
    steps: list[WhyStep]

    @classmethod
    def of(cls, why: Why) -> Self:
        return cls(
            worker_id=why.worker_id,
            on=why.on,
            column=why.column.name,
            reason=why.column.reason,
            eligibility=dict(why.eligibility) if why.eligibility else None,
            steps=[WhyStep(**step) for step in why.steps],
        )


class ConsentIn(Body):
    """What a person said to the scheme as a whole."""

    given: bool
    channel: Literal["desk", "letter", "mail", "phone", "link"]
    effective_on: date | None = None


class ConsentOut(Body):
    worker_id: UUID
    given: bool
    changed: bool


class ErasureIn(Body):
    """On which ground a person's data are destroyed."""

    ground: Literal["request", "court", "mistake"]


class ErasureOut(Body):
    worker_id: UUID
    erased: bool = True


class MergeIn(Body):
    """Two workers who are one person. Reasons are codes: free text would carry names past the vault."""

    survivor_id: UUID
    merged_id: UUID
    reason: Literal["mistyped_nik", "double_entry", "two_agencies"]


class CorrectionIn(Body):
    """What is corrected of an identity; what is absent stays. A wrong NIK is another person's file: merge instead."""

    reason: Literal["id_card", "family_card", "own_statement", "typing_error"]
    name: str | None = Field(None, min_length=1, max_length=200)
    birth_date: date | None = None
    address_form: Literal["Ibu", "Bapak", "Kak"] | None = None
    email: str | None = Field(None, max_length=254)
    phone: str | None = Field(None, max_length=30)


class CorrectionOut(Body):
    worker_id: UUID
    changed: bool


class ConflictOut(Body):
    """A case for two offices: a file of this region, or of the other one, named somebody the other holds."""

    conflict_id: UUID
    region: str
    other_region: str
    import_id: UUID
    line: int
    recorded_at: datetime

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(conflict_id=row["id"], **{name: row[name] for name in cls.model_fields if name != "conflict_id"})


class Nothing(Body):
    """An empty body."""


class MergeOut(Body):
    merge_id: UUID
    region: str
    survivor_id: UUID
    merged_id: UUID
    reason: str
    state: str
    proposed_at: datetime
    approved_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(merge_id=row["id"], **{name: row[name] for name in cls.model_fields if name != "merge_id"})


class LookupIn(Body):
    """Whom to open, and for what; at most 500 in all."""

    region: Region
    purpose: Purpose
    worker_ids: list[UUID] = Field(default_factory=list, max_length=500)
    worker_numbers: list[Annotated[str, Field(max_length=20)]] = Field(default_factory=list, max_length=500)
    niks: list[Annotated[str, Field(max_length=16)]] = Field(default_factory=list, max_length=500)


class FoundOut(Body):
    worker_id: UUID
    worker_number: str
    name: str
    address_form: str
    nik: str | None


class LookupOut(Body):
    """Who was found; `unknown` of those asked for were not, or not for this caller."""

    people: list[FoundOut]
    unknown: int

    @classmethod
    def of(cls, found: list[Found], asked: int) -> Self:
        people = [
            FoundOut(worker_id=f.worker_id, worker_number=f.worker_number, name=f.name, address_form=f.address_form, nik=f.nik)
            for f in found
        ]
        return cls(people=people, unknown=max(0, asked - len(people)))


class TotalIn(Body):
    """An opening population as a decree or announcement states it."""

    region: Region
    opening: int = Field(ge=0, le=10_000_000)
    on: date
    source: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(impersonal)]


class TotalOut(Body):
    control_total_id: UUID
    region: str
    opening: int
    on: date


class BalanceOut(Body):
    """Everybody of a region in one column each, at the end of `on`, as known at `as_of`."""

    region: str
    on: date
    as_of: datetime
    opening: int
    opening_typed: bool
    people: int
    asn: int
    paruh_waktu: int
    left: dict[str, int]
    serving: int
    pool: int
    proposed: int
    untraced: int
    erased: int
    merged: int
    difference: int

    @classmethod
    def of(cls, b: Balance) -> Self:
        return cls(**{name: getattr(b, name) for name in cls.model_fields})


class RollIn(Body):
    region: Region


class RollOut(Body):
    """A seal over everything a round must have heard; `count` pairs of id and version."""

    roll_id: UUID
    seal_id: UUID
    region: str
    count: int
    people: int
    chunks: int
    as_of: datetime

    @classmethod
    def of(cls, roll: Roll) -> Self:
        return cls(
            roll_id=roll.roll_id,
            seal_id=roll.seal_id,
            region=roll.region,
            count=roll.pairs,
            people=roll.people,
            chunks=roll.chunks,
            as_of=roll.as_of,
        )


class PackIn(Body):
    region: Region
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    effective_on: date


class PackOut(Body):
    pack_id: UUID
    region: str
    sha256: str
    effective_on: date
    state: str
    drafted_at: datetime
    activated_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> Self:
        return cls(pack_id=row["id"], **{name: row[name] for name in cls.model_fields if name != "pack_id"})
