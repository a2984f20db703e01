"""Bodies of budget lines and their ledger."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from services.vendor.domain import Line
from shared.http import Body

from .fields import Money, Region, Text


class LineIn(Body):
    region: Region
    agency: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{0,60}$")] = ""
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
