"""The log: versions, order, audit, and what the roles may not do."""

import asyncio
import contextlib
import hashlib
import json
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError

from shared.audit import commitment, leaf
from shared.db import Tx, sqlstate
from shared.events import Cause
from shared.identity.scope import Scope
from shared.ids import new_id
from tests.component.machine.harness import REGION, Toy, laid_off, migrate_down, migrate_up, migrated, registered, story, workers

ELSEWHERE = "12.71"


async def test_racing_writers_of_one_aggregate_take_versions_without_holes(still: Toy) -> None:
    people = workers(3)

    async def write(n: int) -> None:
        # Each in another order, so that they meet, and deadlock, and are repeated.
        await still.registry.write(*[laid_off(worker, str(n)) for worker in (people if n % 2 else reversed(people))])

    await asyncio.gather(*(write(n) for n in range(24)))
    rows = await still.registry.rows("SELECT aggregate_id, version, seq FROM event ORDER BY aggregate_id, seq")
    for worker in people:
        assert [row["version"] for row in rows if row["aggregate_id"] == worker] == list(range(1, 25))


async def test_every_event_has_a_pending_row_and_an_audit_row_that_verifies(still: Toy) -> None:
    (worker,) = workers(1)
    await still.registry.write(*story(worker, 5))
    rows = await still.registry.rows("SELECT a.*, e.version AS v FROM event e JOIN audit a ON a.event_id = e.id ORDER BY e.seq")
    assert [row["v"] for row in rows] == [1, 2, 3, 4, 5]
    for row in rows:
        assert leaf(row["entry"].encode()) == bytes(row["leaf"])
        said = json.loads(row["entry"])
        assert (said["version"], said["use_case"], said["actor"]) == (row["v"], "toy.write", "system:registry")
        assert list(said) == sorted(said)
    assert await still.registry.number("SELECT count(*) FROM pending") == 5


async def test_a_note_keeps_only_commitments_of_personal_values(still: Toy) -> None:
    async with still.registry.db.begin("worker", Scope.system("registry"), "person.shown") as tx:
        tx.note("person.read", new_id(), REGION, purpose="payroll", private={"nik": "1374010101900001"})
    (row,) = await still.registry.rows("SELECT a.entry, o.field, o.salt FROM audit a JOIN audit_opening o ON o.audit_id = a.id")
    assert "1374010101900001" not in row["entry"]
    said = json.loads(row["entry"])
    assert said["commitments"] == {"nik": commitment(bytes(row["salt"]), "nik", "1374010101900001")}
    assert hashlib.sha256(b"1374010101900001").hexdigest() not in row["entry"]


