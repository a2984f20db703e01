"""The tables as they are declared and as they are migrated; the conditional statement without the help of row locks."""

import asyncio
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import create_async_engine

from services.vendor.domain import budget as rules
from services.vendor.domain.budget import Share
from services.vendor.store import budget as store
from services.vendor.store import tables
from shared.db import Database, LostRace, Tx, address
from shared.errors import Refused
from shared.identity import Scope
from shared.ids import new_id
from shared.migrating import downgrade, folder, upgrade
from tests.component.vendor.office import Office
from tests.support.running import Running
from tests.support.servers import Servers, fresh_database


async def test_the_migrated_tables_are_the_declared_ones(running: Running) -> None:
    engine = create_async_engine(address(running.dsns.owner))

    def compare(connection: Any) -> list[Any]:
        ours = set(tables.TABLES)

        def mine(thing: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
            return kind != "table" or name in ours

        context = MigrationContext.configure(connection, opts={"include_object": mine, "compare_type": True})
        return list(compare_metadata(context, tables.Base.metadata))

    try:
        async with engine.connect() as connection:
            assert await connection.run_sync(compare) == []
    finally:
        await engine.dispose()


async def test_the_migration_can_be_undone_and_done_again(servers: Servers) -> None:
    dsns = await fresh_database(servers, "vendor")
    await upgrade(folder("vendor"), dsns.owner)
    await downgrade(folder("vendor"), dsns.owner)
    assert (await upgrade(folder("vendor"), dsns.owner))[1] == "0001"


async def test_racing_commitments_without_a_row_lock_still_never_exceed(office: Office, running: Running) -> None:
    """The second wall: 80 transactions on 40 connections decide on what they read before, and only the statement guards."""
    price, room = 1_000, 10
    line = await office.line(room * price + 1)
    settings = running.service.settings
    urls: dict[str, Any] = {"api_url": settings.api_url.get_secret_value(), "worker_url": settings.worker_url.get_secret_value()}
    db = Database("vendor", **urls, clock=running.clock, pool=40)
    scope, free = Scope.system("vendor"), asyncio.Semaphore(40)

    async def commit() -> str:
        async def work(tx: Tx) -> str:
            lines = await store.load_lines(tx, [line])
            try:
                after, moved = rules.reserve(lines[line], Share(2026, ((1, price),)), new_id())
            except Refused as no:
                return no.slug
            await store.save_lines(tx, lines, [after])
            await store.write_movements(tx, lines, [moved], tx.stamp.day)
            return "held"

        # A lost race is repeated; who loses too often gives up without having committed anything.
        try:
            async with free:
                return await db.attempt("worker", scope, "race", work)
        except LostRace:
            return "lost"

    try:
        outcomes = await asyncio.gather(*(commit() for _ in range(80)))
    finally:
        await db.close()
    (row,) = await running.rows("SELECT ceiling, committed FROM budget_line WHERE id = $1", line)
    assert outcomes.count("held") == row["committed"] // price == room and row["committed"] <= row["ceiling"]
    (total,) = await running.rows(
        "SELECT sum(amount) AS zero, sum(amount) FILTER (WHERE account = 'committed') AS held FROM ledger WHERE budget_line_id = $1", line
    )
    assert (total["zero"], total["held"]) == (0, row["committed"])
