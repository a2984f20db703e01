"""The declared tables are the migrated ones."""

from services.registry.store.tables import Table
from tests.support.running import Running


async def test_the_models_are_the_migrated_tables(registry: Running) -> None:
    rows = await registry.rows(
        "SELECT table_name, column_name, is_nullable, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    )
    found: dict[str, dict[str, bool]] = {}
    for row in rows:
        found.setdefault(row["table_name"], {})[row["column_name"]] = row["is_nullable"] == "YES"
    for name, table in Table.metadata.tables.items():
        assert found[name] == {column.name: bool(column.nullable) for column in table.columns}, name


async def test_every_table_of_the_registry_is_declared(registry: Running) -> None:
    from shared.migrations import TABLES

    rows = await registry.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    own = {row["table_name"] for row in rows} - set(TABLES) - {"alembic_version"}
    assert own == set(Table.metadata.tables)
