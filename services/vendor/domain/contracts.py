"""Contracts with vendors: gates before the signature, terms that count up, reductions, the end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import msgspec

from shared.events import Fact
from shared.events.vendor import ContractAmended, ContractEnded, ContractReductionRequested, ContractSigned, Lot
from shared.regulation import Pack
from shared.regulation.rules import agencies, job, kecamatan, loaded_cost, release_required, wage_floor_figure

from . import budget
from .budget import Line, Movement
from .rules import refusal
from .vendors import Vendor, contractable


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract (kontrak) between the government and a vendor. `terms` is 0 in a draft and counts up from the signature."""

    id: UUID
    region: str
    vendor_id: UUID
    vendor_name: str
    number: str
    starts_on: date
    ends_on: date
    lots: tuple[Lot, ...]
    line_ids: tuple[UUID, ...]
    drafted_by: str
    obligation_incumbents: bool
    obligation_by: date
    transfer_clause: bool = True
    partial_cover: bool = False
    successor_of: UUID | None = None
    state: str = "draft"
    terms: int = 0
    signed_on: date | None = None
    signed_by: str = ""
    ending_on: date | None = None
    ended_on: date | None = None
    end_reason: str = ""

    @property
    def period(self) -> tuple[date, ...]:
        """The months that are paid."""
        return budget.months(self.starts_on, self.ends_on)

    @property
    def seats(self) -> int:
        """All seats of the present terms."""
        return sum(lot.seats for lot in self.lots)

    def lot(self, lot_id: UUID) -> Lot | None:
        """One of its lots."""
        return next((lot for lot in self.lots if lot.lot_id == lot_id), None)

    def running(self, on: date) -> bool:
        """Whether it counts on the day."""
        return self.state == "signed" and self.starts_on <= on <= self.ends_on


