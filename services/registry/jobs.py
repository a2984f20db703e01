"""Door: durable long work. A file is read by the stream and taken in by chunks, each committed with the place it ends at."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from services.registry import metrics, store
from services.registry.domain import text
from services.registry.domain.text import Lines
from services.registry.store.vault import Safe
from services.registry.usecases import importing
from services.registry.usecases.taking import Batch, Counts, take_rows
from shared.db import ATTEMPTS, lost_race
from shared.jobs import Handler, JobRun
from shared.service import Service

CHUNK = 5_000


def jobs(service: Service) -> Mapping[str, Handler]:
    """The kinds of jobs, bound to the service's keys."""
    return {importing.JOB: partial(run_import, service, service.extra["safe"])}


async def run_import(service: Service, safe: Safe, run: JobRun) -> Mapping[str, Any]:
    """Take in one file. A second start goes on behind the last committed line."""
    import_id = UUID(run.payload["import_id"])
    # Whoever sent the file decided; the machine only carries it out.
    run.scope = replace(run.scope, actor=run.actor or run.scope.actor)
    async with run.db.begin("worker", run.scope, "imports.read") as reader:
        row = await store.imports.find(reader, import_id)
        if row is None or row["state"] in ("done", "failed"):
            return {}
        numbered = _lines(service.files.stream(reader, row["file_id"]))
        batch = await _begin(run, safe, row, await _first(numbered))
        if batch is not None:
            async for chunk in _chunks(numbered, behind=int(run.cursor.get("line", 0))):
                counts = await _take(run, safe, batch, chunk)
                metrics.counted(batch.kind.name, counts.new, counts.changed, counts.unchanged, counts.rejected)
    async with run.step() as tx:
        if batch is not None:
            await importing.end_import(tx, import_id)
        # What was taken is in the vault, what was not is in the rejects: the file itself is personal data without a use.
        await service.files.delete(tx, row["file_id"])
    return {"import_id": str(import_id), "state": "failed" if batch is None else "done"}


async def _begin(run: JobRun, safe: Safe, row: Any, header: bytes) -> Batch | None:
    async with run.step() as tx:
        batch = await importing.begin_import(tx, safe, row, header)
        if not run.cursor:
            # Saving counts as getting on; a start over that gets nowhere must not.
            await run.save(tx, cursor={"line": 0})
    return batch


async def _take(run: JobRun, safe: Safe, batch: Batch, chunk: list[tuple[int, bytes]]) -> Counts:
    lines = text.read(chunk, batch.header)
    for turn in range(1, ATTEMPTS + 1):
        try:
            async with run.step() as tx:
                counts = await take_rows(tx, safe, batch, lines)
                await run.save(tx, cursor={"line": chunk[-1][0]}, progress={"line": chunk[-1][0]})
                return counts
        except Exception as error:
            if turn == ATTEMPTS or not lost_race(error):
                raise
    raise AssertionError("not reached")


async def _first(numbered: AsyncIterator[tuple[int, bytes]]) -> bytes:
    # Not anext() with a default: on CPython 3.11 that ends an exhausted generator in SystemError.
    async for _, raw in numbered:
        return raw
    return b""


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    lines = Lines()
    async for piece in pieces:
        for one in lines.feed(piece):
            yield one
    for one in lines.rest():
        yield one


async def _chunks(numbered: AsyncIterator[tuple[int, bytes]], *, behind: int) -> AsyncIterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    async for one in numbered:
        if one[0] > behind:
            chunk.append(one)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
