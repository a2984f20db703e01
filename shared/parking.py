"""Parked records: kept encrypted with why, shown to whoever must decide, tried again or given up by an audited command.

A parked row holds up only its own aggregate. Replay releases a row: the consumer tries it in version order at its next
turn, and what waits behind it follows. Discard is a counted exception: the sequence goes on past the record.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.errors import NotFound, Refused
from shared.events import CATALOGUE

if TYPE_CHECKING:
    from shared.db import Tx
    from shared.envelope import Record

_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it was, out of a parked row."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class _Stored(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]


class Sealer:
    """Encrypts parked records: AES-256-GCM under a key derived from the service's MAC key, bound to the consumer."""

    def __init__(self, key: bytes) -> None:
        derived = HKDF(SHA256(), 32, salt=None, info=b"jembatan parked records").derive(key)
        self._cipher = AESGCM(derived)

    def seal(self, consumer: str, record: "Record") -> bytes:
        """The record as bytes that only this service can open."""
        headers = [(str(name), value if isinstance(value, bytes) else None) for name, value in record.headers]
        stored = _Stored(record.topic, record.partition, record.offset, record.key, record.value, headers)
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, msgspec.msgpack.encode(stored), consumer.encode())

    def open(self, consumer: str, sealed: bytes) -> Kept:
        """The record again. Raises cryptography's InvalidTag when the key or the consumer is another."""
        plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], consumer.encode())
        stored = msgspec.msgpack.decode(plain, type=_Stored)
        return Kept(stored.topic, stored.partition, stored.offset, stored.key, stored.value, stored.headers)


@dataclass(frozen=True, slots=True)
class Row:
    """A parked row as it may be shown: where it came from and why it waits, nothing of its content."""

    id: UUID
    consumer: str
    kind: str
    state: str
    reason: str
    topic: str
    partition: int
    offset: int
    event_id: UUID | None
    aggregate_id: UUID | None
    version: int | None
    region: str
    parked_at: datetime
    asked: int
    decided_by: str


_COLUMNS: Final = (
    'id, consumer, kind, state, reason, topic, partition, "offset", event_id, aggregate_id, version, region, parked_at, asked, decided_by'
)


async def listed(tx: "Tx", *, consumer: str = "", kind: str = "", state: str = "waiting", limit: int = 100) -> list[Row]:
    """Parked rows, oldest first; empty arguments do not narrow."""
    found = await tx.rows(
        f"SELECT {_COLUMNS} FROM parked WHERE (:consumer = '' OR consumer = :consumer) AND (:kind = '' OR kind = :kind)"
        " AND (:state = '' OR state = :state) ORDER BY parked_at, id LIMIT :limit",
        consumer=consumer,
        kind=kind,
        state=state,
        limit=limit,
    )
    return [Row(**row) for row in found]


async def show(tx: "Tx", row_id: UUID, sealer: Sealer | None = None) -> tuple[Row, Kept | None]:
    """One row, with its record when a sealer is given (which is noted in the audit log). Raises NotFound."""
    found = await tx.one(f"SELECT {_COLUMNS}, record FROM parked WHERE id = :id", id=row_id)
    if found is None:
        raise NotFound("no-such-parked-row")
    fields = dict(found)
    sealed = fields.pop("record")
    row = Row(**fields)
    if sealer is None:
        return row, None
    tx.note("parked.opened", row.aggregate_id, row.region, purpose="deciding about a parked record")
    return row, sealer.open(row.consumer, sealed)


async def replay(tx: "Tx", row_id: UUID) -> Row:
    """Release a row (and, for its aggregate's sake, every failed row before it): the consumer tries it at its next turn.

    Raises NotFound, or Refused for a fork (only discarding ends one).
    """
    row = await _waiting(tx, row_id)
    if row.kind == "fork":
        raise Refused("fork-cannot-be-replayed", "Two events claim one version: find out which counts, then discard.")
    if row.aggregate_id is None:
        raise Refused("nothing-to-replay", "The record did not come from the topic's owner or has no identity: discard.")
    await tx.run(
        "UPDATE parked SET release = true, decided_at = :at, decided_by = :by WHERE state = 'waiting'"
        " AND consumer = :consumer AND (id = :id OR (aggregate_id = :aggregate AND version <= :version"
        " AND kind IN ('failed', 'poison')))",
        at=tx.stamp.wall,
        by=tx.scope.actor,
        consumer=row.consumer,
        id=row.id,
        aggregate=row.aggregate_id,
        version=row.version,
    )
    tx.note("parked.replayed", row.aggregate_id, row.region)
    return row


