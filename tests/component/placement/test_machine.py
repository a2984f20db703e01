"""Around the domain: schema, row-level security, the matching process."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from services.placement.store.tables import SCOPED, Base
from services.placement.usecases import compute
from services.placement.usecases.pool import Matching
from shared.db import address
from shared.identity import Scope
from tests.component.placement.world import World


async def test_the_tables_are_as_declared(world: World) -> None:
    own = set(SCOPED)

    def differences(connection: Connection) -> list[object]:
        def ours(_object: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
            return kind != "table" or name in own

        context = MigrationContext.configure(connection, opts={"include_object": ours, "compare_server_default": False})
        return list(compare_metadata(context, Base.metadata))

    engine = create_async_engine(address(world.app.dsns.owner))
    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(differences) == []
    finally:
        await engine.dispose()


async def test_a_caller_sees_only_the_own_region(world: World) -> None:
    await world.contract("k1", [("lot", "rsud", "cleaning", 1)])
    await world.app.settle()
    for region, seen in (("13.74", True), ("15.05", False), ("13", True)):
        scope = Scope(actor="x", regions=frozenset({region}))
        async with world.app.db.begin("api", scope, "look") as tx:
            assert bool(await tx.rows("SELECT 1 FROM lot WHERE id = :id", id=world.lots["lot"].lot_id)) is seen
    await world.get("/v1/lots", "placement_signer", region="15.05", status=403)
    await world.get("/v1/offers", "auditor", region="13.74", status=403)
    await world.get(f"/v1/rounds/{world.id('none')}", status=404)
    await world.get(f"/v1/rounds/{world.id('none')}/files", status=404)


def test_the_service_itself_never_loads_the_solver() -> None:
    code = "import services.placement.main, sys; sys.exit('ortools' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[3], env=dict(os.environ), timeout=120)
    assert done.returncode == 0


async def test_a_matching_process_that_dies_is_replaced_and_none_is_left_behind() -> None:
    pool = Matching()
    try:
        assert await pool.run(compute.warm) == 2
        (process,) = (pool._pool._processes or {}).values()  # type: ignore[union-attr]
        process.kill()
        await _ended(process.pid)
        assert await pool.run(compute.warm) == 2
        (process,) = (pool._pool._processes or {}).values()  # type: ignore[union-attr]
    finally:
        pool.close()
    await _ended(process.pid)


async def test_the_matching_process_goes_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.component.placement.parent", stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), 120))
    parent.kill()
    await parent.wait()
    await _ended(child)


async def _ended(pid: int | None) -> None:
    async with asyncio.timeout(60):
        while pid is not None and _lives(pid):
            await asyncio.sleep(0.05)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
