"""Findings (ketidaksesuaian): what running contracts owe to the rules, computed on a day. Whole rupiah per month."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.ids import derived_id
from shared.regulation import Pack
from shared.regulation.rules import wage_floor_figure

from .contracts import Contract
from .people import Case
from .rules import RULES


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation. `shortfall` is what all covered seats together lack per month; `people` counts unsigned acceptances."""

    id: UUID
    region: str
    finding: str
    contract_id: UUID
    vendor_id: UUID
    rule: str
    article: str
    source: str
    judged_on: date
    lot_id: UUID | None = None
    floor: int = 0
    wage: int = 0
    shortfall_per_seat: int = 0
    seats: int = 0
    shortfall: int = 0
    people: int = 0
    pack: str = ""
    state: str = "open"

    def case(self) -> Case:
        """The case in which both sides are heard about it; it carries the finding's id."""
        return Case(self.id, self.region, self.finding, self.rule, vendor_id=self.vendor_id, contract_id=self.contract_id)


def below_floor(contract: Contract, pack: Pack, on: date) -> tuple[Finding, ...]:
    """The lots of a running contract whose wage is below the floor in force on the day. The same day judged again: the same ids."""
    if not contract.running(on):
        return ()
    figure = wage_floor_figure(pack, on)
    floor = int(figure.value)
    return tuple(
        Finding(
            id=derived_id("finding", "wage_below_floor", lot.lot_id, figure.from_),
            region=contract.region,
            finding="wage_below_floor",
            contract_id=contract.id,
            vendor_id=contract.vendor_id,
            rule=RULES["wage-below-floor"].name,
            article=figure.article,
            source=figure.source,
            judged_on=on,
            lot_id=lot.lot_id,
            floor=floor,
            wage=lot.wage,
            shortfall_per_seat=floor - lot.wage,
            seats=lot.covered_seats,
            shortfall=(floor - lot.wage) * lot.covered_seats,
            pack=pack.sha256,
        )
        for lot in contract.lots
        if lot.wage < floor
    )


def next_floor_day(contract: Contract, after: date) -> date | None:
    """The next day on which the contract is judged: its start, then every 1 January within its period."""
    if after < contract.starts_on:
        return contract.starts_on
    january = date(after.year + 1, 1, 1)
    return january if january <= contract.ends_on else None


def unsigned(contract: Contract, people: int, on: date) -> tuple[Finding, ...]:
    """People who accepted and whom the vendor has not signed by the date of its obligation."""
    if people < 1 or contract.state != "signed":
        return ()
    return (
        Finding(
            id=derived_id("finding", "agreements_unsigned", contract.id, contract.obligation_by),
            region=contract.region,
            finding="agreements_unsigned",
            contract_id=contract.id,
            vendor_id=contract.vendor_id,
            rule="the vendor hires who accepted by the agreed day",
            article="contract term",
            source="contract",
            judged_on=on,
            people=people,
        ),
    )


def total(findings: Iterable[Finding]) -> int:
    """What the findings lack together per month."""
    return sum(finding.shortfall for finding in findings)
