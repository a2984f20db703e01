"""What stands beside the people: consent, papers that run out, merges, control totals, seals, rule packs, and whom neighbours hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.engine import RowMapping

from services.registry.domain.neighbours import Engagement, Seat
from services.registry.store.people import IDS, ids_doc
from shared.db import Tx, doc
from shared.events.registry import CredentialExpired

# Papers ---------------------------------------------------------------------------------------------------------------------------


async def expire(tx: Tx, ids: Sequence[UUID]) -> list[CredentialExpired]:
    """Mark those of these papers whose last day is before today; the facts that tell it."""
    rows = await tx.rows(
        f"UPDATE credential SET expired = true WHERE id IN {IDS} AND NOT expired AND valid_until < :today"
        " RETURNING id, region, worker_id, credential, class_, valid_until + 1 AS since",
        ids=ids_doc(ids),
        today=tx.stamp.day,
    )
    return [
        CredentialExpired(
            region=row["region"],
            effective_on=row["since"],
            credential_id=row["id"],
            worker_id=row["worker_id"],
            credential=row["credential"],
            class_=row["class_"],
        )
        for row in sorted(rows, key=lambda row: str(row["id"]))
    ]


async def papers(tx: Tx, worker_id: UUID) -> list[UUID]:
    """The ids of one worker's papers."""
    return [row["id"] for row in await tx.rows("SELECT id FROM credential WHERE worker_id = :id", id=worker_id)]


async def guards_by_date(tx: Tx, worker_id: UUID) -> bool:
    """Whether a last day as a guard is on record."""
    row = await tx.one("SELECT 1 AS one FROM credential WHERE worker_id = :id AND credential = 'guard_until'", id=worker_id)
    return row is not None


# Consent --------------------------------------------------------------------------------------------------------------------------


async def consents(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, bool]:
    """What these workers said to the scheme as a whole; who said nothing is absent."""
    rows = await tx.rows(f"SELECT worker_id, given FROM consent WHERE worker_id IN {IDS}", ids=ids_doc(ids))
    return {row["worker_id"]: row["given"] for row in rows}


async def save_consents(tx: Tx, said: Sequence[Mapping[str, Any]]) -> None:
    """The newest word of each worker (worker_id, region, given, channel, effective_on)."""
    if said:
        await tx.run(
            "INSERT INTO consent (worker_id, region, given, channel, effective_on, recorded_at)"
            " SELECT worker_id, region, given, channel, effective_on, :at FROM json_to_recordset(CAST(:d AS json))"
            " AS t(worker_id uuid, region text, given boolean, channel text, effective_on date) ORDER BY worker_id"
            " ON CONFLICT (worker_id) DO UPDATE SET given = excluded.given, channel = excluded.channel,"
            " effective_on = excluded.effective_on, recorded_at = excluded.recorded_at",
            d=doc(list(said)),
            at=tx.stamp.business,
        )


# Merges ---------------------------------------------------------------------------------------------------------------------------

MERGE = "id, region, survivor_id, merged_id, reason, state, proposed_by, proposed_at, approved_by, approved_at"


async def add_merge(tx: Tx, *, id: UUID, region: str, survivor_id: UUID, merged_id: UUID, reason: str) -> None:
    """Somebody says that two workers are one person."""
    await tx.run(
        "INSERT INTO merge (id, region, survivor_id, merged_id, reason, state, proposed_by, proposed_at, approved_by)"
        " VALUES (:id, :region, :survivor, :merged, :reason, 'proposed', :actor, :at, '')",
        id=id,
        region=region,
        survivor=survivor_id,
        merged=merged_id,
        reason=reason,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )


async def merge(tx: Tx, merge_id: UUID) -> RowMapping | None:
    """One proposal, locked."""
    return await tx.one(f"SELECT {MERGE} FROM merge WHERE id = :id FOR UPDATE", id=merge_id)


