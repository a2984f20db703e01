"""Files that came in, what was rejected of them, and the dated records they bring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.engine import RowMapping

from shared.db import Tx, doc
from shared.ids import derived_id

_SHOWN = (
    "i.id, i.region, i.kind, i.file_id, i.job_id, i.sha256, i.size, i.header, i.read, i.new, i.changed, i.unchanged, i.wrapped,"
    " i.received_at, i.done_at, CASE WHEN j.state = 'failed' THEN 'failed' ELSE i.state END AS state,"
    " CASE WHEN j.state = 'failed' AND i.failure = '' THEN j.error ELSE i.failure END AS failure,"
    " (SELECT coalesce(json_object_agg(r.code, r.n), '{}')::text FROM (SELECT code, count(*) AS n FROM reject WHERE import_id = i.id"
    " GROUP BY code) r) AS rejected"
)


async def add(tx: Tx, *, id: UUID, region: str, kind: str, file_id: UUID, job_id: UUID, sha256: str, size: int, wrapped: bytes) -> None:
    """A file that has just come in."""
    await tx.run(
        "INSERT INTO import_file (id, region, kind, file_id, job_id, state, sha256, size, read, new, changed, unchanged, failure, wrapped,"
        " actor, received_at) VALUES (:id, :region, :kind, :file_id, :job_id, 'waiting', :sha256, :size, 0, 0, 0, 0, '', :wrapped,"
        " :actor, :at)",
        id=id,
        region=region,
        kind=kind,
        file_id=file_id,
        job_id=job_id,
        sha256=sha256,
        size=size,
        wrapped=wrapped,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )


async def find(tx: Tx, import_id: UUID) -> RowMapping | None:
    """One file with its counts, within the caller's regions."""
    return await tx.one(f"SELECT {_SHOWN} FROM import_file i LEFT JOIN job j ON j.id = i.job_id WHERE i.id = :id", id=import_id)


async def listed(tx: Tx, region: str, after: tuple[Any, UUID] | None, limit: int) -> Sequence[RowMapping]:
    """The region's files, newest first."""
    return await tx.rows(
        f"SELECT {_SHOWN} FROM import_file i LEFT JOIN job j ON j.id = i.job_id WHERE i.region = :region"
        + (" AND (i.received_at, i.id) < (:at, :id)" if after else "")
        + " ORDER BY i.received_at DESC, i.id DESC LIMIT :limit",
        region=region,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )


async def set_header(tx: Tx, import_id: UUID, header: bytes) -> None:
    """The work began: the sealed header line, for the list of rejects."""
    await tx.run("UPDATE import_file SET state = 'running', header = :header WHERE id = :id", id=import_id, header=header)


async def count(tx: Tx, import_id: UUID, *, read: int, new: int, changed: int, unchanged: int) -> None:
    """Add a chunk's counts."""
    await tx.run(
        "UPDATE import_file SET read = read + :read, new = new + :new, changed = changed + :changed,"
        " unchanged = unchanged + :unchanged WHERE id = :id",
        id=import_id,
        read=read,
        new=new,
        changed=changed,
        unchanged=unchanged,
    )


async def end(tx: Tx, import_id: UUID, state: str, failure: str = "") -> None:
    """The file is done, or cannot be read at all."""
    await tx.run(
        "WITH s AS (DELETE FROM import_seen WHERE import_id = :id)"
        " UPDATE import_file SET state = :state, failure = :failure, done_at = :at WHERE id = :id",
        id=import_id,
        state=state,
        failure=failure,
        at=tx.stamp.business,
    )


@dataclass(frozen=True, slots=True)
class Reject:
    """One thing not taken, with the sealed line it stood in."""

    line: int
    column: str
    code: str
    nik_entry: str
    sealed: bytes


async def add_rejects(tx: Tx, import_id: UUID, region: str, rejects: Sequence[Reject]) -> None:
    """What is given back to the office."""
    if rejects:
        await tx.run(
            "INSERT INTO reject (import_id, line, code, region, column_name, nik_entry, sealed) SELECT :id, line, code, :region,"
            " column_name, nik_entry, decode(sealed, 'base64') FROM json_to_recordset(CAST(:d AS json))"
            " AS t(line int, code text, column_name text, nik_entry text, sealed text) ON CONFLICT DO NOTHING",
            id=import_id,
            region=region,
            d=doc(
                [{"line": r.line, "code": r.code, "column_name": r.column, "nik_entry": r.nik_entry, "sealed": r.sealed} for r in rejects]
            ),
        )


async def rejects(tx: Tx, import_id: UUID, after: int, limit: int) -> Sequence[RowMapping]:
    """Rejects by line, all of a line together."""
    return await tx.rows(
        "SELECT line, column_name, code, sealed FROM reject WHERE import_id = :id AND line > :after AND line <="
        " coalesce((SELECT line FROM reject WHERE import_id = :id AND line > :after ORDER BY line OFFSET :limit LIMIT 1), 2147483647)"
        " ORDER BY line, code",
        id=import_id,
        after=after,
        limit=limit,
    )


