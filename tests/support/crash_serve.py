"""The test build of a service: the same program, which stops itself (SIGSTOP) when it reaches a named point.

    python -m tests.support.crash_serve services.vendor.main

Environment: `CRASH_AT` (a name of `POINTS`, or empty), `CRASH_SKIP` (how often to pass the point before), `CRASH_MARK` (a file
that is written before stopping), `CRASH_NAME` (application name of its database sessions, with its pid). Whoever started it looks
at what it holds and kills it there, or lets it go on. Nothing of this is in the services: the points are wrapped around
functions of `shared` before the service is put together.
"""

import contextlib
import functools
import os
import runpy
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

POINTS = {
    "before-commit": "in a transaction that wrote events, all of it sent, COMMIT not",
    "after-commit": "events committed, neither answered nor sent",
    "after-send": "the broker has acknowledged, the pending rows are still there",
    "mid-batch": "effects of a batch written, positions not",
    "after-effect": "a batch and its positions committed, the consumer group's offset not",
}
"""Where the test build can stop."""


class Trap:
    """Stops this process once, at one point."""

    def __init__(self, at: str, skip: int, mark: Path | None) -> None:
        self._at = at
        self._skip = skip
        self._mark = mark

    def reached(self, point: str) -> None:
        """We are there; if this is the point and the time, stop until somebody says SIGCONT or SIGKILL."""
        if point != self._at:
            return
        if self._skip:
            self._skip -= 1
            return
        self._at = ""
        if self._mark is not None:
            self._mark.write_text(point)
        os.kill(os.getpid(), signal.SIGSTOP)


def around(trap: Trap) -> None:
    """Wrap the points around the machine."""
    from shared.bus import Ear
    from shared.db import Database, Tx
    from shared.inbox import Inbox
    from shared.relay import Relay

    begin, send, effects, handle = Database.begin, Relay._send, Inbox._effects, Ear.handle

    @contextlib.asynccontextmanager
    async def begun(self: Database, *args: Any, **kwargs: Any) -> AsyncIterator[Tx]:
        async with begin(self, *args, **kwargs) as tx:
            yield tx
            await tx.flush()
            if tx.written:
                trap.reached("before-commit")
        if tx.written:
            trap.reached("after-commit")

    def then(point: str, function: Callable[..., Awaitable[Any]]) -> Any:
        @functools.wraps(function)
        async def called(*args: Any, **kwargs: Any) -> Any:
            found = await function(*args, **kwargs)
            trap.reached(point)
            return found

        return called

    Database.begin = begun  # type: ignore[method-assign]
    Relay._send = then("after-send", send)  # type: ignore[method-assign]
    Inbox._effects = then("mid-batch", effects)  # type: ignore[method-assign]
    Ear.handle = then("after-effect", handle)  # type: ignore[method-assign]


def main(arguments: Sequence[str], environment: dict[str, str]) -> None:
    """Run the module named by the argument, with its trap."""
    from shared import db

    if name := environment.get("CRASH_NAME"):
        db.SERVER_SETTINGS["application_name"] = f"{name}/{os.getpid()}"
    mark = environment.get("CRASH_MARK")
    trap = Trap(environment.get("CRASH_AT", ""), int(environment.get("CRASH_SKIP", "0")), Path(mark) if mark else None)
    around(trap)
    (module,) = arguments
    runpy.run_module(module, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:], dict(os.environ))
