"""HTTP bodies of the vendor service. Money is whole rupiah; months are given by their first day."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from shared.errors import title
from shared.http import Body, bad

from .domain import Case, Contract, Finding, Line, Reduction, Vendor, Verdict

Money = Annotated[int, Field(strict=True, ge=0, le=10**15)]
Positive = Annotated[int, Field(strict=True, ge=1, le=10**13)]
Seats = Annotated[int, Field(strict=True, ge=1, le=100_000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Long = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]
Region = Annotated[str, StringConstraints(pattern=r"^\d\d\.\d\d$")]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,59}$")]


# --- vendors ---


class VendorIn(Body):
    region: Region
    name: Text
    nib: Annotated[str, StringConstraints(pattern=r"^\d{13}$")]


class PaperBody(Body):
    kind: Slug
    number: Text
    valid_from: date
    valid_until: date | None = None


class PapersIn(Body):
    documents: Annotated[list[PaperBody], Field(min_length=1, max_length=50)]


class QualificationIn(Body):
    minutes: Text
    qualified_until: date | None = None
    grounds: Annotated[list[Slug], Field(max_length=20)] = []


class DebarmentIn(Body):
    reason: Slug
    decree: Text
    until: date | None = None


class LiftIn(Body):
    decree: Text


class ReasonOut(Body):
    slug: str
    rule: str
    article: str


class VendorOut(Body):
    id: UUID
    region: str
    name: str
    nib: str
    state: str
    qualified_until: date | None
    debarred_until: date | None
    documents: list[PaperBody]
    reasons: list[ReasonOut]

    @classmethod
    def of(cls, vendor: Vendor) -> Self:
        """A vendor as officers see it."""
        return cls(
            id=vendor.id,
            region=vendor.region,
            name=vendor.name,
            nib=vendor.nib,
            state=vendor.state,
            qualified_until=vendor.qualified_until,
            debarred_until=vendor.debarred_until,
            documents=[PaperBody.model_validate(paper) for paper in vendor.papers],
            reasons=[ReasonOut.model_validate(reason) for reason in vendor.reasons],
        )


# --- budget ---


class LineIn(Body):
    region: Region
    agency: Annotated[str, StringConstraints(max_length=60)] = ""
    account: Text
    year: Annotated[int, Field(strict=True, ge=2020, le=2100)]
    ceiling: Money


class ApprovalIn(Body):
    dpa_number: Text
    approved_on: date


class ReleaseIn(Body):
    quarter: Annotated[int, Field(strict=True, ge=1, le=4)]
    spd_number: Text
    released_on: date
    amount: Money


class RevisionIn(Body):
    ceiling: Money
    basis: Text


class QuarterOut(Body):
    quarter: int
    spd_number: str
    released_on: date | None
    released: int
    committed: int


class LineOut(Body):
    id: UUID
    region: str
    agency: str
    account: str
    year: int
    state: str
    dpa_number: str
    approved_on: date | None
    ceiling: int
    committed: int
    left: int
    releases: list[QuarterOut]

    @classmethod
    def of(cls, line: Line) -> Self:
        """A line with what is left of it."""
        return cls(
            id=line.id,
            region=line.region,
            agency=line.agency,
            account=line.account,
            year=line.year,
            state=line.state,
            dpa_number=line.dpa_number,
            approved_on=line.approved_on,
            ceiling=line.ceiling,
            committed=line.committed,
            left=line.left,
            releases=[QuarterOut.model_validate(quarter) for quarter in line.quarters],
        )


class TotalsOut(Body):
    region: str
    ceiling: int
    committed: int
    left: int
    lines: int


class EntryOut(Body):
    id: UUID
    movement_id: UUID
    account: str
    amount: int
    reason: str
    contract_id: UUID | None
    effective_on: date
    recorded_at: datetime


class LedgerOut(Body):
    items: list[EntryOut]
    next: str | None
    accounts: dict[str, int]
    sum: int


# --- contracts ---


class LotIn(Body):
    agency: Text
    job: Text
    site: Text
    kecamatan: Text
    seats: Seats
    wage: Positive
    price_per_seat_month: Positive


class ObligationIn(Body):
    incumbents: bool = True
    by: date


class ContractIn(Body):
    region: Region
    vendor_id: UUID
    number: Text
    budget_line_ids: Annotated[list[UUID], Field(min_length=1, max_length=5)]
    starts_on: date
    ends_on: date
    lots: Annotated[list[LotIn], Field(min_length=1, max_length=200)]
    obligation: ObligationIn
    successor_of: UUID | None = None
    transfer_clause: bool = True
    partial_cover: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ends_on < self.starts_on:
            raise bad("ends_before_start", "must not end before it starts")
        if (self.ends_on - self.starts_on).days > 1830:
            raise bad("too_long", "must not last longer than five years")
        if len(set(self.budget_line_ids)) != len(self.budget_line_ids):
            raise bad("double_line", "must name a budget line once")
        return self


class EndIn(Body):
    effective_on: date
    reason: Literal["terminated"] = "terminated"
    basis: Long


class ReductionIn(Body):
    lot_id: UUID
    seats: Seats
    reason: Long


class ReductionOut(Body):
    request_id: UUID
    contract_id: UUID
    lot_id: UUID
    asked: int
    released: int

    @classmethod
    def of(cls, reduction: Reduction) -> Self:
        """A request for seats."""
        return cls(
            request_id=reduction.id,
            contract_id=reduction.contract_id,
            lot_id=reduction.lot_id,
            asked=reduction.asked,
            released=reduction.released,
        )


class LotOut(Body):
    lot_id: UUID
    agency: str
    job: str
    site: str
    kecamatan: str
    seats: int
    covered_seats: int
    wage: int
    price_per_seat_month: int


class ContractOut(Body):
    id: UUID
    region: str
    vendor_id: UUID
    vendor_name: str
    number: str
    state: str
    terms: int
    starts_on: date
    ends_on: date
    signed_on: date | None
    ending_on: date | None
    ended_on: date | None
    end_reason: str
    budget_line_ids: list[UUID]
    lots: list[LotOut]
    committed: int
    obligation: ObligationIn
    successor_of: UUID | None
    transfer_clause: bool
    partial_cover: bool
    reductions: list[ReductionOut]

    @classmethod
    def of(cls, contract: Contract, committed: int, reductions: list[Reduction] | None = None) -> Self:
        """A contract with what it holds on its lines."""
        return cls(
            id=contract.id,
            region=contract.region,
            vendor_id=contract.vendor_id,
            vendor_name=contract.vendor_name,
            number=contract.number,
            state=contract.state,
            terms=contract.terms,
            starts_on=contract.starts_on,
            ends_on=contract.ends_on,
            signed_on=contract.signed_on,
            ending_on=contract.ending_on,
            ended_on=contract.ended_on,
            end_reason=contract.end_reason,
            budget_line_ids=list(contract.line_ids),
            lots=[LotOut.model_validate(lot) for lot in contract.lots],
            committed=committed,
            obligation=ObligationIn(incumbents=contract.obligation_incumbents, by=contract.obligation_by),
            successor_of=contract.successor_of,
            transfer_clause=contract.transfer_clause,
            partial_cover=contract.partial_cover,
            reductions=[ReductionOut.of(one) for one in reductions or ()],
        )


class SealIn(Body):
    region: Region


class SealOut(Body):
    seal_id: UUID
    capacity_id: UUID
    as_of: datetime
    contracts: int
    chunks: int


class ObligationOut(Body):
    contract_id: UUID
    vendor_id: UUID
    number: str
    by: date
    incumbents_first: bool
    seats: int
    accepted: int
    agreements: int
    unsigned: int
    headcount: int
    incumbents: int
    state: str


class FindingOut(Body):
    id: UUID
    region: str
    finding: str
    contract_id: UUID
    vendor_id: UUID
    lot_id: UUID | None
    rule: str
    article: str
    source: str
    floor: int
    wage: int
    shortfall_per_seat: int
    seats: int
    shortfall: int
    people: int
    judged_on: date
    state: str

    @classmethod
    def of(cls, finding: Finding) -> Self:
        """A finding; the shortfall is of all covered seats, in rupiah per month."""
        return cls.model_validate(finding)


# --- people ---


class AcceptedOut(Body):
    offer_id: UUID
    worker_id: UUID
    contract_id: UUID
    contract_number: str
    lot_id: UUID
    agency: str
    job: str
    site: str
    wage: int
    terms: int
    starts_on: date
    contract_ends_on: date
    state: str


class AgreementIn(Body):
    offer_id: UUID
    number: Text
    agreement: Literal["pkwt", "pkwtt"]
    wage: Positive
    starts_on: date
    ends_on: date | None = None


class AgreementsIn(Body):
    items: Annotated[list[AgreementIn], Field(min_length=1, max_length=1000)]


class VerdictOut(Body):
    offer_id: UUID
    outcome: str
    work_agreement_id: UUID | None = None
    slug: str = ""
    title: str = ""
    rule: str = ""
    article: str = ""

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        """What became of one agreement."""
        return cls(
            offer_id=verdict.offer_id,
            outcome=verdict.outcome,
            work_agreement_id=verdict.signed.id if verdict.signed is not None else None,
            slug=verdict.slug,
            title=title(verdict.slug) if verdict.slug else "",
            rule=verdict.rule,
            article=verdict.article,
        )


class VerdictsOut(Body):
    items: list[VerdictOut]


class AgreementOut(Body):
    id: UUID
    offer_id: UUID
    worker_id: UUID
    contract_id: UUID
    lot_id: UUID
    vendor_id: UUID
    terms: int
    agreement: str
    number: str
    wage: int
    starts_on: date
    ends_on: date | None


class RefusalIn(Body):
    offer_id: UUID
    ground: Slug


class RefusalsIn(Body):
    items: Annotated[list[RefusalIn], Field(min_length=1, max_length=200)]


class RefusalOut(Body):
    offer_id: UUID
    outcome: str
    case_id: UUID | None = None
    slug: str = ""
    rule: str = ""
    article: str = ""


class RefusalsOut(Body):
    items: list[RefusalOut]


class RosterPerson(Body):
    worker_id: UUID
    lot_id: UUID


class RosterIn(Body):
    contract_id: UUID
    month: date
    people: Annotated[list[RosterPerson], Field(max_length=5000)]

    @model_validator(mode="after")
    def _first_day(self) -> Self:
        if self.month.day != 1:
            raise bad("not_a_month", "a month is given by its first day")
        return self


class RosterOut(Body):
    id: UUID
    contract_id: UUID
    vendor_id: UUID
    month: date
    people: int
    reported_at: datetime


class RosterReportedOut(Body):
    roster_id: UUID
    people: int


class CaseOut(Body):
    id: UUID
    region: str
    kind: str
    rule: str
    vendor_id: UUID | None
    worker_id: UUID | None
    contract_id: UUID | None
    offer_id: UUID | None
    state: str
    outcome: str

    @classmethod
    def of(cls, case: Case) -> Self:
        """A case."""
        return cls.model_validate(case)


class DecisionIn(Body):
    outcome: Literal["upheld", "rejected", "cured"]
