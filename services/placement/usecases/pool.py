"""The matching process: one, warmed in the background, started again when it dies, gone when its parent is gone."""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from typing import Any, Final, ParamSpec, TypeVar

from shared.logs import kind, logger

from . import compute

P = ParamSpec("P")
T = TypeVar("T")
TURNS: Final = 3
log = logger("matching")


def _settle_in() -> None:
    """In the child: live exactly as long as the parent, whatever way it ends, and leave signals to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(0)

    threading.Thread(target=watch, name="parent", daemon=True).start()


class Matching:
    """Runs functions of `compute` in a process of their own. The event loop only waits."""

    def __init__(self, workers: int = 1) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def _running(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # Spawned, not forked: threads and sockets of the service stay out of it.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._workers, mp_context=context, initializer=_settle_in)
        return self._pool

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The answer of `work`, computed over there. A process that died is replaced and the work repeated: it is pure."""
        assert not kwargs
        loop = asyncio.get_running_loop()
        for turn in range(1, TURNS + 1):
            pool = self._running()
            try:
                return await loop.run_in_executor(pool, work, *args)
            except BrokenProcessPool:
                if self._pool is pool:
                    self._pool = None
                    pool.shutdown(wait=False, cancel_futures=True)
                if turn == TURNS:
                    raise
                log.warning("matching process died; starting another", turn=turn)
        raise AssertionError("not reached")

    async def warm(self) -> None:
        """Load the engine over there; a failure is only logged, the first round would show it."""
        try:
            await self.run(compute.warm)
        except Exception as error:  # noqa: BLE001 - warming is a courtesy and must not stop a service from starting
            log.warning("matching process not warmed", error=kind(error))

    def close(self) -> None:
        """End the process, finished or not: its work is pure and is taken up again elsewhere."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        processes: list[Any] = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            with contextlib.suppress(OSError, ValueError):
                process.kill()


@contextlib.asynccontextmanager
async def matching(workers: int = 1, *, warm: bool = True) -> AsyncIterator[Matching]:
    """A matching process for as long as the service runs: at once and warming, or only when it is asked for."""
    pool = Matching(workers)
    warming = asyncio.create_task(pool.warm() if warm else asyncio.sleep(0), name="matching-warm")
    try:
        yield pool
    finally:
        warming.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await warming
        pool.close()
