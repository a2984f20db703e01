"""Kafka doors."""

from collections.abc import Sequence

from shared.db import Tx, doc
from shared.events import registry
from shared.subscriptions import Heard, projection


@projection("vendor.left_workers", registry.WorkerLeft, tables=("left_worker",))
async def left_workers(tx: Tx, heard: Sequence[Heard]) -> None:
    """Who left."""
    rows = [{"id": one.fact.aggregate_id, "region": one.fact.region} for one in heard]
    await tx.run(
        "INSERT INTO left_worker (id, region) SELECT id, region FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text)"
        " ON CONFLICT DO NOTHING",
        d=doc(rows),
    )


SUBSCRIPTIONS = (left_workers,)
