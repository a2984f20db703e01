"""Messages: one per cause, recipient and channel; claimed before they are sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from services.notify.domain import BAD_NEWS, MessageState
from services.notify.store.people import IDS, Row, ids_doc, plain
from shared.db import Tx, doc

_BAD_NEWS = ", ".join(f"'{template.value}'" for template in sorted(BAD_NEWS))
ENDED = ("sent", "unknown", "failed", "listed")


async def add(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> set[UUID]:
    """New messages; returns the ids of those that were not there yet."""
    if not rows:
        return set()
    found = await tx.rows(
        "INSERT INTO message (id, region, worker_id, cause_id, template, channel, state, reason, question_id, details, attempts,"
        " created_at, ended_at) SELECT id, region, worker_id, cause_id, template, channel, state, reason, question_id, details, 0, :at,"
        " CASE WHEN state = 'queued' THEN NULL ELSE CAST(:wall AS timestamptz) END FROM json_to_recordset(CAST(:d AS json))"
        " AS t(id uuid, region text, worker_id uuid, cause_id uuid, template text, channel text, state text, reason text, question_id uuid,"
        " details text) ON CONFLICT DO NOTHING RETURNING id",
        d=doc(rows),
        at=tx.stamp.business,
        wall=tx.stamp.wall,
    )
    return {row["id"] for row in found}


async def take_back(tx: Tx, reasons: Mapping[UUID, str]) -> list[Row]:
    """Messages about these questions (by question) that still wait are not sent; returns them."""
    if not reasons:
        return []
    return await plain(
        tx,
        "UPDATE message m SET state = 'failed', reason = t.reason, ended_at = :wall"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(question_id uuid, reason text)"
        " WHERE m.question_id = t.question_id AND m.state = 'queued' AND m.template IN ('offer', 'reminder')"
        " RETURNING m.id, m.region, m.worker_id, m.channel, m.template, m.question_id, m.reason",
        d=doc({"question_id": key, "reason": reason} for key, reason in reasons.items()),
        wall=tx.stamp.wall,
    )


async def drop_waiting(tx: Tx, worker_ids: Iterable[UUID], reason: str) -> list[Row]:
    """Nothing more goes to these people; returns what had waited."""
    return await plain(
        tx,
        "UPDATE message SET state = 'failed', reason = :reason, ended_at = :wall"
        f" WHERE worker_id IN {IDS} AND state IN ('queued', 'listed')"
        " RETURNING id, region, worker_id, channel, template, question_id, reason",
        ids=ids_doc(worker_ids),
        reason=reason,
        wall=tx.stamp.wall,
    )


async def told(tx: Tx, question_ids: Iterable[UUID]) -> set[UUID]:
    """The questions whose offer left the house, or may have: sent, in hand, unknown or on the printed list."""
    rows = await tx.rows(
        f"SELECT DISTINCT question_id FROM message WHERE question_id IN {IDS} AND template = 'offer'"
        " AND state IN ('sent', 'sending', 'unknown', 'listed')",
        ids=ids_doc(question_ids),
    )
    return {row["question_id"] for row in rows}


async def mailed(tx: Tx, question_ids: Iterable[UUID]) -> set[UUID]:
    """The questions that have a mail, whatever became of it."""
    rows = await tx.rows(
        f"SELECT DISTINCT question_id FROM message WHERE question_id IN {IDS} AND channel = 'mail'", ids=ids_doc(question_ids)
    )
    return {row["question_id"] for row in rows}


async def waiting_regions(tx: Tx, worker_ids: Iterable[UUID]) -> set[str]:
    """Regions in which these people have mail waiting."""
    rows = await tx.rows(f"SELECT DISTINCT region FROM message WHERE worker_id IN {IDS} AND state = 'queued'", ids=ids_doc(worker_ids))
    return {row["region"] for row in rows}


async def lost_in_hand(tx: Tx, region: str, claim: UUID) -> int:
    """Messages whose sender ended between claim and result: they may have gone out. Never sent again by themselves."""
    return await tx.run(
        "UPDATE message m SET state = 'unknown', reason = 'interrupted', ended_at = :wall WHERE m.region = :region AND m.state = 'sending'"
        " AND (m.claim = :claim OR NOT EXISTS (SELECT 1 FROM job j WHERE j.id = m.claim AND j.state IN ('queued', 'running')))",
        region=region,
        claim=claim,
        wall=tx.stamp.wall,
    )


async def claim(tx: Tx, region: str, claim: UUID, *, bad_news: bool, limit: int) -> list[Row]:
    """Take messages that wait into hand; nobody else takes them."""
    return await plain(
        tx,
        "UPDATE message m SET state = 'sending', claim = :claim, attempts = m.attempts + 1 WHERE m.id IN ("
        " SELECT id FROM message WHERE region = :region AND state = 'queued' AND channel = 'mail'"
        " AND (not_before IS NULL OR not_before <= :wall)"
        + ("" if bad_news else f" AND template NOT IN ({_BAD_NEWS})")
        + " ORDER BY created_at, id LIMIT :limit FOR UPDATE SKIP LOCKED)"
        " RETURNING m.id, m.region, m.worker_id, m.template, m.question_id, m.details, m.created_at, m.attempts",
        region=region,
        claim=claim,
        wall=tx.stamp.wall,
        limit=limit,
    )


async def waiting(tx: Tx, region: str) -> Row:
    """How many wait: in all, bad news among them, and when the first may be tried again."""
    row = await tx.one(
        f"SELECT count(*) AS n, count(*) FILTER (WHERE template IN ({_BAD_NEWS})) AS bad_news,"
        " min(not_before) FILTER (WHERE not_before > :wall) AS later FROM message"
        " WHERE region = :region AND state = 'queued' AND channel = 'mail'",
        region=region,
        wall=tx.stamp.wall,
    )
    assert row is not None
    return dict(row)


async def save_letters(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """The letters as they go out, sealed (hexadecimal)."""
    if rows:
        await tx.run(
            "UPDATE message m SET sealed = decode(t.sealed, 'hex') FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, sealed text)"
            " WHERE m.id = t.id",
            d=doc(rows),
        )


async def settle(tx: Tx, claim: UUID, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """What became of messages in our hand; only those still in it are changed, and returned."""
    return await plain(
        tx,
        "UPDATE message m SET state = t.state, reason = t.reason, claim = NULL, not_before = t.not_before,"
        f" ended_at = CASE WHEN t.state IN ({', '.join(repr(state) for state in ENDED)}) THEN CAST(:wall AS timestamptz) END"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, state text, reason text, not_before timestamptz)"
        " WHERE m.id = t.id AND m.state = 'sending' AND m.claim = :claim"
        " RETURNING m.id, m.region, m.worker_id, m.template, m.channel, m.state, m.reason, m.question_id",
        d=doc(rows),
        claim=claim,
        wall=tx.stamp.wall,
    )


async def listed(
    tx: Tx,
    region: str,
    *,
    state: str,
    template: str,
    worker_id: UUID | None,
    question_id: UUID | None,
    agencies: Sequence[str],
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Row]:
    """Messages of a region in the order they were made; nothing of what they say."""
    where = ["m.region = :region", _IN_AGENCIES]
    params: dict[str, Any] = {"region": region, "agencies": doc(agencies), "everywhere": not agencies, "limit": limit + 1}
    for name, column, value in (
        ("state", "m.state", state),
        ("template", "m.template", template),
        ("worker", "m.worker_id", worker_id),
        ("question", "m.question_id", question_id),
    ):
        if value:
            where.append(f"{column} = :{name}")
            params[name] = value
    if after:
        where.append("(m.created_at, m.id) > (:at, :id)")
        params |= {"at": after[0], "id": after[1]}
    return await plain(
        tx,
        "SELECT m.id, m.region, m.worker_id, m.template, m.channel, m.state, m.reason, m.question_id, m.created_at, m.ended_at"
        " FROM message m LEFT JOIN person p USING (worker_id) LEFT JOIN question q ON q.id = m.question_id"
        f" WHERE {' AND '.join(where)} ORDER BY m.created_at, m.id LIMIT :limit",
        **params,
    )


_AGENCY = "coalesce(nullif(p.agency, ''), q.agency, '')"
_IN_AGENCIES = f"(:everywhere OR {_AGENCY} IN (SELECT value FROM json_array_elements_text(CAST(:agencies AS json))))"


async def counts(tx: Tx, region: str) -> list[Row]:
    """How many messages there are by template, channel and state."""
    return await plain(
        tx,
        "SELECT template, channel, state, count(*) AS n FROM message WHERE region = :region GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        region=region,
    )


_OPEN = "(m.template NOT IN ('offer', 'reminder') OR q.state = 'open')"


async def printed(
    tx: Tx, region: str, *, agencies: Sequence[str], only_open: bool, after: tuple[datetime, UUID] | None, limit: int
) -> list[Row]:
    """What the agency hands over itself: to people without an address, or whose mail was refused or may not have arrived.

    `open` says whether it is still to be handed over: offers and reminders only while their question waits for an answer.
    """
    return await plain(
        tx,
        f"SELECT m.id, m.region, m.worker_id, {_AGENCY} AS agency, m.template, m.state, m.reason, m.question_id, m.details, m.created_at,"
        f" p.worker_number, q.about, q.answer_by, {_OPEN} AS open"
        " FROM message m LEFT JOIN person p USING (worker_id) LEFT JOIN question q ON q.id = m.question_id"
        f" WHERE m.region = :region AND {_IN_AGENCIES} AND p.gone = '' AND (NOT :only_open OR {_OPEN})"
        " AND (m.state IN ('listed', 'unknown') OR (m.state = 'failed' AND m.reason IN ('refused', 'no_address')))"
        " AND NOT EXISTS (SELECT 1 FROM message o WHERE o.worker_id = m.worker_id AND o.cause_id = m.cause_id AND o.id <> m.id"
        " AND o.state IN ('sent', 'queued', 'sending'))"
        + (" AND (m.created_at, m.id) > (:at, :id)" if after else "")
        + " ORDER BY m.created_at, m.id LIMIT :limit",
        region=region,
        agencies=doc(agencies),
        everywhere=not agencies,
        only_open=only_open,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )


def states() -> tuple[str, ...]:
    """Every state a message can be in."""
    return tuple(state.value for state in MessageState)