@dataclass(frozen=True, slots=True)
class Reduction:
    """Seats that are wanted back (asked) and those that placement gave back (released)."""

    id: UUID
    region: str
    contract_id: UUID
    lot_id: UUID
    asked: int
    released: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision on a contract changes: the contract, its lines, movements of money, facts."""

    contract: Contract
    lines: tuple[Line, ...] = ()
    movements: tuple[Movement, ...] = ()
    facts: tuple[Fact, ...] = ()


def _check_lots(contract: Contract, pack: Pack) -> None:
    on = contract.starts_on
    known, places = agencies(pack, on), kecamatan(pack, on)
    basis = pack.figure("jobs", on).article
    for index, lot in enumerate(contract.lots):
        if lot.agency not in known:
            raise refusal("unknown-agency", "the region's rules do not name this agency", field=f"lots.{index}.agency")
        if lot.kecamatan not in places:
            raise refusal("unknown-kecamatan", "the region's rules do not name this kecamatan", field=f"lots.{index}.kecamatan")
        if not job(pack, lot.job, on).legal:
            raise refusal("no-legal-basis", "no basis for outsourcing this job is recorded", article=basis, field=f"lots.{index}.job")


def floor_days(pack: Pack, starts_on: date, ends_on: date) -> tuple[date, ...]:
    """The start, and every later day of the period from which the pack knows another wage floor."""
    changes = sorted(figure.from_ for figure in pack.figures.get("wage_floor", ()) if starts_on < figure.from_ <= ends_on)
    return (starts_on, *changes)


def _check_wages(contract: Contract, pack: Pack) -> None:
    for day in floor_days(pack, contract.starts_on, contract.ends_on):
        figure = wage_floor_figure(pack, day)
        for index, lot in enumerate(contract.lots):
            if lot.wage < int(figure.value):
                raise refusal(
                    "wage-below-floor",
                    f"the wage is below the floor of Rp{int(figure.value):,} in force from {figure.from_.isoformat()}".replace(",", "."),
                    article=figure.article,
                    field=f"lots.{index}.wage",
                )
    for index, lot in enumerate(contract.lots):
        if lot.price_per_seat_month < loaded_cost(pack, lot.wage, contract.starts_on):
            raise refusal(
                "price-below-cost",
                "the price does not carry the wage with contributions, THR and compensation",
                field=f"lots.{index}.price_per_seat_month",
            )


def _lines_by_year(contract: Contract, lines: Sequence[Line], on: date) -> dict[int, Line]:
    found = {line.year: line for line in lines}
    years = {month.year for month in contract.period}
    if len(found) != len(lines) or set(found) != years:
        raise refusal("line-missing", "each calendar year of the contract needs one budget line", field="budget_line_ids")
    for line in found.values():
        if not line.approved(on):
            raise refusal("line-not-approved", "the budget line is not approved yet", field="budget_line_ids")
    return found


def sign(contract: Contract, vendor: Vendor, lines: Sequence[Line], pack: Pack, on: date, *, signer: str) -> Change:
    """Sign a draft: all gates, the commitment on each year's line, and version 1 of the terms.

    Refusals name rule and article: state and persons first, then the vendor, the lots, the wages, the money.
    """
    if contract.state != "draft":
        raise refusal("contract-not-draft", "the contract is signed already")
    if signer == contract.drafted_by:
        raise refusal("separation-of-duties", "who drafted a contract does not sign it")
    if contract.ends_on < on:
        raise refusal("contract-over", "the contract's period has passed", field="ends_on")
    contractable(vendor, on, pack, (lot.job for lot in contract.lots))
    if not contract.transfer_clause:
        raise refusal("no-transfer-clause", "the contract must pass workers' rights on to a successor", field="transfer_clause")
    _check_lots(contract, pack)
    _check_wages(contract, pack)
    by_year = _lines_by_year(contract, lines, on)
    lots = _covered_lots(contract, by_year)
    movements: list[Movement] = []
    for share in budget.shares(budget.monthly(lots), contract.period):
        by_year[share.year], moved = budget.reserve(by_year[share.year], share, contract.id)
        movements.append(moved)
    if release_required(pack, contract.starts_on):
        budget.check_release(by_year[contract.starts_on.year], contract.starts_on, on)
    signed = replace(contract, state="signed", terms=1, signed_on=on, signed_by=signer, lots=lots)
    fact = ContractSigned(
        region=contract.region,
        effective_on=on,
        contract_id=contract.id,
        vendor_id=contract.vendor_id,
        vendor_name=contract.vendor_name,
        number=contract.number,
        terms=1,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        lots=lots,
        obligation_incumbents=contract.obligation_incumbents,
        obligation_by=contract.obligation_by,
        successor_of=contract.successor_of,
    )
    return Change(signed, tuple(by_year.values()), tuple(movements), (fact,))


def _covered_lots(contract: Contract, by_year: Mapping[int, Line]) -> tuple[Lot, ...]:
    if not contract.partial_cover:
        return tuple(budget.covered(lot, lot.seats) for lot in contract.lots)
    lots = budget.cover(contract.lots, contract.period, {year: line.left for year, line in by_year.items()})
    if not any(lot.covered_seats for lot in lots):
        raise refusal("over-the-line", "the line has not left what one seat costs")
    return lots


def ask_back(
    contract: Contract, request_id: UUID, lot_id: UUID, seats: int, open_requests: int, on: date
) -> tuple[Reduction, tuple[Fact, ...]]:
    """Ask placement for seats; nothing changes before it gives them. `open_requests`: seats of the lot already asked for."""
    if contract.state != "signed":
        raise refusal("contract-not-running", "only a signed contract is reduced")
    lot = contract.lot(lot_id)
    if lot is None:
        raise refusal("unknown-lot", "the lot is not one of the contract's", field="lot_id")
    if seats > lot.seats - open_requests:
        raise refusal("reduction-too-large", "more seats than the lot has left", field="seats")
    fact = ContractReductionRequested(
        region=contract.region,
        effective_on=on,
        contract_id=contract.id,
        vendor_id=contract.vendor_id,
        request_id=request_id,
        lot_id=lot_id,
        seats=seats,
    )
    return Reduction(request_id, contract.region, contract.id, lot_id, seats), (fact,)


def amend(contract: Contract, reduction: Reduction, seats: int, lines: Mapping[int, Line], on: date) -> tuple[Change, Reduction] | str:
    """Placement gave back `seats`: new terms, and the cover of the months after this one is free again.

    Answers a slug when the event does not fit (`over-release`, `contract-not-running`, `unknown-lot`).
    """
    if contract.state != "signed":
        return "contract-not-running"
    lot = contract.lot(reduction.lot_id)
    if lot is None or reduction.contract_id != contract.id:
        return "unknown-lot"
    if seats < 1 or reduction.released + seats > reduction.asked:
        return "over-release"
    left = lot.seats - seats
    less = msgspec.structs.replace(lot, seats=left, covered_seats=min(lot.covered_seats, left))
    lots = tuple(less if each.lot_id == lot.lot_id else each for each in contract.lots)
    saved = (lot.covered_seats - less.covered_seats) * lot.price_per_seat_month
    held, movements = _free(contract, saved, on, lines, "reduced")
    amended = replace(contract, lots=lots, terms=contract.terms + 1)
    fact = ContractAmended(
        region=contract.region,
        effective_on=on,
        contract_id=contract.id,
        vendor_id=contract.vendor_id,
        terms=amended.terms,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        lots=lots,
    )
    return Change(amended, held, movements, (fact,)), replace(reduction, released=reduction.released + seats)


def end(contract: Contract, lines: Mapping[int, Line], on: date, *, reason: str) -> Change:
    """The contract is over from `on`: what it holds for the months after is free again."""
    if contract.state != "signed":
        raise refusal("contract-not-running", "only a signed contract ends")
    held, movements = _free(contract, budget.monthly(contract.lots), on, lines, reason)
    ended = replace(contract, state="ended", ended_on=on, end_reason=reason, ending_on=None)
    fact = ContractEnded(region=contract.region, effective_on=on, contract_id=contract.id, vendor_id=contract.vendor_id, reason=reason)
    return Change(ended, held, movements, (fact,))


def _free(
    contract: Contract, per_month: int, on: date, lines: Mapping[int, Line], reason: str
) -> tuple[tuple[Line, ...], tuple[Movement, ...]]:
    period = contract.period if on < contract.starts_on else budget.months_after(on, contract.ends_on)
    freed = [budget.give_back(lines[share.year], share, contract.id, reason) for share in budget.shares(per_month, period) if share.amount]
    return tuple(line for line, _ in freed), tuple(movement for _, movement in freed)