async def discard(tx: "Tx", row_id: UUID) -> Row:
    """Give a record up. When it was the next of its aggregate, the sequence goes on past it. Raises NotFound or Refused."""
    row = await _waiting(tx, row_id)
    if row.aggregate_id is not None and row.version is not None and row.kind != "fork" and not _compacted(row.topic):
        seen = await tx.one(
            "SELECT version FROM position WHERE consumer = :consumer AND aggregate_id = :aggregate FOR UPDATE",
            consumer=row.consumer,
            aggregate=row.aggregate_id,
        )
        at = int(seen["version"]) if seen is not None else 0
        if row.kind in {"gap", "behind"}:
            raise Refused("waits-for-another", "It only waits: replay or discard what it waits for.")
        if row.version == at + 1:
            await tx.run(
                "INSERT INTO position (consumer, aggregate_id, version, event_id)"
                " VALUES (:consumer, :aggregate, :version, :event) ON CONFLICT (consumer, aggregate_id)"
                " DO UPDATE SET version = excluded.version, event_id = excluded.event_id",
                consumer=row.consumer,
                aggregate=row.aggregate_id,
                version=row.version,
                event=row.event_id,
            )
        elif row.version > at + 1:
            raise Refused("not-its-turn", "Earlier versions of the aggregate are still missing or waiting.")
    await tx.run(
        "UPDATE parked SET state = 'discarded', decided_at = :at, decided_by = :by WHERE id = :id",
        at=tx.stamp.wall,
        by=tx.scope.actor,
        id=row.id,
    )
    tx.note("parked.discarded", row.aggregate_id, row.region)
    return row


def _compacted(topic: str) -> bool:
    return any(fact.kind.stream.compacted and topic.endswith(f".{fact.kind.stream.topic}") for fact in CATALOGUE.values())


async def _waiting(tx: "Tx", row_id: UUID) -> Row:
    found = await tx.one(f"SELECT {_COLUMNS} FROM parked WHERE id = :id AND state = 'waiting' FOR UPDATE", id=row_id)
    if found is None:
        raise NotFound("no-such-parked-row")
    return Row(**found)


DRAINABLE: Final = """
SELECT DISTINCT k.consumer, k.aggregate_id
FROM parked k LEFT JOIN position p ON p.consumer = k.consumer AND p.aggregate_id = k.aggregate_id
WHERE k.state = 'waiting' AND k.aggregate_id IS NOT NULL AND k.kind <> 'fork' AND k.consumer = ANY(CAST(:names AS text[]))
  AND ((k.version = coalesce(p.version, 0) + 1 AND k.kind IN ('gap', 'behind'))
       OR (k.release AND (k.version <= coalesce(p.version, 0) + 1 OR k.topic = ANY(CAST(:compacted AS text[])))))
  AND NOT EXISTS (SELECT 1 FROM parked f WHERE f.consumer = k.consumer AND f.aggregate_id = k.aggregate_id
                  AND f.state = 'waiting' AND f.kind = 'fork')
LIMIT 2000
"""
"""Aggregates for which a turn without a new record would change something (after a replay or a discard)."""


async def drainable(tx: "Tx", names: Sequence[str], compacted: Sequence[str] = ()) -> dict[str, list[UUID]]:
    """Per consumer, the aggregates whose parked rows can go on now. `compacted`: full names of compacted topics."""
    found: dict[str, list[UUID]] = {}
    for row in await tx.rows(DRAINABLE, names=list(names), compacted=list(compacted)):
        found.setdefault(row["consumer"], []).append(row["aggregate_id"])
    return found


def readable(kept: Kept) -> dict[str, Any]:
    """A record for an operator's eyes: text where it is text, else base64."""

    def text(value: bytes | None) -> str | None:
        if value is None:
            return None
        try:
            return value.decode()
        except UnicodeDecodeError:
            return "base64:" + base64.b64encode(value).decode()

    return {
        "topic": kept.topic,
        "partition": kept.partition,
        "offset": kept.offset,
        "key": text(kept.key),
        "headers": {name: text(value) for name, value in kept.headers},
        "value": text(kept.value),
    }
