"""Bodies of vendors and the blacklist."""

from datetime import date
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from services.vendor.domain import Vendor
from shared.http import Body

from .fields import Region, Slug, Text


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
