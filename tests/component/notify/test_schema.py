"""The declared tables are the migrated ones."""

from services.notify.store.tables import Base
from shared.migrating import downgrade, upgrade
from shared.migrations import TABLES
from tests.support.running import Running
from tests.support.servers import Servers, fresh_database


async def test_the_models_are_the_migrated_tables(notify: Running) -> None:
    rows = await notify.rows(
        "SELECT table_name, column_name, is_nullable FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    found: dict[str, dict[str, bool]] = {}
    for row in rows:
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["is_nullable"] == "YES"
    own = set(found) - set(TABLES) - {"alembic_version"}
    assert own == set(Base.metadata.tables)
    for name, table in Base.metadata.tables.items():
        assert found[name] == {column.name: bool(column.nullable) for column in table.columns}, name


async def test_the_revisions_go_down_and_up_again(servers: Servers) -> None:
    dsns = await fresh_database(servers, "notify")
    await upgrade("notify", dsns.owner)
    assert (await downgrade("notify", dsns.owner))[1] == ""
    assert (await upgrade("notify", dsns.owner))[1] == "0001"
    assert (await upgrade("notify", dsns.owner)) == ("0001", "0001")
