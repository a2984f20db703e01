"""Dated standings: written once, read as of two days; everything counted or asked about people's columns goes through here."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.engine import RowMapping

from services.registry.domain.scheme import Eligibility
from services.registry.domain.standing import Present, Standing
from shared.db import Tx, doc

# The newest value of each topic. An `end` is a correction of the one before, whatever its day; of the others the latest day counts.
_NEWEST = """
newest AS (
    SELECT DISTINCT ON (s.worker_id, s.topic) s.worker_id, s.topic, s.value, s.effective_on
    FROM standing s {scope}
    AND s.recorded_at <= :as_of AND (s.effective_on <= :on OR s.topic = 'end')
    ORDER BY s.worker_id, s.topic, CASE WHEN s.topic = 'end' THEN NULL ELSE s.effective_on END DESC NULLS LAST,
             s.recorded_at DESC, s.seq DESC
),
folded AS (
    SELECT worker_id,
        max(value) FILTER (WHERE topic = 'exit') AS exit,
        max(value) FILTER (WHERE topic = 'leaving') AS leaving,
        max(value) FILTER (WHERE topic = 'proposal') AS proposal,
        max(value) FILTER (WHERE topic = 'service') AS service,
        max(value) FILTER (WHERE topic = 'trace') AS trace,
        max(value) FILTER (WHERE topic = 'gone') AS gone,
        max(effective_on) FILTER (WHERE topic = 'service') AS service_on,
        max(effective_on) FILTER (WHERE topic = 'end' AND value = 'ended' AND effective_on <= :on) AS end_on
    FROM newest GROUP BY worker_id
)"""
VALUES = """coalesce(f.exit, '') AS exit, coalesce(f.leaving, '') AS leaving, coalesce(f.proposal, '') AS proposal,
    coalesce(f.service, '') AS service, coalesce(f.trace, '') AS trace, coalesce(f.gone, '') AS gone,
    f.end_on IS NOT NULL AND (f.service IS DISTINCT FROM 'recalled' OR f.end_on >= f.service_on) AS ended"""
KEY = """concat_ws('|', coalesce(f.exit, ''), coalesce(f.leaving, ''), coalesce(f.proposal, ''), coalesce(f.service, ''),
    coalesce(f.trace, ''), coalesce(f.gone, ''),
    f.end_on IS NOT NULL AND (f.service IS DISTINCT FROM 'recalled' OR f.end_on >= f.service_on))"""

BY_REGION = _NEWEST.format(scope="WHERE s.region = :region")
BY_IDS = _NEWEST.format(scope="WHERE s.worker_id IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))")


def present(row: RowMapping) -> Present:
    """A row with the folded topics."""
    return Present(row["exit"], row["leaving"], row["proposal"], row["service"], row["trace"], row["gone"], row["ended"])


def key(p: Present) -> str:
    """The text by which SQL and the domain name the same group."""
    return "|".join((p.exit, p.leaving, p.proposal, p.service, p.trace, p.gone, "t" if p.ended else "f"))


async def groups(tx: Tx, region: str, on: date, as_of: datetime) -> list[tuple[Present, int]]:
    """How many people of the region stand alike at the end of the day, as known then."""
    # Until a first ANALYZE has run the planner takes the fold for one row and joins it row by row: seconds instead of millis.
    await tx.run("SET LOCAL enable_nestloop = off")
    rows = await tx.rows(
        f"WITH {BY_REGION} SELECT {VALUES}, count(*) AS n FROM worker w LEFT JOIN folded f ON f.worker_id = w.id"
        " WHERE w.region = :region AND w.recorded_at <= :as_of GROUP BY 1, 2, 3, 4, 5, 6, 7",
        region=region,
        on=on,
        as_of=as_of,
    )
    return [(present(row), int(row["n"])) for row in rows]


async def presents(tx: Tx, ids: Sequence[UUID], on: date, as_of: datetime) -> dict[UUID, Present]:
    """How each of these workers stands; who has no standing is absent."""
    rows = await tx.rows(
        f"WITH {BY_IDS} SELECT f.worker_id, {VALUES} FROM folded f", ids=doc([str(one) for one in ids]), on=on, as_of=as_of
    )
    return {row["worker_id"]: present(row) for row in rows}


async def add(tx: Tx, standings: Iterable[Standing]) -> set[UUID]:
    """Add what is not there yet; the ids of what was new."""
    rows = [
        {
            "n": n,
            "id": s.id,
            "region": s.region,
            "worker_id": s.worker_id,
            "topic": s.topic,
            "value": s.value,
            "effective_on": s.effective_on,
            "decree_number": s.decree_number,
            "decree_date": s.decree_date,
        }
        for n, s in enumerate(standings)
    ]
    if not rows:
        return set()
    new = await tx.rows(
        "INSERT INTO standing (id, region, worker_id, topic, value, effective_on, recorded_at, decree_number, decree_date)"
        " SELECT id, region, worker_id, topic, value, effective_on, :at, decree_number, decree_date"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(n int, id uuid, region text, worker_id uuid, topic text, value text,"
        " effective_on date, decree_number text, decree_date date)"
        " ORDER BY n ON CONFLICT (id) DO NOTHING RETURNING id",
        d=doc(rows),
        at=tx.stamp.business,
    )
    return {row["id"] for row in new}


async def history(tx: Tx, worker_id: UUID) -> Sequence[RowMapping]:
    """Everything that was recorded about where one worker stands, in the order of the days."""
    return await tx.rows(
        "SELECT topic, value, effective_on, recorded_at, decree_number, decree_date FROM standing WHERE worker_id = :id"
        " ORDER BY effective_on, recorded_at, seq",
        id=worker_id,
    )


async def deciding(tx: Tx, ids: Iterable[UUID]) -> Sequence[RowMapping]:
    """What the scheme's verdict depends on, and the verdict in force: the latest recorded exit, leaving and trace of each worker,
    future days included."""
    return await tx.rows(
        "WITH latest AS (SELECT DISTINCT ON (worker_id, topic) worker_id, topic, value, effective_on FROM standing"
        " WHERE worker_id IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"
        " AND topic IN ('exit', 'leaving', 'trace') ORDER BY worker_id, topic, effective_on DESC, recorded_at DESC, seq DESC),"
        " folded AS (SELECT worker_id, max(value) FILTER (WHERE topic = 'exit') AS exit,"
        " max(value) FILTER (WHERE topic = 'leaving') AS leaving, max(value) FILTER (WHERE topic = 'trace') AS trace,"
        " max(effective_on) FILTER (WHERE topic = 'exit') AS exit_on, max(effective_on) FILTER (WHERE topic = 'leaving') AS leaving_on,"
        " max(effective_on) FILTER (WHERE topic = 'trace') AS trace_on FROM latest GROUP BY worker_id)"
        " SELECT w.id, w.region, w.service_start, coalesce(f.exit, '') AS exit, coalesce(f.leaving, '') AS leaving,"
        " coalesce(f.trace, '') AS trace, coalesce(f.exit_on, f.leaving_on, f.trace_on, w.service_start) AS since,"
        " e.verdict, e.reasons FROM worker w LEFT JOIN folded f ON f.worker_id = w.id LEFT JOIN eligibility e ON e.worker_id = w.id"
        " WHERE w.id IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json))) AND w.gone = '' ORDER BY w.id",
        ids=doc(sorted({str(one) for one in ids})),
    )


async def save_eligibility(tx: Tx, decided: Sequence[tuple[str, UUID, Eligibility]]) -> None:
    """The verdicts now in force (region, worker, verdict)."""
    if not decided:
        return
    rows: list[dict[str, Any]] = [
        {"worker_id": worker, "region": region, "verdict": e.verdict, "reasons": e.reasons, "since": e.since}
        for region, worker, e in decided
    ]
    await tx.run(
        "INSERT INTO eligibility (worker_id, region, verdict, reasons, since, recorded_at)"
        " SELECT worker_id, region, verdict, reasons, since, :at FROM json_to_recordset(CAST(:d AS json))"
        " AS t(worker_id uuid, region text, verdict text, reasons text[], since date) ORDER BY worker_id"
        " ON CONFLICT (worker_id) DO UPDATE SET verdict = excluded.verdict, reasons = excluded.reasons, since = excluded.since,"
        " recorded_at = excluded.recorded_at",
        d=doc(rows),
        at=tx.stamp.business,
    )
