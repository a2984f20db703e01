"""The three roles of a service, on a real server."""

import secrets

import asyncpg
import pytest

from deploy.local.provision import drop, provision
from tests.support.servers import Dsns, Servers, fresh_database, role_names


async def _policed_table(dsns: Dsns) -> None:
    _, api, worker = role_names(dsns)
    owner = await asyncpg.connect(dsns.owner)
    await owner.execute(
        f"""
        CREATE TABLE thing (region text NOT NULL, id int PRIMARY KEY);
        INSERT INTO thing VALUES ('13.74', 1), ('13.75', 2);
        ALTER TABLE thing ENABLE ROW LEVEL SECURITY;
        CREATE POLICY api ON thing TO {api}
            USING (region = ANY((SELECT string_to_array(current_setting('app.regions', true), ','))::text[]));
        CREATE POLICY worker ON thing TO {worker} USING (true);
        GRANT SELECT, INSERT, UPDATE, DELETE ON thing TO {api}, {worker};
        """
    )
    await owner.close()


async def test_api_and_worker_cannot_pass_row_level_security_by_rank(servers: Servers) -> None:
    dsns = await fresh_database(servers, "registry")
    await _policed_table(dsns)
    names = role_names(dsns)
    api, worker = await asyncpg.connect(dsns.api), await asyncpg.connect(dsns.worker)
    assert await api.fetch("SELECT * FROM thing") == []  # no setting: no rows
    async with api.transaction():
        await api.execute("SELECT set_config('app.regions', '13.74', true)")
        assert [row["id"] for row in await api.fetch("SELECT id FROM thing")] == [1]
        assert await api.execute("UPDATE thing SET region = region WHERE id = 2") == "UPDATE 0"
    assert len(await worker.fetch("SELECT * FROM thing")) == 2
    for connection in (api, worker):
        rank = await connection.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = $1",
            await connection.fetchval("SELECT current_user"),
        )
        assert rank is not None and not any(rank)
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE tableowner = current_user") == 0
        for forbidden in (
            "SET row_security = off; SELECT * FROM thing",
            "ALTER TABLE thing DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE own (id int)",
            f"SET ROLE {names[0]}",
            "ALTER ROLE CURRENT_USER BYPASSRLS",
        ):
            if connection is worker and forbidden.startswith("SET row_security"):
                continue  # its policy is true
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(forbidden)
            await connection.execute("RESET row_security")
        # sets are loaded through temporary tables
        await connection.execute("CREATE TEMPORARY TABLE batch (id int)")
        await connection.close()


async def test_a_service_cannot_enter_the_database_of_another(servers: Servers) -> None:
    mine, other = await fresh_database(servers, "vendor"), await fresh_database(servers, "notify")
    for dsn in (mine.owner, mine.api, mine.worker):
        trespass = dsn.replace(f"/{mine.database}", f"/{other.database}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(trespass)


async def test_provisioning_again_keeps_the_data_and_with_the_same_secret_the_passwords(servers: Servers) -> None:
    secret, suffix = b"s" * 32, f"_{secrets.token_hex(5)}"
    try:
        first = await provision(servers.admin_dsn, "placement", suffix=suffix, secret=secret)
        owner = await asyncpg.connect(first.owner)
        await owner.execute("CREATE TABLE kept (id int)")
        await owner.close()
        second = await provision(servers.admin_dsn, "placement", suffix=suffix, secret=secret)
        assert second == first
        third = await provision(servers.admin_dsn, "placement", suffix=suffix)
        assert third != first
        owner = await asyncpg.connect(third.owner)
        assert await owner.fetchval("SELECT to_regclass('kept') IS NOT NULL")
        await owner.close()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(first.owner)
    finally:
        await drop(servers.admin_dsn, "placement", suffix=suffix)


def test_passwords_are_not_shown() -> None:
    assert "word" not in repr(Dsns("postgresql://a:word@h/d", "postgresql://b:word@h/d", "postgresql://c:word@h/d"))
