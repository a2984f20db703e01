"""Audit rows: who did what for which purpose under which rules, each with a leaf hash of its canonical JSON.

A leaf is SHA-256 over a zero byte and the canonical JSON (keys sorted, no spaces, UTF-8), as in RFC 6962; a Merkle tree
can be laid over the rows as they are. Personal values enter only as commitments: SHA-256 over a random salt, the
field's name and the value. Deleting the salts makes the commitments mute and leaves every leaf as it was.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from shared.ids import new_id

if TYPE_CHECKING:
    from shared.db import Tx

_CANONICAL: Final = msgspec.json.Encoder(order="sorted")


@dataclass(frozen=True, slots=True)
class Entry:
    """One row to be written; actor and times come from the transaction."""

    kind: str
    region: str
    use_case: str
    purpose: str = ""
    aggregate_id: UUID | None = None
    version: int | None = None
    event_id: UUID | None = None
    pack: str = ""
    private: Mapping[str, str] = field(default_factory=dict)
    salts: Mapping[str, bytes] = field(default_factory=dict)


def canonical(entry: Mapping[str, Any]) -> bytes:
    """The one JSON text of an entry: keys sorted, no spaces."""
    return _CANONICAL.encode(entry)


def leaf(text: bytes) -> bytes:
    """The leaf hash of a canonical entry."""
    return hashlib.sha256(b"\x00" + text).digest()


def commitment(salt: bytes, name: str, value: str) -> str:
    """What stands for a personal value in an entry."""
    return hashlib.sha256(b"\x00".join((salt, name.encode(), value.encode()))).hexdigest()


_APPEND: Final = """
INSERT INTO audit (id, at, actor, use_case, purpose, kind, region, aggregate_id, version, event_id, pack, entry, leaf)
SELECT id, :wall, :actor, use_case, purpose, kind, region, aggregate_id, version, event_id, pack, entry,
       decode(leaf, 'hex')
FROM json_to_recordset(CAST(:d AS json)) AS t(
    n int, id uuid, use_case text, purpose text, kind text, region text, aggregate_id uuid, version int, event_id uuid,
    pack text, entry text, leaf text)
ORDER BY n
"""
_OPENINGS: Final = """
INSERT INTO audit_opening (audit_id, field, salt)
SELECT audit_id, field, decode(salt, 'hex')
FROM json_to_recordset(CAST(:d AS json)) AS t(audit_id uuid, field text, salt text)
"""


async def append(tx: "Tx", entries: Sequence[Entry]) -> None:
    """Write the entries: one statement, and one more when personal values are committed to."""
    if not entries:
        return
    rows: list[dict[str, Any]] = []
    openings: list[dict[str, Any]] = []
    roles = sorted(tx.scope.roles)
    for n, entry in enumerate(entries):
        row_id = new_id()
        text = canonical(
            {
                "id": row_id,
                "at": tx.stamp.wall,
                "business_at": tx.stamp.business,
                "actor": tx.scope.actor,
                "roles": roles,
                "use_case": entry.use_case,
                "purpose": entry.purpose,
                "kind": entry.kind,
                "region": entry.region,
                "aggregate_id": entry.aggregate_id,
                "version": entry.version,
                "event_id": entry.event_id,
                "pack": entry.pack,
                "commitments": {name: commitment(entry.salts[name], name, value) for name, value in entry.private.items()},
            }
        )
        rows.append(
            {
                "n": n,
                "id": row_id,
                "use_case": entry.use_case,
                "purpose": entry.purpose,
                "kind": entry.kind,
                "region": entry.region,
                "aggregate_id": entry.aggregate_id,
                "version": entry.version,
                "event_id": entry.event_id,
                "pack": entry.pack,
                "entry": text.decode(),
                "leaf": leaf(text).hex(),
            }
        )
        openings += [{"audit_id": row_id, "field": name, "salt": entry.salts[name].hex()} for name in entry.private]
    await tx.run(_APPEND, d=msgspec.json.encode(rows).decode(), wall=tx.stamp.wall, actor=tx.scope.actor)
    if openings:
        await tx.run(_OPENINGS, d=msgspec.json.encode(openings).decode())
