"""Bodies of the vendor's people: agreements, refusals, rosters; and of cases."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.vendor.domain import Case, Verdict
from shared.errors import title
from shared.http import Body, bad

from .fields import Positive, Slug, Text


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
