"""Budget lines, their quarters and the ledger."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.vendor.domain import Line, Movement, Quarter
from shared.db import LostRace, Tx, doc
from shared.ids import new_id

from .vendors import rows

_LINE = """
SELECT b.*, (SELECT json_agg(json_build_object('quarter', q.quarter, 'committed', q.committed, 'released', q.released,
                                               'spd_number', q.spd_number, 'released_on', q.released_on) ORDER BY q.quarter)
             FROM budget_quarter q WHERE q.line_id = b.id) AS quarters
FROM budget_line b
"""
_IDS = "(SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"


def _line(row: Any) -> Line:
    return Line(
        id=row["id"],
        region=row["region"],
        agency=row["agency"],
        account=row["account"],
        year=row["year"],
        ceiling=row["ceiling"],
        state=row["state"],
        committed=row["committed"],
        dpa_number=row["dpa_number"],
        approved_on=row["approved_on"],
        quarters=tuple(rows(row["quarters"], Quarter)),
    )


async def insert_line(tx: Tx, line: Line) -> bool:
    """Write a new line with its four quarters; False when the account has one for the year."""
    written = await tx.run(
        "INSERT INTO budget_line (id, region, agency, account, year, state, ceiling, committed, dpa_number, approved_on, written_by)"
        " VALUES (:id, :region, :agency, :account, :year, :state, :ceiling, 0, '', NULL, :by) ON CONFLICT DO NOTHING",
        id=line.id,
        region=line.region,
        agency=line.agency,
        account=line.account,
        year=line.year,
        state=line.state,
        ceiling=line.ceiling,
        by=tx.scope.actor,
    )
    if written:
        await tx.run(
            "INSERT INTO budget_quarter (line_id, quarter, region, committed, released, spd_number, released_on)"
            " SELECT :id, n, :region, 0, 0, '', NULL FROM generate_series(1, 4) AS n",
            id=line.id,
            region=line.region,
        )
    return bool(written)


async def load_lines(tx: Tx, ids: Sequence[UUID], *, lock: bool = False) -> dict[UUID, Line]:
    """Lines by id; `lock` takes their rows in id order, so that two contracts on one line wait for each other."""
    if not ids:
        return {}
    if lock:
        await tx.run(f"SELECT 1 FROM budget_line WHERE id IN {_IDS} ORDER BY id FOR UPDATE", ids=doc(list(set(ids))))
    found = await tx.rows(f"{_LINE} WHERE b.id IN {_IDS}", ids=doc(list(set(ids))))
    return {row["id"]: _line(row) for row in found}


async def save_lines(tx: Tx, before: Mapping[UUID, Line], after: Sequence[Line]) -> None:
    """Write changed lines as differences, in one conditional statement: a commitment that the ceiling does not carry changes
    no row, and the whole attempt is repeated on what is there (`LostRace`)."""
    if not after:
        return
    changed = [
        {
            "id": line.id,
            "state": line.state,
            "ceiling": line.ceiling,
            "more": line.committed - before[line.id].committed,
            "dpa_number": line.dpa_number,
            "approved_on": line.approved_on,
        }
        for line in after
    ]
    done = await tx.run(
        "UPDATE budget_line b SET state = t.state, ceiling = t.ceiling, committed = b.committed + t.more, dpa_number = t.dpa_number,"
        " approved_on = t.approved_on FROM json_to_recordset(CAST(:d AS json))"
        " AS t(id uuid, state text, ceiling bigint, more bigint, dpa_number text, approved_on date)"
        " WHERE b.id = t.id AND b.committed + t.more BETWEEN 0 AND t.ceiling",
        d=doc(changed),
    )
    if done != len(changed):
        raise LostRace("a budget line changed meanwhile")
    await tx.run(
        "UPDATE budget_quarter q SET committed = q.committed + t.more, released = t.released, spd_number = t.spd_number,"
        " released_on = t.released_on FROM json_to_recordset(CAST(:d AS json))"
        " AS t(line_id uuid, quarter int, more bigint, released bigint, spd_number text, released_on date)"
        " WHERE q.line_id = t.line_id AND q.quarter = t.quarter",
        d=doc(
            [
                {
                    "line_id": line.id,
                    "quarter": quarter.quarter,
                    "more": quarter.committed - was.committed,
                    "released": quarter.released,
                    "spd_number": quarter.spd_number,
                    "released_on": quarter.released_on,
                }
                for line in after
                for quarter, was in zip(line.quarters, before[line.id].quarters, strict=True)
            ]
        ),
    )


async def write_movements(tx: Tx, region_of: Mapping[UUID, Line], movements: Sequence[Movement], on: date) -> None:
    """Two ledger entries for each movement."""
    if not movements:
        return
    entries: list[dict[str, object]] = []
    for movement in movements:
        pair = new_id()
        for account, amount in ((movement.source, -movement.amount), (movement.target, movement.amount)):
            entries.append(
                {
                    "id": new_id(),
                    "region": region_of[movement.line_id].region,
                    "movement_id": pair,
                    "budget_line_id": movement.line_id,
                    "account": account,
                    "amount": amount,
                    "reason": movement.reason,
                    "contract_id": movement.contract_id,
                }
            )
    await tx.run(
        "INSERT INTO ledger (id, region, movement_id, budget_line_id, account, amount, reason, contract_id, effective_on, recorded_at)"
        " SELECT id, region, movement_id, budget_line_id, account, amount, reason, contract_id, :on, :at"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text, movement_id uuid, budget_line_id uuid, account text,"
        " amount bigint, reason text, contract_id uuid)",
        d=doc(entries),
        on=on,
        at=tx.stamp.business,
    )


async def list_lines(tx: Tx, region: str, state: str | None, year: int | None, after: UUID | None, limit: int) -> list[Line]:
    """A page of the region's lines and one more."""
    found = await tx.rows(
        f"{_LINE} WHERE b.region = :region AND (CAST(:after AS uuid) IS NULL OR b.id > :after)"
        " AND (CAST(:state AS text) IS NULL OR b.state = :state) AND (CAST(:year AS int) IS NULL OR b.year = :year)"
        " ORDER BY b.id LIMIT :limit",
        region=region,
        state=state,
        year=year,
        after=after,
        limit=limit,
    )
    return [_line(row) for row in found]


