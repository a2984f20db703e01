"""A file from its arrival to its end; `taking` has the rows."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from services.registry import store
from services.registry.domain import text
from services.registry.domain.rows import ADVICE, KINDS, Defect
from services.registry.store.imports import Reject
from services.registry.store.vault import Safe
from services.registry.usecases.taking import Batch
from shared.db import Tx
from shared.errors import Invalid, NotFound
from shared.files import StoredFile
from shared.jobs import enqueue

JOB = "import"


async def check_import(tx: Tx, region: str, kind: str) -> None:
    """Before a byte is read: may this caller send this kind of file for this region, and are there rules to hold it against?"""
    tx.scope.require("people.import", region)
    if kind not in KINDS:
        raise Invalid([("kind", "unknown-kind", "is not a kind of file")], slug="unknown-kind")
    await tx.pack(region)


async def receive_import(tx: Tx, safe: Safe, kind: str, stored: StoredFile) -> Any:
    """A stored file becomes an import with a job."""
    job = await enqueue(tx, JOB, stored.region, {"import_id": str(stored.id)})
    await store.imports.add(
        tx,
        id=stored.id,
        region=stored.region,
        kind=kind,
        file_id=stored.id,
        job_id=job,
        sha256=stored.sha256,
        size=stored.size,
        wrapped=safe.new_file_key(stored.id),
    )
    tx.note("import.received", stored.id, stored.region)
    return await store.imports.find(tx, stored.id)


async def show_import(tx: Tx, import_id: UUID) -> Any:
    """One import with its counts."""
    row = await store.imports.find(tx, import_id)
    if row is None:
        raise NotFound
    tx.scope.require("people.import", row["region"])
    return row


@dataclass(frozen=True, slots=True)
class Given:
    """A reject as the office gets it back."""

    line: int
    column: str
    code: str
    advice: str
    cells: tuple[str, ...]


async def give_back(tx: Tx, safe: Safe, row: Any, after: int, limit: int) -> list[Given]:
    """Rejects behind a line, opened; all of a line together."""
    found = await store.imports.rejects(tx, row["id"], after, limit)
    opened = safe.open_rows(row["id"], row["wrapped"], [(one["line"], one["sealed"]) for one in found])
    head = header_of(safe, row)
    return [
        Given(one["line"], one["column_name"], one["code"], ADVICE[one["code"]], _cells(head, raw))
        for one, raw in zip(found, opened, strict=True)
    ]


HEADER = 0
"""The line under which a file's header is sealed: a file that came without one has a person there."""


def header_of(safe: Safe, row: Any) -> text.Header:
    """The header of a file, as it came."""
    if row["header"] is None:
        return text.Header()
    (raw,) = safe.open_rows(row["id"], row["wrapped"], [(HEADER, bytes(row["header"]))])
    return text.header(raw)


def _cells(head: text.Header, raw: bytes) -> tuple[str, ...]:
    (line,) = text.read([(1, raw)], head)
    return line.cells if line.cells is not None else (raw.decode(errors="replace"),)


async def begin_import(tx: Tx, safe: Safe, row: Any, raw: bytes) -> Batch | None:
    """Read the header line. None when the file cannot be read at all: it has failed then, with one reject that says why."""
    kind, head = KINDS[row["kind"]], text.header(raw)
    defect = Defect("", head.code) if head.code else None
    if defect is None and (missing := kind.missing(head.columns)):
        defect = Defect(missing, "missing_column")
    (kept,) = safe.seal_rows(row["id"], row["wrapped"], [(HEADER, raw)])
    await store.imports.set_header(tx, row["id"], kept)
    if defect is None:
        return Batch(row["id"], row["region"], kind, row["wrapped"], head)
    (sealed,) = safe.seal_rows(row["id"], row["wrapped"], [(1, raw)])
    await store.imports.add_rejects(tx, row["id"], row["region"], [Reject(1, defect.column, defect.code, "", sealed)])
    await store.imports.end(tx, row["id"], "failed", defect.code)
    return None


async def end_import(tx: Tx, import_id: UUID) -> None:
    """All rows are in."""
    await store.imports.end(tx, import_id, "done")


async def sweep_files(tx: Tx) -> None:
    """Destroy stored bytes that nobody will read any more."""
    await store.imports.sweep(tx)
