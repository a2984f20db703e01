"""Doors of time: terms, reminders, and the hours in which people may be written to."""

from collections.abc import Mapping, Sequence

from services.notify import usecases
from shared.db import Tx
from shared.timers import Handler, Timer


async def term(tx: Tx, due: Sequence[Timer]) -> None:
    """The last day to answer has passed."""
    await usecases.end_terms(tx, [timer.key for timer in due])


async def reminder(tx: Tx, due: Sequence[Timer]) -> None:
    """A few days are left."""
    await usecases.remind(tx, [timer.key for timer in due])


async def window(tx: Tx, due: Sequence[Timer]) -> None:
    """People may be written to again."""
    await usecases.open_window(tx, [timer.region for timer in due])


TIMERS: Mapping[str, Handler] = {usecases.TERM: term, usecases.REMINDER: reminder, usecases.WINDOW: window}