async def merges(tx: Tx, region: str, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[RowMapping]:
    """The region's proposals, newest first."""
    return await tx.rows(
        f"SELECT {MERGE} FROM merge WHERE region = :region"
        + (" AND (proposed_at, id) < (:at, :id)" if after else "")
        + " ORDER BY proposed_at DESC, id DESC LIMIT :limit",
        region=region,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )


async def approve_merge(tx: Tx, merge_id: UUID, survivor_id: UUID, merged_id: UUID) -> None:
    """From now on the merged worker stands for the survivor; whoever was merged into it before, too."""
    await tx.run(
        "UPDATE merge SET state = 'approved', approved_by = :actor, approved_at = :at WHERE id = :id",
        id=merge_id,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )
    await tx.run(
        "UPDATE worker SET merged_into = :survivor, gone = CASE WHEN id = :merged THEN 'merged' ELSE gone END, version = version + 1"
        " WHERE id = :merged OR merged_into = :merged",
        survivor=survivor_id,
        merged=merged_id,
    )


async def active_placements(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Which of these workers hold a seat, as far as heard."""
    rows = await tx.rows(f"SELECT DISTINCT worker_id FROM placement WHERE worker_id IN {IDS} AND state <> 'ended'", ids=ids_doc(ids))
    return {row["worker_id"] for row in rows}


# Control totals -------------------------------------------------------------------------------------------------------------------


async def add_total(tx: Tx, *, id: UUID, region: str, opening: int, on: date, source: str) -> None:
    """An opening population typed in; a later one of the same region corrects it from when it is recorded."""
    await tx.run(
        "INSERT INTO control_total (id, region, on_day, opening, source, recorded_by, recorded_at)"
        " VALUES (:id, :region, :on, :opening, :source, :actor, :at)",
        id=id,
        region=region,
        on=on,
        opening=opening,
        source=source,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )


async def total(tx: Tx, region: str, as_of: datetime) -> int | None:
    """The opening population as typed in and known then."""
    row = await tx.one(
        "SELECT opening FROM control_total WHERE region = :region AND recorded_at <= :as_of ORDER BY recorded_at DESC, id DESC LIMIT 1",
        region=region,
        as_of=as_of,
    )
    return None if row is None else int(row["opening"])


# Seals ----------------------------------------------------------------------------------------------------------------------------


async def pins(tx: Tx, region: str) -> Sequence[RowMapping]:
    """The last version of everything that is told about the region's living workers, in id order."""
    return await tx.rows(
        "SELECT e.aggregate_id, max(e.version) AS version FROM event e JOIN worker w ON w.id = e.key"
        " WHERE e.region = :region AND w.region = :region AND w.gone = ''"
        " AND e.aggregate IN ('worker', 'selection', 'eligibility', 'consent', 'credential')"
        " GROUP BY e.aggregate_id ORDER BY e.aggregate_id",
        region=region,
    )


async def living(tx: Tx, region: str) -> int:
    """How many workers the region has, without erased and merged ones."""
    row = await tx.one("SELECT count(*) AS n FROM worker WHERE region = :region AND gone = ''", region=region)
    return 0 if row is None else int(row["n"])


async def add_roll(tx: Tx, *, seal_id: UUID, roll_id: UUID, region: str, pairs: int, people: int, chunks: int) -> None:
    """A seal was made."""
    await tx.run(
        "INSERT INTO roll (seal_id, roll_id, region, pairs, people, chunks, sealed_by, as_of)"
        " VALUES (:seal, :roll, :region, :pairs, :people, :chunks, :actor, :at)",
        seal=seal_id,
        roll=roll_id,
        region=region,
        pairs=pairs,
        people=people,
        chunks=chunks,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )


async def rolls(tx: Tx, region: str, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[RowMapping]:
    """The region's seals, newest first."""
    return await tx.rows(
        "SELECT seal_id, roll_id, region, pairs, people, chunks, as_of FROM roll WHERE region = :region"
        + (" AND (as_of, seal_id) < (:at, :id)" if after else "")
        + " ORDER BY as_of DESC, seal_id DESC LIMIT :limit",
        region=region,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )


# Rule packs -----------------------------------------------------------------------------------------------------------------------

PACK = "id, region, sha256, effective_on, state, drafted_by, drafted_at, activated_by, activated_at"


async def add_pack(tx: Tx, *, id: UUID, region: str, sha256: str, effective_on: date) -> None:
    """A draft."""
    await tx.run(
        "INSERT INTO rulepack (id, region, sha256, effective_on, state, drafted_by, drafted_at, activated_by)"
        " VALUES (:id, :region, :sha256, :on, 'draft', :actor, :at, '')",
        id=id,
        region=region,
        sha256=sha256,
        on=effective_on,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )


async def pack(tx: Tx, pack_id: UUID) -> RowMapping | None:
    """One pack, locked."""
    return await tx.one(f"SELECT {PACK} FROM rulepack WHERE id = :id FOR UPDATE", id=pack_id)


async def packs(tx: Tx, region: str, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[RowMapping]:
    """The region's packs, newest first."""
    return await tx.rows(
        f"SELECT {PACK} FROM rulepack WHERE region = :region"
        + (" AND (drafted_at, id) < (:at, :id)" if after else "")
        + " ORDER BY drafted_at DESC, id DESC LIMIT :limit",
        region=region,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )


async def activate_pack(tx: Tx, pack_id: UUID, region: str, effective_on: date) -> str:
    """Make a draft active; the hash of the pack that counted until then, which is superseded when of the same day."""
    row = await tx.one(
        "WITH old AS (UPDATE rulepack SET state = 'superseded' WHERE region = :region AND state = 'active' AND effective_on = :on"
        " AND id <> :id), now AS (UPDATE rulepack SET state = 'active', activated_by = :actor, activated_at = :at WHERE id = :id)"
        " SELECT sha256 FROM pack_active WHERE region = :region AND from_day <= :on ORDER BY from_day DESC LIMIT 1",
        id=pack_id,
        region=region,
        on=effective_on,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )
    return "" if row is None else str(row["sha256"])


# Whom neighbours hold (projections) -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Shape:
    table: str
    key: str
    types: Mapping[str, str]
    of: type[Any]


_SEATS = _Shape(
    "placement",
    "placement_id",
    {
        "placement_id": "uuid",
        "region": "text",
        "worker_id": "uuid",
        "vendor_id": "uuid",
        "contract_id": "uuid",
        "lot_id": "uuid",
        "agency": "text",
        "job": "text",
        "state": "text",
        "starts_on": "date",
        "ended_on": "date",
        "reason": "text",
    },
    Seat,
)
_ENGAGEMENTS = _Shape(
    "engagement",
    "offer_id",
    {"offer_id": "uuid", "region": "text", "worker_id": "uuid", "vendor_id": "uuid", "state": "text"},
    Engagement,
)


async def seats(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Seat]:
    """Placements as last heard."""
    return await _held(tx, _SEATS, ids)


async def save_seats(tx: Tx, held: Iterable[Seat]) -> None:
    """Placements as heard now."""
    await _save(tx, _SEATS, held)


async def engagements(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Engagement]:
    """Answered offers as last heard."""
    return await _held(tx, _ENGAGEMENTS, ids)


async def save_engagements(tx: Tx, held: Iterable[Engagement]) -> None:
    """Answered offers as heard now."""
    await _save(tx, _ENGAGEMENTS, held)


async def _held(tx: Tx, shape: _Shape, ids: Iterable[UUID]) -> dict[UUID, Any]:
    rows = await tx.rows(f"SELECT {', '.join(shape.types)} FROM {shape.table} WHERE {shape.key} IN {IDS}", ids=ids_doc(ids))
    return {row[shape.key]: shape.of(**row) for row in rows}


async def _save(tx: Tx, shape: _Shape, held: Iterable[Any]) -> None:
    rows = [{field.name: getattr(one, field.name) for field in fields(one)} for one in held]
    if rows:
        typed = ", ".join(f"{name} {sort}" for name, sort in shape.types.items())
        sets = ", ".join(f"{name} = excluded.{name}" for name in shape.types if name != shape.key)
        await tx.run(
            f"INSERT INTO {shape.table} ({', '.join(shape.types)}) SELECT {', '.join(shape.types)}"
            f" FROM json_to_recordset(CAST(:d AS json)) AS t({typed}) ORDER BY {shape.key}"
            f" ON CONFLICT ({shape.key}) DO UPDATE SET {sets}",
            d=doc(rows),
        )