async def totals(tx: Tx, region: str, year: int | None) -> tuple[int, int, int]:
    """Ceiling and commitments of the region's approved lines, and how many there are."""
    row = await tx.one(
        "SELECT CAST(coalesce(sum(ceiling), 0) AS bigint) AS ceiling, CAST(coalesce(sum(committed), 0) AS bigint) AS committed,"
        " count(*) AS n FROM budget_line WHERE region = :region AND state = 'approved' AND (CAST(:year AS int) IS NULL OR year = :year)",
        region=region,
        year=year,
    )
    assert row is not None
    return int(row["ceiling"]), int(row["committed"]), int(row["n"])


async def list_entries(tx: Tx, line_id: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """A page of a line's ledger in the order of writing, and one more."""
    return await tx.rows(
        "SELECT id, movement_id, account, amount, reason, contract_id, effective_on, recorded_at FROM ledger"
        " WHERE budget_line_id = :line AND (CAST(:after AS uuid) IS NULL OR id > :after) ORDER BY id LIMIT :limit",
        line=line_id,
        after=after,
        limit=limit,
    )


async def sums(tx: Tx, line_id: UUID) -> dict[str, int]:
    """The balance of each account of a line; they sum to zero."""
    found = await tx.rows(
        "SELECT account, CAST(sum(amount) AS bigint) AS amount FROM ledger WHERE budget_line_id = :line GROUP BY account ORDER BY account",
        line=line_id,
    )
    return {row["account"]: int(row["amount"]) for row in found}
