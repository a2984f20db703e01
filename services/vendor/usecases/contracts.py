"""Contracts from draft to end, capacity seals, obligations and findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from services.vendor import metrics
from services.vendor.domain import Change, Contract, Finding, Line, Reduction, refusal
from services.vendor.domain import contracts as rules
from services.vendor.domain import findings as judge
from services.vendor.domain import people as cases
from services.vendor.store import budget as money
from services.vendor.store import contracts as store
from services.vendor.store import people, vendors
from shared.db import Tx
from shared.errors import NotFound, NotNow
from shared.events import Cause
from shared.events.vendor import CapacitySealed
from shared.ids import derived_id, new_id
from shared.rebuild import rebuilding
from shared.regulation import Pack
from shared.regulation.rules import timezone
from shared.timers import Timer, cancel, schedule

from .reach import reach

CONTRACT_END, FLOOR, OBLIGATION = "contract_end", "wage_floor", "obligation"
OFFERS = "vendor.offers"
PINS = 5_000


async def one(tx: Tx, contract_id: UUID, *permissions: str, lock: bool = False) -> Contract:
    """A contract that the caller may reach with one of the permissions, or `not-found`."""
    found = (await store.load_contracts(tx, [contract_id], lock=lock)).get(contract_id)
    if found is None:
        raise NotFound
    vendor = reach(tx.scope, found.region, *permissions)
    if vendor is not None and vendor != found.vendor_id:
        raise NotFound
    return found


async def draft(tx: Tx, contract: Contract) -> Contract:
    """Write a draft; nothing is committed. The vendor, the lines and the predecessor are of the region, or `not-found`."""
    tx.scope.require("contract.draft", region=contract.region)
    vendor = (await vendors.load_vendors(tx, [contract.vendor_id])).get(contract.vendor_id)
    lines = await money.load_lines(tx, contract.line_ids)
    if vendor is None or vendor.region != contract.region:
        raise NotFound("vendor-not-found")
    if len(lines) != len(contract.line_ids) or any(line.region != contract.region for line in lines.values()):
        raise NotFound("line-not-found")
    if contract.successor_of is not None:
        before = (await store.load_contracts(tx, [contract.successor_of])).get(contract.successor_of)
        if before is None or before.region != contract.region:
            raise NotFound("predecessor-not-found")
    written = replace(contract, vendor_name=vendor.name, drafted_by=tx.scope.actor)
    if not await store.insert_contract(tx, written):
        raise refusal("contract-known", "the region has a contract of this number", field="number")
    tx.note("contract.drafted", written.id, written.region)
    return written


async def sign(tx: Tx, contract_id: UUID) -> Contract:
    """Sign: all gates, then commitment, terms and facts at once. Racing signatures on one line wait for each other."""
    contract = await one(tx, contract_id, "contract.sign", lock=True)
    vendor = (await vendors.load_vendors(tx, [contract.vendor_id], lock=True))[contract.vendor_id]
    lines = await money.load_lines(tx, contract.line_ids, lock=True)
    pack, day = await tx.pack(contract.region), tx.stamp.day
    change = rules.sign(contract, vendor, list(lines.values()), pack, day, signer=tx.scope.actor)
    await _save(tx, [change], lines, day, pack=pack.sha256)
    await _set_timers(tx, change.contract, pack, day)
    metrics.CONTRACTS_SIGNED.inc()
    return change.contract


async def _set_timers(tx: Tx, contract: Contract, pack: Pack, day: date) -> None:
    zone = timezone(pack, day)
    over = datetime.combine(contract.ends_on + timedelta(days=1), time(), zone)
    await schedule(tx, CONTRACT_END, [Timer(contract.id, over, contract.region, {"reason": "expired"})])
    owed = datetime.combine(contract.obligation_by + timedelta(days=1), time(), zone)
    await schedule(tx, OBLIGATION, [Timer(contract.id, owed, contract.region)])
    first = judge.next_floor_day(contract, day)
    if first is not None:
        await schedule(tx, FLOOR, [Timer(contract.id, datetime.combine(first, time(), zone), contract.region)])


async def _save(
    tx: Tx, changes: Sequence[Change], before: Mapping[UUID, Line], on: date, *, pack: str = "", causes: Sequence[Cause | None] = ()
) -> None:
    """Write several changes, one set each; `causes` stand beside the changes."""
    lines = {line.id: line for change in changes for line in change.lines}
    await store.save_contracts(tx, list({change.contract.id: change.contract for change in changes}.values()))
    await money.save_lines(tx, before, list(lines.values()))
    await money.write_movements(tx, before, [movement for change in changes for movement in change.movements], on)
    for change, cause in zip(changes, causes or [None] * len(changes), strict=True):
        for fact in change.facts:
            tx.emit(fact, cause=cause, pack=pack)


async def end(tx: Tx, contract_id: UUID, *, on: date, reason: str) -> Contract:
    """End a contract within its period: at once, or by a timer on the day when it lies ahead."""
    contract = await one(tx, contract_id, "contract.end", lock=True)
    if contract.state != "signed":
        raise refusal("contract-not-running", "only a signed contract ends")
    if on > contract.ends_on or (contract.signed_on is not None and on < contract.signed_on):
        raise refusal("end-outside-contract", "the day is outside the contract", field="effective_on")
    if on > tx.stamp.day:
        zone = timezone(await tx.pack(contract.region), tx.stamp.day)
        announced = replace(contract, ending_on=on, end_reason=reason)
        await store.save_contracts(tx, [announced])
        await schedule(tx, CONTRACT_END, [Timer(contract.id, datetime.combine(on, time(), zone), contract.region, {"reason": reason})])
        tx.note("contract.end_announced", contract.id, contract.region)
        return announced
    lines = await money.load_lines(tx, contract.line_ids, lock=True)
    change = rules.end(contract, {line.year: line for line in lines.values()}, on, reason=reason)
    await _save(tx, [change], lines, tx.stamp.day)
    await _unset_timers(tx, [contract_id])
    return change.contract


async def _unset_timers(tx: Tx, ids: Sequence[UUID]) -> None:
    await cancel(tx, CONTRACT_END, ids)
    await cancel(tx, FLOOR, ids)
    await cancel(tx, OBLIGATION, ids)


async def end_due(tx: Tx, due: Sequence[Timer]) -> None:
    """The last day of these contracts has passed, or their announced end has come."""
    held = await store.load_contracts(tx, [timer.key for timer in due], lock=True)
    lines = await money.load_lines(tx, [line for contract in held.values() for line in contract.line_ids], lock=True)
    days = await _days(tx, due)
    now = dict(lines)
    changes: list[Change] = []
    for timer in due:
        contract = held.get(timer.key)
        if contract is None or contract.state != "signed":
            continue
        by_year = {now[line].year: now[line] for line in contract.line_ids}
        change = rules.end(contract, by_year, days[timer.key], reason=str(timer.payload.get("reason", "expired")))
        now |= {line.id: line for line in change.lines}
        changes.append(change)
    await _save(tx, changes, lines, tx.stamp.day)
    await _unset_timers(tx, [change.contract.id for change in changes])


async def _days(tx: Tx, due: Sequence[Timer]) -> dict[UUID, date]:
    """The local day of each timer."""
    packs = await regional_packs(tx, {timer.region for timer in due})
    return {timer.key: timer.due.astimezone(timezone(packs[timer.region], tx.stamp.day)).date() for timer in due}


async def regional_packs(tx: Tx, regions: set[str]) -> dict[str, Pack]:
    """The active pack of each region: one small read per region, however many rows the batch has."""
    return {region: await tx.pack(region) for region in sorted(regions)}


async def ask_back(tx: Tx, contract_id: UUID, *, lot_id: UUID, seats: int, reason: str) -> Reduction:
    """Ask for seats back; terms and cover change only when placement has given them."""
    contract = await one(tx, contract_id, "contract.reduce", lock=True)
    asked = await store.asked_back(tx, lot_id)
    reduction, facts = rules.ask_back(contract, new_id(), lot_id, seats, asked, tx.stamp.day)
    await store.insert_reduction(tx, reduction, reason)
    for fact in facts:
        tx.emit(fact)
    return reduction


@dataclass(frozen=True, slots=True)
class Released:
    """Placement gave back seats; `region` is the one the fact names."""

    region: str
    contract_id: UUID
    request_id: UUID
    seats: int
    on: date
    cause: Cause


async def amend(tx: Tx, released: Sequence[Released]) -> list[str]:
    """Fold seats given back into their contracts, in order. Answers a slug for each that changed nothing, else an empty text."""
    requests = await store.load_reductions(tx, [one.request_id for one in released])
    held = await store.load_contracts(tx, [one.contract_id for one in requests.values()], lock=True)
    lines = await money.load_lines(tx, [line for contract in held.values() for line in contract.line_ids], lock=True)
    now, contracts, reductions = dict(lines), dict(held), dict(requests)
    changes: list[Change] = []
    causes: list[Cause | None] = []
    slugs: list[str] = []
    for event in released:
        reduction = reductions.get(event.request_id)
        contract = contracts.get(reduction.contract_id) if reduction is not None else None
        if reduction is None or contract is None or contract.id != event.contract_id:
            slugs.append("unknown-request")
            continue
        if contract.region != event.region:
            slugs.append("region")
            continue
        by_year = {now[line].year: now[line] for line in contract.line_ids}
        decided = rules.amend(contract, reduction, event.seats, by_year, event.on)
        if isinstance(decided, str):
            slugs.append(decided)
            continue
        change, after = decided
        now |= {line.id: line for line in change.lines}
        contracts[contract.id], reductions[after.id] = change.contract, after
        changes.append(change)
        causes.append(event.cause)
        slugs.append("")
    if changes:
        await _save(tx, changes, lines, tx.stamp.day, causes=causes)
        await store.save_reductions(tx, [reductions[one] for one in requests])
    return slugs


@dataclass(frozen=True, slots=True)
class Seal:
    """What a capacity seal pinned."""

    seal_id: UUID
    capacity_id: UUID
    as_of: datetime
    contracts: int
    chunks: int


async def seal(tx: Tx, region: str) -> Seal:
    """Tell others every contract of the region with its version, in chunks, as one instant's whole."""
    tx.scope.require("capacity.seal", region=region)
    pins = await store.pinned(tx, region)
    chunks = [pins[start : start + PINS] for start in range(0, len(pins), PINS)] or [[]]
    sealed = Seal(new_id(), derived_id("capacity", region), tx.stamp.business, len(pins), len(chunks))
    for number, chunk in enumerate(chunks, start=1):
        tx.emit(
            CapacitySealed(
                region=region,
                effective_on=tx.stamp.day,
                capacity_id=sealed.capacity_id,
                seal_id=sealed.seal_id,
                as_of=sealed.as_of,
                chunk=number,
                chunks=len(chunks),
                ids=tuple(found for found, _ in chunk),
                versions=tuple(version for _, version in chunk),
            )
        )
    return sealed


