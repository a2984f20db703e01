"""HTTP doors for files: streamed in and stored sealed, taken in by a job; what is rejected goes back as a file."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from services.registry import schemas, store
from services.registry.schemas import ConflictOut, ImportOut
from services.registry.store.vault import Safe
from services.registry.usecases import importing
from shared.db import Tx
from shared.http import CallDep, Page, PagingDep

router = APIRouter(prefix="/v1/imports", tags=["imports"])
Region = Annotated[str, Query(pattern=schemas.REGION, description="Kode wilayah, PP.KK.")]
PIECE = 500


@router.post("", status_code=202, response_model=ImportOut)
async def receive_import(call: CallDep, region: Region, kind: Annotated[str, Query(max_length=40)]) -> Response:
    """Send a CSV file (the body is the file). It is stored, and a job takes it in."""

    async def check(tx: Tx) -> None:
        await importing.check_import(tx, region, kind)

    await call.read("imports.check", "people.import", check)
    # A stream cannot be repeated, so it is stored in a transaction of its own; what nobody then refers to is only bytes.
    async with call.service.db.begin("api", call.scope, "imports.store") as tx:
        stored = await call.service.files.put(tx, region, "import", "text/csv", call.upload(), seal=True)
    safe: Safe = call.service.extra["safe"]

    async def work(tx: Tx) -> ImportOut:
        return ImportOut.of(await importing.receive_import(tx, safe, kind, stored))

    return await call.write("imports.receive", "people.import", work, status=202, fingerprint=bytes.fromhex(stored.sha256))


@router.get("")
async def list_imports(call: CallDep, paging: PagingDep, region: Region) -> Page[ImportOut]:
    """The files of a region, newest first."""
    start = paging.after(datetime, UUID)

    async def work(tx: Tx) -> Page[ImportOut]:
        tx.scope.require("people.import", region)
        rows = await store.imports.listed(tx, region, (start[0], start[1]) if start else None, paging.limit)
        return paging.page(rows, lambda row: (row["received_at"], row["id"]), ImportOut.of)

    return await call.read("imports.list", "people.import", work)


@router.get("/conflicts")
async def list_conflicts(call: CallDep, paging: PagingDep, region: Region) -> Page[ConflictOut]:
    """People whom this region's and another region's files both name, newest first."""
    start = paging.after(datetime, UUID)

    async def work(tx: Tx) -> Page[ConflictOut]:
        tx.scope.require("people.import", region)
        rows = await store.imports.conflicts(tx, region, (start[0], start[1]) if start else None, paging.limit)
        return paging.page(rows, lambda row: (row["recorded_at"], row["id"]), ConflictOut.of)

    return await call.read("imports.conflicts", "people.import", work)


@router.get("/{import_id}")
async def show_import(import_id: UUID, call: CallDep) -> ImportOut:
    """One file with its counts."""

    async def work(tx: Tx) -> ImportOut:
        return ImportOut.of(await importing.show_import(tx, import_id))

    return await call.read("imports.show", "people.import", work)


@router.get("/{import_id}/rejects.csv", response_class=StreamingResponse)
async def rejects(import_id: UUID, call: CallDep) -> StreamingResponse:
    """What was not taken: line, column, code, advice, and the row as it came. The reading is written to the audit."""
    safe: Safe = call.service.extra["safe"]

    async def first(tx: Tx) -> object:
        row = await importing.show_import(tx, import_id)
        tx.note("import.rejects_read", import_id, row["region"], purpose="correction")
        return row

    row = await call.read("imports.rejects", "people.import", first)

    async def lines() -> AsyncIterator[bytes]:
        yield _line(["line", "column", "code", "advice", *importing.header_of(safe, row).columns])
        after = 0
        while True:

            async def piece(tx: Tx, after: int = after) -> list[importing.Given]:
                return await importing.give_back(tx, safe, row, after, PIECE)

            found = await call.read("imports.rejects", "people.import", piece)
            if not found:
                return
            yield b"".join(_line([one.line, one.column, one.code, one.advice, *one.cells]) for one in found)
            after = found[-1].line

    return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers={"Cache-Control": "no-store"})


RISKY = ("=", "+", "-", "@", "\t", "\r")


def _line(cells: list[object]) -> bytes:
    out = io.StringIO()
    # A spreadsheet must not take what somebody typed for a formula.
    csv.writer(out, lineterminator="\n").writerow(
        [f"'{cell}" if isinstance(cell, str) and cell.startswith(RISKY) and len(cell) > 1 else cell for cell in cells]
    )
    return out.getvalue().encode()
