"""The event log: outbox and history in one table, written in the transaction that made the change.

One statement takes the next version of each aggregate, writes the event rows and their `pending` rows; a second writes
their audit rows. `UNIQUE (aggregate_id, version)` is what makes two writers of one aggregate impossible; callers lock
their aggregates' rows in id order first, so that it is never met in practice.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from shared import audit, tracing
from shared.events import CATALOGUE, Fact

if TYPE_CHECKING:
    from shared.db import Tx

SEALED: Final = "sealed"
"""A fact with this field carries sealed bytes: they wait in a side table and are no part of the history."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A fact on its way into the log."""

    id: UUID
    fact: Fact
    causation: UUID | None
    correlation: UUID
    pack: str
    tombstone: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """An audit row without an event."""

    kind: str
    aggregate_id: UUID | None
    region: str
    use_case: str
    purpose: str
    private: Mapping[str, str]


class _Row(msgspec.Struct):
    n: int
    id: UUID
    aggregate: str
    aggregate_id: UUID
    type: str
    topic: str
    key: UUID
    shard: int
    region: str
    effective_on: Any
    causation_id: UUID | None
    correlation_id: UUID
    pack: str
    sealed: str | None
    gone: bool
    body: str


_WRITE: Final = """
WITH t AS MATERIALIZED (
    SELECT * FROM json_to_recordset(CAST(:d AS json)) AS t(
        n int, id uuid, aggregate text, aggregate_id uuid, type text, topic text, key uuid, shard int, region text,
        effective_on date, causation_id uuid, correlation_id uuid, pack text, sealed text, gone boolean, body text)
), base AS (
    SELECT d.aggregate_id, coalesce((
        SELECT e.version FROM event e WHERE e.aggregate_id = d.aggregate_id ORDER BY e.version DESC LIMIT 1), 0) AS v
    FROM (SELECT DISTINCT aggregate_id FROM t) d
), put AS (
    INSERT INTO event (id, aggregate, aggregate_id, version, type, topic, key, shard, region, effective_on, recorded_at,
                       business_at, actor, use_case, causation_id, correlation_id, pack, traceparent, sealed, gone, body)
    SELECT t.id, t.aggregate, t.aggregate_id,
           base.v + row_number() OVER (PARTITION BY t.aggregate_id ORDER BY t.n),
           t.type, t.topic, t.key, t.shard, t.region, t.effective_on, :wall, :business, :actor, :use_case,
           t.causation_id, t.correlation_id, t.pack, :trace, t.sealed IS NOT NULL, t.gone, t.body
    FROM t JOIN base USING (aggregate_id)
    ORDER BY t.n
    RETURNING seq, id, version, shard
), waits AS (
    INSERT INTO pending (shard, seq) SELECT shard, seq FROM put
), seals AS (
    INSERT INTO sealed_body (event_id, sealed) SELECT id, sealed FROM t WHERE sealed IS NOT NULL
)
SELECT id, version FROM put
"""


def shard_of(key: UUID, partitions: int) -> int:
    """The partition of a key, in every topic; the relay's shards are the partitions."""
    return key.int % partitions


def encode(fact: Fact) -> str:
    """The body of a fact as it is stored and sent."""
    return msgspec.json.encode(fact).decode()


def decode(type_name: str, body: str | bytes) -> Fact:
    """The fact of a stored body. Raises KeyError for an unknown type, msgspec.ValidationError for a malformed body."""
    return msgspec.json.decode(body, type=CATALOGUE[type_name])


async def write(tx: "Tx", queued: Sequence[Queued], notes: Sequence[Note]) -> None:
    """Write queued facts and notes of a transaction: at most two statements, whatever their number."""
    versions: dict[UUID, int] = {}
    if queued:
        rows = [_row(n, item, tx.partitions) for n, item in enumerate(queued)]
        found = await tx.rows(
            _WRITE,
            d=msgspec.json.encode(rows).decode(),
            wall=tx.stamp.wall,
            business=tx.stamp.business,
            actor=tx.scope.actor,
            use_case=tx.use_case,
            trace=tracing.traceparent(),
        )
        versions = {row["id"]: row["version"] for row in found}
    entries = [
        audit.Entry(
            kind=item.fact.kind.type,
            region=item.fact.region,
            use_case=tx.use_case,
            purpose=tx.purpose,
            aggregate_id=item.fact.aggregate_id,
            version=versions[item.id],
            event_id=item.id,
            pack=item.pack,
        )
        for item in queued
    ]
    entries += [
        audit.Entry(
            kind=note.kind,
            region=note.region,
            use_case=note.use_case,
            purpose=note.purpose,
            aggregate_id=note.aggregate_id,
            private=note.private,
            salts={name: secrets.token_bytes(16) for name in note.private},
        )
        for note in notes
    ]
    await audit.append(tx, entries)


def _row(n: int, item: Queued, partitions: int) -> _Row:
    fact, kind = item.fact, item.fact.kind
    sealed: str | None = None
    if SEALED in fact.__struct_fields__:
        sealed = getattr(fact, SEALED)
        fact = msgspec.structs.replace(fact, **{SEALED: ""})
    return _Row(
        n,
        item.id,
        kind.aggregate,
        fact.aggregate_id,
        kind.type,
        kind.stream.topic,
        fact.partition_key,
        shard_of(fact.partition_key, partitions),
        fact.region,
        fact.effective_on,
        item.causation,
        item.correlation,
        item.pack,
        sealed,
        item.tombstone,
        encode(fact),
    )
