"""Bodies of contracts, seals, obligations and findings."""

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.vendor.domain import Contract, Finding, Reduction
from shared.http import Body, bad

from .fields import Long, Positive, Region, Seats, Slug, Text


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
    reason: Slug


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
