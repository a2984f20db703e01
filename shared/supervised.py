"""Background work that is kept alive: a task that ends is logged, counted and started again, ever more slowly."""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable

from shared import metrics
from shared.logs import kind, logger, where

LONGEST_PAUSE = 3.0
CALM_SECONDS = 60.0
log = logger("tasks")


class Supervised:
    """One background task. `failures` counts its ends in a row; a calm minute forgives them."""

    def __init__(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.failures = 0
        self._work = work
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, in the background."""
        self._task = asyncio.create_task(self._keep(), name=self.name)

    def cancel(self) -> None:
        """Ask it to end."""
        if self._task is not None:
            self._task.cancel()

    async def ended(self) -> None:
        """Wait until it has ended after `cancel`."""
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        while True:
            begun = time.monotonic()
            try:
                await self._work()
                log.warning("task ended by itself", task=self.name)
            except asyncio.CancelledError:
                raise
            except BaseExceptionGroup as group:
                self._failed(group.exceptions[0])
            except Exception as error:  # noqa: BLE001 - logged with its place, counted, and started again
                self._failed(error)
            self.failures = self.failures + 1 if time.monotonic() - begun < CALM_SECONDS else 1
            metrics.TASK_FAILURES.labels(self.name).inc()
            await asyncio.sleep(min(LONGEST_PAUSE, 0.2 * 2 ** min(self.failures, 10)) * random.uniform(0.5, 1))

    def _failed(self, error: BaseException) -> None:
        log.error("task failed", task=self.name, error=kind(error), where=where(error), failures=self.failures)