async def judge_floors(tx: Tx, due: Sequence[Timer]) -> None:
    """Judge running contracts against the wage floor in force on the timer's own day, and come back next 1 January."""
    held = await store.load_contracts(tx, [timer.key for timer in due])
    packs = await regional_packs(tx, {timer.region for timer in due})
    findings: list[Finding] = []
    again: list[Timer] = []
    for timer in due:
        contract, pack = held.get(timer.key), packs[timer.region]
        if contract is None or contract.state != "signed":
            continue
        zone = timezone(pack, tx.stamp.day)
        day = timer.due.astimezone(zone).date()
        findings += judge.below_floor(contract, pack, day)
        following = judge.next_floor_day(contract, day)
        if following is not None:
            again.append(Timer(contract.id, datetime.combine(following, time(), zone), contract.region))
    await open_findings(tx, findings)
    await schedule(tx, FLOOR, again)


async def offers_known(tx: Tx) -> None:
    """Not now (`rebuilding`) while the accepted offers are read again from the start: they would seem to be missing."""
    if await rebuilding(tx, [OFFERS]):
        raise NotNow("rebuilding", "The accepted offers are being read again; try again in a moment.")


async def judge_obligations(tx: Tx, due: Sequence[Timer]) -> None:
    """The day of the hiring obligation has passed: whoever accepted and is not signed is a finding."""
    await offers_known(tx)
    held = await store.load_contracts(tx, [timer.key for timer in due])
    unsigned = await store.due_obligations(tx, list(held))
    days = await _days(tx, due)
    found = [judge.unsigned(contract, unsigned.get(key, 0), days[key]) for key, contract in held.items()]
    await open_findings(tx, [finding for findings in found for finding in findings])