@pytest.mark.parametrize("table", ["event", "audit"])
async def test_the_log_and_the_audit_rows_can_be_changed_by_nobody(still: Toy, table: str) -> None:
    await still.registry.write(registered(new_id()))
    for sql in (f"UPDATE {table} SET actor = 'x'", f"DELETE FROM {table}"):
        with pytest.raises(DBAPIError) as caught:
            await still.registry.rows(f"WITH x AS ({sql} RETURNING 1) SELECT * FROM x")
        assert sqlstate(caught.value) == "42501"
    owner = await still.registry.owner()
    try:
        for sql in (f"UPDATE {table} SET actor = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await owner.execute(sql)
    finally:
        await owner.close()


async def test_the_api_role_sees_and_writes_only_the_callers_regions(still: Toy) -> None:
    here, there = new_id(), new_id()
    await still.registry.write(registered(here), registered(there, ELSEWHERE))

    async def seen(*regions: str) -> set[UUID]:
        scope = Scope(actor="somebody", regions=frozenset(regions))
        async with still.registry.db.begin("api", scope, "toy.look") as tx:
            return {row["aggregate_id"] for row in await tx.rows("SELECT aggregate_id FROM event")}

    assert await seen(REGION) == {here}
    assert await seen(ELSEWHERE) == {there}
    assert await seen("13") == {here}, "a province sees its regions"
    assert await seen("13.74", "12") == {here, there}
    assert await seen() == set()
    assert await seen("1") == set()
    async with still.registry.db.begin("api", Scope.system("registry"), "toy.look") as tx:
        assert len(await tx.rows("SELECT 1 AS one FROM event")) == 2
    async with still.registry.db.begin("api", Scope(actor="somebody", regions=frozenset({REGION})), "toy.write") as tx:
        tx.emit(registered(new_id()))
        tx.note("person.read", here, REGION, private={"nik": "1"})
    assert len(await seen(REGION)) == 2
    assert await still.registry.number("SELECT count(*) FROM pending") == 3
    with pytest.raises(DBAPIError) as caught:
        async with still.registry.db.begin("api", Scope(actor="somebody", regions=frozenset({REGION})), "toy.write") as tx:
            tx.emit(registered(new_id(), ELSEWHERE))
    assert sqlstate(caught.value) == "42501"


async def test_a_pooled_connection_forgets_the_callers_regions(still: Toy) -> None:
    await still.registry.write(registered(new_id()))
    async with still.registry.db.begin("api", Scope(actor="a", regions=frozenset({REGION})), "toy.look") as tx:
        assert await tx.rows("SELECT 1 AS one FROM event")
    async with still.registry.db._engines["api"].connect() as raw:
        result = await raw.exec_driver_sql("SELECT count(*) FROM event")
        assert result.scalar_one() == 0


async def test_the_run_time_roles_own_nothing_and_cannot_pass_row_security(still: Toy) -> None:
    rows = await still.registry.rows(
        "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        " UNION ALL SELECT tablename, true, true FROM pg_tables WHERE tableowner = current_user"
    )
    assert [(row["rolsuper"], row["rolbypassrls"]) for row in rows] == [(False, False)]


async def test_a_reactions_event_ids_follow_from_their_cause(still: Toy) -> None:
    cause = Cause(new_id(), new_id())
    worker = new_id()

    async def emitted() -> list[UUID]:
        async with still.registry.db.begin("worker", Scope.system("registry"), "toy") as tx:
            ids = [tx.emit(laid_off(worker), cause=cause), tx.emit(laid_off(worker), cause=cause)]
            tx._queued.clear()
        return ids

    first = await emitted()
    assert first == await emitted()
    assert len(set(first)) == 2


async def test_what_a_savepoint_undoes_leaves_no_event(still: Toy) -> None:
    kept, undone = new_id(), new_id()
    async with still.registry.db.begin("worker", Scope.system("registry"), "toy") as tx:
        tx.emit(registered(kept))
        with contextlib.suppress(ZeroDivisionError):
            async with tx.savepoint():
                tx.emit(registered(undone))
                raise ZeroDivisionError
    rows = await still.registry.rows("SELECT aggregate_id FROM event")
    assert [row["aggregate_id"] for row in rows] == [kept]


async def test_an_oversized_event_is_refused_by_the_log(still: Toy) -> None:
    with pytest.raises(DBAPIError) as caught:
        await still.registry.write(registered(new_id(), agency="x" * 900_001))
    assert sqlstate(caught.value) == "23514"


async def test_writing_many_facts_takes_as_many_statements_as_writing_one(still: Toy) -> None:
    counts: list[int] = []
    for number in (1, 500):
        people = workers(number)

        async def work(tx: Tx, people: list[UUID] = people) -> None:
            for worker in people:
                tx.emit(registered(worker))
            await tx.flush()
            counts.append(tx.statements)

        await still.registry.db.attempt("worker", Scope.system("registry"), "toy", work)
    assert counts == [2, 2]


async def test_the_machine_can_be_migrated_away_and_back(still: Toy) -> None:
    await migrated(still.vendor.dsns, migrate_down)
    await migrated(still.vendor.dsns, migrate_up)
    assert await still.vendor.number("SELECT count(*) FROM event") == 0
