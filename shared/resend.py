"""Sending again: what a hearer misses, or what an operator asks for, goes through `pending` once more, marked `replay`.

A hearer with a gap asks on the topic `resend-requests`; the owner of the aggregate answers. Nothing is promised but the
events themselves: hearers drop what they have.
"""

import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from shared.envelope import Record

if TYPE_CHECKING:
    from shared.db import Tx

ASK_AFTER: Final = timedelta(seconds=30)
"""A gap this old is asked for; asked again at the same pace, for ever: the gauge of gaps is the alarm."""
ANSWER_EVERY: Final = 10.0
"""One aggregate is sent again at most this often (seconds)."""
MOST: Final = 5_000
"""At most this many events per answer."""


class Request(msgspec.Struct, frozen=True):
    """`owner` is asked for the versions from `first` to `last` of an aggregate."""

    owner: str
    asker: str
    aggregate_id: UUID
    first: int
    last: int


def encode(request: Request) -> bytes:
    """The record of a request."""
    return msgspec.json.encode(request)


def decode(records: Iterable[Record], owner: str) -> list[Request]:
    """The sound requests to this owner; anything else on the topic is passed over."""
    found: list[Request] = []
    for record in records:
        try:
            request = msgspec.json.decode(record.value or b"", type=Request)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        if request.owner == owner and 0 < request.first <= request.last:
            found.append(request)
    return found


class Pace:
    """Who was answered when: one aggregate is not sent again and again because many hearers ask."""

    def __init__(self, every: float = ANSWER_EVERY) -> None:
        self._every = every
        self._answered: dict[UUID, float] = {}

    def due(self, requests: Iterable[Request]) -> list[Request]:
        """Those to be answered now."""
        now = time.monotonic()
        self._answered = {a: at for a, at in self._answered.items() if now - at < self._every}
        found = [request for request in requests if request.aggregate_id not in self._answered]
        self._answered |= {request.aggregate_id: now for request in found}
        return found


async def answer(tx: "Tx", requests: Sequence[Request]) -> int:
    """Queue what was asked for; the number of events."""
    return await tx.run(
        "INSERT INTO pending (shard, seq, replay) SELECT DISTINCT e.shard, e.seq, true FROM event e"
        " JOIN json_to_recordset(CAST(:d AS json)) AS t(aggregate_id uuid, first int, last int)"
        " ON e.aggregate_id = t.aggregate_id AND e.version BETWEEN t.first AND t.last"
        " ORDER BY e.seq LIMIT :most ON CONFLICT DO NOTHING",
        d=msgspec.json.encode(requests).decode(),
        most=MOST,
    )


async def resend_aggregate(tx: "Tx", aggregate_id: UUID) -> int:
    """Queue all events of an aggregate again, audited; the number of events."""
    number = await tx.run(
        "INSERT INTO pending (shard, seq, replay) SELECT shard, seq, true FROM event WHERE aggregate_id = :id"
        " ORDER BY seq ON CONFLICT DO NOTHING",
        id=aggregate_id,
    )
    tx.note("events.resent", aggregate_id, "")
    return number


async def resend_since(tx: "Tx", since: datetime) -> int:
    """Queue all events recorded since an instant again, audited; the number of events."""
    number = await tx.run(
        "INSERT INTO pending (shard, seq, replay) SELECT shard, seq, true FROM event WHERE recorded_at >= :since"
        " ORDER BY seq ON CONFLICT DO NOTHING",
        since=since,
    )
    tx.note("events.resent", None, "")
    return number


async def to_ask(tx: "Tx", names: Sequence[str], asker: str, after: timedelta = ASK_AFTER) -> list[Request]:
    """The gaps of these consumers that are old enough to be asked for; marks them as asked."""
    rows = await tx.rows(
        "WITH due AS (UPDATE parked SET asked_at = :now, asked = asked + 1 WHERE state = 'waiting' AND kind = 'gap'"
        " AND consumer = ANY(CAST(:names AS text[])) AND coalesce(asked_at, parked_at) < :before"
        " RETURNING consumer, topic, aggregate_id, version)"
        " SELECT d.topic, d.aggregate_id, coalesce(max(p.version), 0) + 1 AS first,"
        " greatest(min(d.version) - 1, coalesce(max(p.version), 0) + 1) AS last"
        " FROM due d LEFT JOIN position p ON p.consumer = d.consumer AND p.aggregate_id = d.aggregate_id"
        " GROUP BY d.consumer, d.topic, d.aggregate_id",
        now=tx.stamp.wall,
        names=list(names),
        before=tx.stamp.wall - after,
    )
    return [Request(row["topic"].split(".")[-2], asker, row["aggregate_id"], row["first"], row["last"]) for row in rows]
