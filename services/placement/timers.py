"""What happens on a day by itself: placements start, free seats go on."""

from collections.abc import Mapping, Sequence

from shared import jobs
from shared.db import Tx
from shared.ids import derived_id
from shared.timers import Handler, Timer

from .domain import matters as m
from .usecases.matters import settle


async def start(tx: Tx, due: Sequence[Timer]) -> None:
    """The first working day came."""
    await settle(tx, tx.scope, [m.Began(region=timer.region, on=tx.stamp.day, placement_id=timer.key) for timer in due])


async def refill(tx: Tx, due: Sequence[Timer]) -> None:
    """Seats came free in these regions; there are as many regions in a batch as regions, not as seats."""
    for timer in due:
        # The same firing asks for the same job; the next one, later, for another.
        await jobs.enqueue(tx, "refill", timer.region, {}, id=derived_id("refill", timer.key, timer.due, tx.correlation))


TIMERS: Mapping[str, Handler] = {"refill": refill, "start": start}
