"""Timer doors."""

from collections.abc import Mapping, Sequence

from shared.db import Tx, doc
from shared.ids import new_id
from shared.service import Service
from shared.timers import Handler, Timer


def timers(service: Service) -> Mapping[str, Handler]:
    """The handlers, with the service's own list of what fired."""
    fired: list[int] = service.extra["fired"]

    async def ring(tx: Tx, due: Sequence[Timer]) -> None:
        fired.append(len(due))
        await tx.run(
            "INSERT INTO mark (id, what) SELECT id, 'ring' FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid)",
            d=doc([{"id": one.key} for one in due]),
        )
        if any(one.payload["fail"] for one in due):
            raise ZeroDivisionError

    async def midnight(tx: Tx, due: Sequence[Timer]) -> None:
        await tx.run("INSERT INTO mark (id, what) VALUES (:id, 'midnight')", id=new_id())

    return {"ring": ring, "midnight": midnight}