async def seen(tx: Tx, import_id: UUID, entries: Sequence[str]) -> set[str]:
    """Which of these people the file named in an earlier chunk."""
    rows = await tx.rows(
        "SELECT nik_entry FROM import_seen WHERE import_id = :id AND nik_entry IN"
        " (SELECT value FROM json_array_elements_text(CAST(:d AS json)))",
        id=import_id,
        d=doc(entries),
    )
    return {row["nik_entry"] for row in rows}


async def see(tx: Tx, import_id: UUID, region: str, entries: Sequence[str]) -> None:
    """Remember whom the file named."""
    if entries:
        await tx.run(
            "INSERT INTO import_seen (import_id, nik_entry, region) SELECT :id, value, :region"
            " FROM json_array_elements_text(CAST(:d AS json)) ON CONFLICT DO NOTHING",
            id=import_id,
            region=region,
            d=doc(entries),
        )


async def add_conflicts(tx: Tx, import_id: UUID, region: str, found: Sequence[tuple[int, str]]) -> None:
    """A case for each of the two offices, per line (line, other region)."""
    if found:
        pairs = [(line, *sides) for line, other in found for sides in ((region, other), (other, region))]
        await tx.run(
            "INSERT INTO conflict (id, region, other_region, import_id, line, recorded_at)"
            " SELECT id, region, other_region, :import_id, line, :at FROM json_to_recordset(CAST(:d AS json))"
            " AS t(id uuid, region text, other_region text, line int) ON CONFLICT DO NOTHING",
            import_id=import_id,
            at=tx.stamp.business,
            d=doc(
                [
                    {"id": derived_id("conflict", import_id, line, here), "region": here, "other_region": there, "line": line}
                    for line, here, there in pairs
                ]
            ),
        )


async def conflicts(tx: Tx, region: str, after: tuple[Any, UUID] | None, limit: int) -> Sequence[RowMapping]:
    """The region's cases with other regions, newest first."""
    return await tx.rows(
        "SELECT id, region, other_region, import_id, line, recorded_at FROM conflict WHERE region = :region"
        + (" AND (recorded_at, id) < (:at, :id)" if after else "")
        + " ORDER BY recorded_at DESC, id DESC LIMIT :limit",
        region=region,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )


async def sweep(tx: Tx) -> int:
    """Delete stored files that no open job needs and that are older than a day: uploads repeated under one key, failed imports."""
    return await tx.run(
        "WITH f AS (DELETE FROM file WHERE kind = 'import' AND created_at < :before AND NOT EXISTS (SELECT 1 FROM import_file i"
        " JOIN job j ON j.id = i.job_id WHERE i.file_id = file.id AND j.state IN ('queued', 'running')) RETURNING id)"
        " DELETE FROM file_chunk WHERE file_id IN (SELECT id FROM f)",
        before=tx.stamp.wall - timedelta(days=1),
    )


@dataclass(frozen=True, slots=True)
class Record:
    """How a kind of dated record is kept: its table, columns with SQL types, and the column whose older values never replace newer."""

    table: str
    columns: Mapping[str, str]
    newest: str = ""


RECORDS: Mapping[str, Record] = {
    "credentials": Record(
        "credential", {"credential": "text", "class_": "text", "valid_from": "date", "valid_until": "date"}, "valid_from"
    ),
    "selections": Record("selection", {"year": "int", "phase": "text", "code": "text", "listed": "boolean"}),
    "insurance": Record("insurance", {"programme": "text", "active": "boolean", "month": "date"}, "month"),
    "honoraria": Record("honorarium", {"paid_from": "date", "paid_until": "date"}),
}


async def save_records(tx: Tx, kind: str, region: str, rows: Sequence[Mapping[str, Any]]) -> dict[UUID, bool]:
    """Write records (id, worker_id and the kind's columns, each id once); ids of what changed, True when it was new."""
    if not rows:
        return {}
    record = RECORDS[kind]
    names = ", ".join(record.columns)
    typed = ", ".join(f"{name} {sort}" for name, sort in record.columns.items())
    sets = ", ".join(f"{name} = excluded.{name}" for name in record.columns)
    extra, value, reset = (", expired", ", false", ", expired = false") if record.table == "credential" else ("", "", "")
    newer = f" AND excluded.{record.newest} >= {record.table}.{record.newest}" if record.newest else ""
    old, new = (", ".join(f"{side}.{name}" for name in record.columns) for side in (record.table, "excluded"))
    found = await tx.rows(
        f"INSERT INTO {record.table} (id, region, worker_id, {names}, recorded_at{extra})"
        f" SELECT id, :region, worker_id, {names}, :at{value} FROM json_to_recordset(CAST(:d AS json))"
        f" AS t(id uuid, worker_id uuid, {typed}) ORDER BY id"
        f" ON CONFLICT (id) DO UPDATE SET {sets}{reset}, recorded_at = excluded.recorded_at"
        f" WHERE ({old}) IS DISTINCT FROM ({new}){newer} RETURNING id, recorded_at = :at AND xmax = 0 AS new",
        d=doc(rows),
        region=region,
        at=tx.stamp.business,
    )
    return {row["id"]: bool(row["new"]) for row in found}
