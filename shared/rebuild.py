"""Rebuilding a projection: a new group generation reads its topic from the start into emptied tables.

Meanwhile the consumer is marked "rebuilding", and what depends on it is refused (`rebuilding(tx, names)`). The mark goes
when the new group has read what the topic held when the rebuild began.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final

from shared.db import Database, Tx, doc
from shared.errors import Refused
from shared.identity.scope import Scope
from shared.kafka import Kafka, ends
from shared.subscriptions import Subscription

_NAME: Final = re.compile(r"^[a-z_][a-z0-9_]*$")


async def register(tx: Tx, subscriptions: Iterable[Subscription]) -> dict[str, int]:
    """Make each consumer known; the present generation of each."""
    wanted = list(subscriptions)
    await tx.run(
        "INSERT INTO consumer (name, kind, since) SELECT name, kind, :now"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(name text, kind text) ORDER BY name ON CONFLICT DO NOTHING",
        d=doc([{"name": s.name, "kind": s.sort} for s in wanted]),
        now=tx.stamp.wall,
    )
    rows = await tx.rows("SELECT name, generation FROM consumer")
    known = {row["name"]: int(row["generation"]) for row in rows}
    return {s.name: known[s.name] for s in wanted}


async def rebuilding(tx: Tx, names: Sequence[str] = ()) -> list[str]:
    """Which of these consumers (none named: of all) are being rebuilt now."""
    rows = await tx.rows(
        "SELECT name FROM consumer WHERE state = 'rebuilding'"
        " AND (cardinality(CAST(:names AS text[])) = 0 OR name = ANY(CAST(:names AS text[]))) ORDER BY name",
        names=list(names),
    )
    return [row["name"] for row in rows]


async def begin(db: Database, kafka: Kafka, subscription: Subscription, scope: Scope) -> int:
    """Empty a projection's tables and positions and start its next generation. Raises Refused for a reaction."""
    if subscription.sort != "projection":
        raise Refused("reactions-are-resumed", "Only projections can be rebuilt; a reaction would act twice.")
    for table in subscription.tables:
        if not _NAME.match(table):
            raise ValueError(f"not a table's name: {table}")
    topic = kafka.topic(subscription.stream)
    consumer = kafka.consumer()
    await consumer.start()
    try:
        target = {str(tp.partition): end for tp, (first, end) in (await ends(consumer, [topic])).items() if end > first}
    finally:
        await consumer.stop()

    async def work(tx: Tx) -> int:
        row = await tx.one(
            "UPDATE consumer SET generation = generation + 1, state = 'rebuilding', since = :now, target = :target"
            " WHERE name = :name RETURNING generation",
            now=tx.stamp.wall,
            target=json.dumps(target),
            name=subscription.name,
        )
        if row is None:
            raise Refused("unknown-consumer", "This consumer has never run; there is nothing to rebuild.")
        for table in ("position", "parked", "inbox_outcome"):
            await tx.run(f"DELETE FROM {table} WHERE consumer = :name", name=subscription.name)
        for table in subscription.tables:
            await tx.run(f"DELETE FROM {table}")
        tx.note("projection.rebuilt", None, "", purpose=subscription.name)
        return int(row["generation"])

    return await db.attempt("worker", scope, "projection.rebuild", work)


async def finish(tx: Tx, name: str, generation: int, committed: dict[int, int]) -> bool:
    """Take the mark away when the group has read up to the target; whether it is gone."""
    row = await tx.one(
        "SELECT target FROM consumer WHERE name = :name AND generation = :generation AND state = 'rebuilding'",
        name=name,
        generation=generation,
    )
    if row is None:
        return True
    target = {int(partition): int(end) for partition, end in json.loads(row["target"]).items()}
    if any(committed.get(partition, 0) < end for partition, end in target.items()):
        return False
    await tx.run(
        "UPDATE consumer SET state = 'live', since = :now WHERE name = :name AND generation = :generation",
        now=tx.stamp.wall,
        name=name,
        generation=generation,
    )
    return True


async def state_hash(tx: Tx, tables: Sequence[str]) -> str:
    """One hash over all rows of the tables, whatever their order: equal states have equal hashes."""
    parts: list[str] = []
    for table in tables:
        if not _NAME.match(table):
            raise ValueError(f"not a table's name: {table}")
        row = await tx.one(
            f"SELECT count(*) AS n, coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') AS h FROM {table} t"
        )
        assert row is not None
        parts.append(f"{table}:{row['n']}:{row['h']}")
    return " ".join(parts)