async def open_findings(tx: Tx, findings: Sequence[Finding]) -> None:
    """Write findings that are new, each with the case in which both sides are heard."""
    new = await store.insert_findings(tx, findings)
    opened = [finding for finding in findings if finding.id in new]
    await people.insert_cases(tx, [finding.case() for finding in opened])
    for finding in opened:
        tx.emit(cases.opened(finding.case(), finding.judged_on), pack=finding.pack)
        metrics.FINDINGS_OPENED.labels(finding.finding).inc()


async def listed(
    tx: Tx, region: str, state: str | None, vendor: UUID | None, after: UUID | None, limit: int
) -> tuple[list[Contract], dict[UUID, int]]:
    """Contracts of a region (one more than asked for) and what each holds on its lines; a vendor's people see their own."""
    mine = reach(tx.scope, region, "contract.read", "offer.read.own")
    found = await store.list_contracts(tx, region, state, mine or vendor, after, limit + 1)
    return found, await store.committed(tx, [contract.id for contract in found])


async def shown(tx: Tx, contract_id: UUID) -> tuple[Contract, int, list[Reduction]]:
    """One contract, what it holds, and its reductions."""
    contract = await one(tx, contract_id, "contract.read", "offer.read.own")
    held = await store.committed(tx, [contract_id])
    return contract, held.get(contract_id, 0), await store.list_reductions(tx, contract_id)


async def obligations(tx: Tx, region: str, after: UUID | None, limit: int) -> Sequence[Any]:
    """What vendors owe in hiring and did, one more than asked for."""
    mine = reach(tx.scope, region, "contract.read", "offer.read.own")
    return await store.list_obligations(tx, region, mine, after, limit + 1)


async def findings(tx: Tx, region: str, state: str | None, contract: UUID | None, after: UUID | None, limit: int) -> list[Finding]:
    """Findings of a region, one more than asked for."""
    mine = reach(tx.scope, region, "contract.read", "offer.read.own")
    return await store.list_findings(tx, region, state, mine, contract, after, limit + 1)
