"""What happens on a day by itself: contracts run out, floors and obligations are judged, debarments end."""

from collections.abc import Mapping, Sequence

from shared.db import Tx
from shared.timers import Handler, Timer

from .usecases import contracts, vendors


async def contract_end(tx: Tx, due: Sequence[Timer]) -> None:
    """The last day has passed, or an announced end has come."""
    await contracts.end_due(tx, due)


async def wage_floor(tx: Tx, due: Sequence[Timer]) -> None:
    """The start of a contract, and every 1 January of it: its wages against the floor then in force."""
    await contracts.judge_floors(tx, due)


async def obligation(tx: Tx, due: Sequence[Timer]) -> None:
    """The day by which the vendor hires who accepted has passed."""
    await contracts.judge_obligations(tx, due)


async def debarment_end(tx: Tx, due: Sequence[Timer]) -> None:
    """The term of a debarment has passed."""
    await vendors.end_debarments(tx, [timer.key for timer in due])


TIMERS: Mapping[str, Handler] = {
    contracts.CONTRACT_END: contract_end,
    contracts.FLOOR: wage_floor,
    contracts.OBLIGATION: obligation,
    vendors.DEBARMENT_END: debarment_end,
}
