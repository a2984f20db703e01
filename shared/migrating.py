"""Bringing a service's database to the newest revision, as its owner; one process at a time."""

import asyncio
from pathlib import Path
from typing import Any

SERVICES = ("registry", "vendor", "placement", "notify")
_LOCK = 0x4A454D42  # "JEMB"
_ROOT = Path(__file__).resolve().parent.parent


def folder(service: str) -> Path:
    """Where a service's revisions are."""
    return _ROOT / "services" / service / "migrations"


async def upgrade(service: str | Path, owner_url: str, revision: str = "head") -> tuple[str, str]:
    """Run the revisions up to `revision` in one transaction; (revision before, revision after). A no-op when there already."""
    return await _migrate(service, owner_url, revision, up=True)


async def downgrade(service: str | Path, owner_url: str, revision: str = "base") -> tuple[str, str]:
    """Undo revisions down to `revision`, in one transaction."""
    return await _migrate(service, owner_url, revision, up=False)


async def _migrate(service: str | Path, owner_url: str, revision: str, *, up: bool) -> tuple[str, str]:
    from sqlalchemy.ext.asyncio import create_async_engine
    from sqlalchemy.pool import NullPool

    from shared.db import address

    place = service if isinstance(service, Path) else folder(service)
    engine = create_async_engine(address(owner_url), poolclass=NullPool, hide_parameters=True, connect_args={"timeout": 10})
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(_run, place, revision, up)
    finally:
        await engine.dispose()


def _run(connection: Any, place: Path, revision: str, up: bool) -> tuple[str, str]:
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import text

    # Two migration jobs at once: the second waits, and then finds nothing to do.
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(place).replace("%", "%%"))
    script = ScriptDirectory.from_config(config)

    def steps(at: Any, _context: Any) -> Any:
        return script._upgrade_revs(revision, at) if up else script._downgrade_revs(revision, at)

    before = MigrationContext.configure(connection).get_current_revision() or ""
    with EnvironmentContext(config, script, fn=steps, destination_rev=revision) as environment:
        environment.configure(connection=connection)
        environment.run_migrations()
    after = MigrationContext.configure(connection).get_current_revision() or ""
    return before, after


def environment() -> None:
    """The whole of a service's `migrations/env.py`, for those who run `alembic` by hand: upgrade with JEMBATAN_OWNER_URL."""
    import os

    from alembic import context
    from sqlalchemy.ext.asyncio import create_async_engine

    from shared.db import address

    def run(connection: Any) -> None:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()

    async def main() -> None:
        engine = create_async_engine(address(os.environ["JEMBATAN_OWNER_URL"]), hide_parameters=True)
        async with engine.begin() as connection:
            await connection.run_sync(run)
        await engine.dispose()

    asyncio.run(main())
