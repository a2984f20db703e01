"""Door: what happens by itself when a day comes."""

from collections.abc import Mapping, Sequence

from services.registry.usecases import deciding
from shared.db import Tx
from shared.timers import Handler, Timer


async def expire_credentials(tx: Tx, due: Sequence[Timer]) -> None:
    """The last day of some papers has passed."""
    await deciding.expire_credentials(tx, [timer.key for timer in due])


TIMERS: Mapping[str, Handler] = {deciding.EXPIRY: expire_credentials}
