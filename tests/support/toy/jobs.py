"""Job doors."""

import asyncio
from typing import Any
from uuid import UUID

from shared.errors import Refused
from shared.ids import new_id
from shared.jobs import JobRun

GATE = asyncio.Event()


async def count(run: JobRun) -> dict[str, Any]:
    """One mark per step, and how big the file was."""
    done = run.cursor.get("done", 0)
    while done < run.payload["steps"]:
        async with run.step() as tx:
            await tx.run("INSERT INTO mark (id, what) VALUES (:id, :what)", id=new_id(), what=f"step {done}")
            done += 1
            await run.save(tx, cursor={"done": done}, progress={"done": done, "of": run.payload["steps"]})
    size = 0
    if "file" in run.payload:
        async with run.step() as tx:
            async for piece in run.files.stream(tx, UUID(run.payload["file"])):
                size += len(piece)
    return {"size": size, "done": done}


async def wait(run: JobRun) -> dict[str, Any]:
    """A step, then a wait that only a stop or the gate ends, then a step."""
    if not run.cursor:
        async with run.step() as tx:
            await tx.run("INSERT INTO mark (id, what) VALUES (:id, 'before')", id=new_id())
            await run.save(tx, cursor={"waited": True})
        await GATE.wait()
    async with run.step() as tx:
        await tx.run("INSERT INTO mark (id, what) VALUES (:id, 'after')", id=new_id())
    return {}


async def refuse(run: JobRun) -> dict[str, Any]:
    """Never works."""
    raise Refused("no-way")


JOBS = {"count": count, "wait": wait, "refuse": refuse}
