"""Budget lines: written, approved, released, revised."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.vendor.domain import Line, Movement, refusal
from services.vendor.domain import budget as rules
from services.vendor.store import budget as store
from shared.db import Tx
from shared.errors import NotFound
from shared.events import Fact
from shared.ids import new_id
from shared.regulation.rules import agencies


async def one(tx: Tx, line_id: UUID, permission: str, *, lock: bool = False) -> Line:
    """A line that the caller may reach with the permission, or `not-found`."""
    found = (await store.load_lines(tx, [line_id], lock=lock)).get(line_id)
    if found is None:
        raise NotFound
    tx.scope.require(permission, region=found.region)
    return found


async def write(tx: Tx, *, region: str, agency: str, account: str, year: int, ceiling: int) -> Line:
    """A line of the draft budget; nothing can be committed on it yet. An empty agency: shared by several."""
    tx.scope.require("budget.write", region=region)
    pack = await tx.pack(region)
    if agency and agency not in agencies(pack, tx.stamp.day):
        raise refusal("unknown-agency", "the region's rules do not name this agency", field="agency")
    line = Line(id=new_id(), region=region, agency=agency, account=account, year=year, ceiling=ceiling)
    if not await store.insert_line(tx, line):
        raise refusal("line-known", "the account has a line for this year", field="account")
    tx.note("budget_line.written", line.id, region)
    return line


async def approve(tx: Tx, line_id: UUID, *, dpa_number: str, approved_on: date) -> Line:
    """The approval as a dated state: the ceiling becomes available."""
    line = await one(tx, line_id, "budget.write", lock=True)
    return await _save(tx, line, *rules.approve(line, dpa_number=dpa_number, approved_on=approved_on))


async def revise(tx: Tx, line_id: UUID, *, ceiling: int) -> Line:
    """Another ceiling, refused below the commitments."""
    line = await one(tx, line_id, "budget.write", lock=True)
    return await _save(tx, line, *rules.revise(line, ceiling, tx.stamp.day))


async def release(tx: Tx, line_id: UUID, *, quarter: int, amount: int, spd_number: str, released_on: date) -> Line:
    """A quarter's fund release (SPD)."""
    line = await one(tx, line_id, "budget.write", lock=True)
    now = rules.release(line, quarter=quarter, amount=amount, spd_number=spd_number, released_on=released_on)
    await store.save_lines(tx, {line.id: line}, [now])
    tx.note("budget_line.released", line.id, line.region)
    return now


async def _save(tx: Tx, before: Line, after: Line, movements: Sequence[Movement], facts: Sequence[Fact]) -> Line:
    await store.save_lines(tx, {before.id: before}, [after])
    await store.write_movements(tx, {after.id: after}, movements, tx.stamp.day)
    for fact in facts:
        tx.emit(fact)
    return after


async def listed(tx: Tx, region: str, state: str | None, year: int | None, after: UUID | None, limit: int) -> list[Line]:
    """Lines of a region, one more than asked for."""
    tx.scope.require("budget.read", region=region)
    return await store.list_lines(tx, region, state, year, after, limit + 1)


async def totals(tx: Tx, region: str, year: int | None) -> tuple[int, int, int]:
    """Approved ceiling, commitments, and number of lines."""
    tx.scope.require("budget.read", region=region)
    return await store.totals(tx, region, year)


async def ledger(tx: Tx, line_id: UUID, after: UUID | None, limit: int) -> tuple[Sequence[Any], dict[str, int]]:
    """A page of the line's entries (one more than asked for), and the balance of its accounts."""
    await one(tx, line_id, "budget.read")
    return await store.list_entries(tx, line_id, after, limit + 1), await store.sums(tx, line_id)
