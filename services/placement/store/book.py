"""The people of the pool as of a day and as known at an instant: pivoted in SQL, sorted into columns by the domain."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final
from uuid import UUID

from sqlalchemy.engine import RowMapping

from services.placement.domain import Present
from shared.db import Tx

# One row per worker of the region, with the newest of each thing that counted at the end of the day.
_PIVOT: Final = """
WITH h AS (
    SELECT worker_id,
           (array_agg(aspect ORDER BY effective_on DESC, version DESC) FILTER (WHERE aspect IN ('stop', 'recall')))[1] AS service,
           (array_agg(effective_on ORDER BY effective_on DESC, version DESC) FILTER (WHERE aspect IN ('stop', 'recall')))[1] AS service_on,
           max(effective_on) FILTER (WHERE aspect = 'recall') AS recalled_on,
           (array_agg(value ORDER BY effective_on DESC, version DESC) FILTER (WHERE aspect = 'proposal'))[1] AS proposal,
           max(effective_on) FILTER (WHERE aspect = 'proposal') AS proposed_on,
           bool_or(aspect IN ('exit', 'left', 'merged')) AS gone
    FROM person_history
    WHERE region = :region AND effective_on <= :day AND recorded_at <= :known
    GROUP BY worker_id
), r AS (
    SELECT worker_id,
           (array_agg(value ORDER BY effective_on DESC, recorded_at DESC, version DESC) FILTER (WHERE aspect = 'verdict'))[1] AS verdict,
           (array_agg(why ORDER BY effective_on DESC, recorded_at DESC, version DESC) FILTER (WHERE aspect = 'verdict'))[1] AS why,
           max(effective_on) FILTER (WHERE aspect = 'verdict') AS verdict_on,
           (array_agg(value ORDER BY effective_on DESC, recorded_at DESC, version DESC) FILTER (WHERE aspect = 'consent'))[1] AS consent,
           max(effective_on) FILTER (WHERE aspect = 'consent') AS consent_on
    FROM right_history
    WHERE region = :region AND effective_on <= :day AND recorded_at <= :known
    GROUP BY worker_id
), c AS (
    SELECT DISTINCT ON (worker_id) worker_id, value AS course, effective_on AS course_on
    FROM course
    WHERE region = :region AND effective_on <= :day AND recorded_at <= :known
    ORDER BY worker_id, effective_on DESC, seq DESC
), p AS (
    SELECT p.worker_id, p.agency,
           coalesce(h.gone, false) AS gone,
           coalesce(h.service = 'stop', false)
             OR coalesce(p.service_end <= :day AND (h.recalled_on IS NULL OR h.recalled_on <= p.service_end), false) AS stopped,
           coalesce(h.proposal NOT IN ('', 'withdrawn'), false) AS proposed,
           coalesce(r.consent = 'no', false) AS refused,
           coalesce(r.verdict, '') AS verdict, coalesce(r.why, '') AS why, coalesce(c.course, '') AS course,
           h.service_on, p.service_end, h.proposed_on, r.verdict_on, r.consent_on, c.course_on
    FROM person p LEFT JOIN h USING (worker_id) LEFT JOIN r USING (worker_id) LEFT JOIN c USING (worker_id)
    WHERE p.region = :region
)
"""
_GROUPED: Final = "gone, stopped, proposed, refused, verdict, why, course"
_KEPT: Final = "NOT gone AND (stopped OR proposed OR (verdict = 'unknown' AND why = 'untraced'))"


async def _by_hash(tx: Tx) -> None:
    """Until a first ANALYZE has run the planner takes each part for one row and joins them row by row: seconds instead of millis."""
    await tx.run("SET LOCAL enable_nestloop = off")


async def groups(tx: Tx, region: str, day: date, known: datetime) -> list[tuple[Present, int]]:
    """People who stand alike, counted."""
    await _by_hash(tx)
    rows = await tx.rows(f"{_PIVOT} SELECT {_GROUPED}, count(*) AS n FROM p GROUP BY {_GROUPED}", region=region, day=day, known=known)
    return [(present(row), row["n"]) for row in rows]


async def people(tx: Tx, region: str, day: date, known: datetime, *, after: UUID | None, limit: int) -> Sequence[RowMapping]:
    """The people of the pool in id order."""
    await _by_hash(tx)
    return await tx.rows(
        f"{_PIVOT} SELECT worker_id, agency, {_GROUPED}, service_on, service_end, proposed_on, verdict_on, consent_on, course_on FROM p"
        f" WHERE {_KEPT} AND (CAST(:after AS uuid) IS NULL OR worker_id > CAST(:after AS uuid)) ORDER BY worker_id LIMIT :limit",
        region=region,
        day=day,
        known=known,
        after=after,
        limit=limit,
    )


def present(row: RowMapping) -> Present:
    """What stood about a worker."""
    return Present(row["gone"], row["stopped"], row["proposed"], row["refused"], row["verdict"], row["why"], row["course"])
