"""Child processes of a launcher, none of which can outlive it.

Every child is spawned by a keeper process (`keeper.py`), in its own session, with its output in
`<folder>/logs/<name>.log`. Leaving the context stops them in reverse order of start.
"""

import asyncio
import contextlib
import fcntl
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path
from types import TracebackType
from typing import Any, Self

KEEPER = Path(__file__).with_name("keeper.py")


class ProcessError(RuntimeError):
    """A child could not be started, ended before its time, or was not ready in time; the text quotes its log."""


class Process:
    """One child. `name` is also the name of its log."""

    def __init__(self, owner: "Processes", key: int, name: str, log: Path, stop_signal: int, stop_seconds: float) -> None:
        self._owner = owner
        self._key = key
        self._stop_signal = stop_signal
        self._stop_seconds = stop_seconds
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.name = name
        self.log = log
        self.pid = 0

    @property
    def running(self) -> bool:
        """Whether the child has not been seen to end."""
        return not self._exited.done()

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal, None while running."""
        return self._exited.result() if self._exited.done() else None

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the child (or its whole process group); nothing happens when it has ended."""
        if self.running:
            self._owner.order(do="signal", key=self._key, signal=int(number), group=group)

    async def wait(self, seconds: float | None = None) -> int:
        """The exit code, when the child has ended; TimeoutError after `seconds`."""
        return await asyncio.wait_for(asyncio.shield(self._exited), seconds)

    async def stop(self, seconds: float | None = None) -> int:
        """Ask the child to end and wait; after `seconds` (default: as at start) kill it. Returns the exit code."""
        self.signal(self._stop_signal)
        try:
            return await self.wait(self._stop_seconds if seconds is None else seconds)
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """kill -9 of the child's process group, and wait. Returns the exit code."""
        self.signal(signal.SIGKILL, group=True)
        return await self.wait()

    def tail(self, lines: int = 25) -> str:
        """The last lines of the child's log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    async def until(self, probe: Callable[[], Any], what: str, seconds: float = 60.0, every: float = 0.05) -> Any:
        """Await `probe()` again and again until its answer is true and return it.

        A probe that raises OSError counts as "not yet". Raises ProcessError with the end of the log when the child ends
        before, or after `seconds`.
        """
        limit = asyncio.get_running_loop().time() + seconds
        last: BaseException | None = None
        while True:
            if not self.running:
                raise ProcessError(f"{self.name} ended with {self.returncode} before {what}; {self.log}:\n{self.tail()}")
            try:
                if answer := await probe():
                    return answer
            except (OSError, TimeoutError) as error:
                last = error
            if asyncio.get_running_loop().time() > limit:
                raise ProcessError(f"{self.name}: no {what} after {seconds:.0f} s ({last!r}); {self.log}:\n{self.tail()}")
            await asyncio.sleep(every)


class Processes:
    """The children of this launcher: an asynchronous context; leaving it stops them, last started first.

    All calls belong to the event loop that entered it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._keys = itertools.count(1)
        self._children: dict[int, Process] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reader_task: asyncio.Task[None] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None

    @property
    def logs(self) -> Path:
        """Where each child's output goes."""
        return self.folder / "logs"

    @property
    def running(self) -> list[Process]:
        """The children that have not ended, in the order of start."""
        return [child for child in self._children.values() if child.running]

    async def __aenter__(self) -> Self:
        ours = self._start_keeper()
        reader, self._writer = await asyncio.open_connection(sock=ours)
        self._reader_task = asyncio.create_task(self._read(reader), name="keeper-reader")
        return self

    def _start_keeper(self) -> socket.socket:
        self.logs.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        with theirs, (self.logs / "keeper.log").open("ab") as log:
            self._keeper = subprocess.Popen(
                # -I -S: nothing but the standard library, so that it starts in a moment and stays small
                [sys.executable, "-I", "-S", str(KEEPER), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return ours

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            for child in reversed(self.running):
                await child.stop()
        finally:
            await self._close()

    async def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.wait)
        if self._reader_task is not None:
            await asyncio.gather(self._reader_task, return_exceptions=True)

    async def start(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: str | None = None,
        stop_signal: int = signal.SIGTERM,
        orphan_signal: int = signal.SIGKILL,
        stop_seconds: float = 15.0,
        nice: int = 0,
    ) -> Process:
        """Start a child; its log is appended to.

        `env` is the whole environment (default: ours). `user`: run as this account (root only). `stop_signal`: what
        `stop` sends first. `orphan_signal`: what it gets when the launcher or the keeper dies. Raises ProcessError
        when it cannot be started.
        """
        key = next(self._keys)
        child = Process(self, key, name, self.logs / f"{name}.log", stop_signal, stop_seconds)
        self._children[key] = child
        self.order(
            do="spawn",
            key=key,
            argv=[str(part) for part in argv],
            env=dict(os.environ if env is None else env),
            cwd=str(cwd) if cwd else None,
            log=str(child.log),
            user=user,
            orphan_signal=int(orphan_signal),
            nice=nice,
        )
        child.pid = await asyncio.shield(child._started)
        return child

    def remove_at_end(self, folder: Path) -> None:
        """Have the keeper remove this folder when all children have ended, even if the launcher is killed."""
        self.order(do="remove", path=str(folder))

    def order(self, **message: Any) -> None:
        """Send one order to the keeper."""
        if self._writer is None:
            raise ProcessError("processes are started inside `async with Processes(folder)`")
        self._writer.write(json.dumps(message).encode() + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            message = json.loads(line)
            child = self._children[message["key"]]
            if "pid" in message:
                child._started.set_result(message["pid"])
            elif "error" in message:
                self._children.pop(message["key"])
                child._exited.set_result(127)
                child._started.set_exception(ProcessError(f"{child.name} cannot be started: {message['error']}"))
            else:
                child._exited.set_result(message["exited"])
        # the keeper is gone, and by the parent-death signal so are its children
        for child in self.running:
            child._exited.set_result(-signal.SIGKILL)
            if not child._started.done():
                child._started.set_exception(ProcessError("the keeper process died"))


PORTS = range(15000, 32000)
"""Below the range from which the kernel takes the local ports of connections: a port must stay free across a restart."""

_given: dict[int, TextIOWrapper] = {}


def free_port() -> int:
    """A TCP port of the loopback address nobody listens on now, and which no living process was given by this function.

    What is given is locked in a file of the machine until this process ends: two runs side by side never meet.
    """
    folder = Path(tempfile.gettempdir()) / "jembatan-ports"
    folder.mkdir(mode=0o777, exist_ok=True)
    while True:
        port = secrets.choice(PORTS)
        if port in _given:
            continue
        with contextlib.suppress(OSError), contextlib.ExitStack() as undo:
            lock = undo.enter_context((folder / str(port)).open("a"))
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
            undo.pop_all()
            _given[port] = lock
            return port


@contextlib.asynccontextmanager
async def interruptible() -> AsyncIterator[None]:
    """Turn SIGTERM and SIGINT into one cancellation of the body, so that every context inside is left in order.

    The CancelledError that results is swallowed here; other cancellations go through. A second signal while stopping
    is ignored: stopping is bounded by itself.
    """
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    asked = False

    def ask() -> None:
        nonlocal asked
        if not asked:
            asked = True
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ask)
    try:
        yield
    except asyncio.CancelledError:
        if not asked:
            raise
        task.uncancel()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
