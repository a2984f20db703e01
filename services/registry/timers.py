"""Door: what happens by itself when a day comes."""

from collections.abc import Mapping, Sequence
from datetime import time

from services.registry.usecases import deciding, importing
from shared.db import Tx
from shared.timers import Handler, Timer


async def expire_credentials(tx: Tx, due: Sequence[Timer]) -> None:
    """The last day of some papers has passed."""
    await deciding.expire_credentials(tx, [timer.key for timer in due])


async def sweep_files(tx: Tx, due: Sequence[Timer]) -> None:
    """Each night: files nobody needs."""
    await importing.sweep_files(tx)


SWEEP = "sweep_files"
TIMERS: Mapping[str, Handler] = {deciding.EXPIRY: expire_credentials, SWEEP: sweep_files}
DAILY: Mapping[str, time] = {SWEEP: time(3, 30)}
