"""One Kafka and one Postgres for all processes of a test session, or for all sessions of an afternoon.

Each user holds a shared lock on `<folder>/users.lock`; the kernel frees it however the user dies. A pair process
(`python -m deploy.local.pair <folder>`) runs both servers and stops them when it can take that lock for itself.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from io import TextIOWrapper
from pathlib import Path

from deploy.local.kafka import Broker
from deploy.local.postgres import Postgres, external_url
from deploy.local.processes import Processes, interruptible

START_SECONDS = 240.0
"""The first start on a machine fetches the jars."""

EXTERNAL_KAFKA = "JEMBATAN_KAFKA_BOOTSTRAP"


@dataclass(frozen=True)
class Servers:
    """Where the two servers of a session are."""

    admin_dsn: str
    """postgresql:// URL of a superuser."""
    bootstrap: str
    """host:port of Kafka."""


_STARTED: list[subprocess.Popen[bytes]] = []
"""Pair processes this process happened to start; kept because they outlive their Popen object on purpose."""


class PairError(RuntimeError):
    """The pair did not start; the text names its log."""


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep a pair of this folder running, should somebody start one, until the block is left or this process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with _flock(folder / "start.lock", fcntl.LOCK_EX):
        users = (folder / "users.lock").open("a")
        fcntl.flock(users, fcntl.LOCK_SH)
    try:
        yield
    finally:
        users.close()


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[Servers]:
    """The servers of this folder, started by the first caller; they stop soon after the last user is gone.

    Servers named by JEMBATAN_POSTGRES_URL and JEMBATAN_KAFKA_BOOTSTRAP are used instead of own ones. Raises PairError.
    """
    with contextlib.ExitStack() as held:
        # waits while somebody else starts this pair, or while the previous one stops
        await asyncio.to_thread(held.enter_context, hold(folder))
        yield await asyncio.to_thread(_start, folder)


def remove(folder: Path, seconds: float = 60.0) -> None:
    """Wait until the pair of this folder, which nobody may hold any more, has stopped; then remove the folder."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        with contextlib.suppress(BlockingIOError), _flock(folder / "pair.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            break
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)


def _start(folder: Path) -> Servers:
    """Start the pair process unless it is there, and wait until it has written where its servers are."""
    with _flock(folder / "start.lock", fcntl.LOCK_EX):
        answer = folder / "servers.json"
        if not _alive(folder):
            answer.unlink(missing_ok=True)
            with (folder / "pair.log").open("ab") as log:
                child = subprocess.Popen(
                    [sys.executable, "-m", "deploy.local.pair", str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            _STARTED.append(child)
            limit = time.monotonic() + START_SECONDS
            while not answer.exists():
                if child.poll() is not None or time.monotonic() > limit:
                    child.kill()
                    raise PairError(f"Kafka and Postgres did not start; see {folder}/pair.log:\n{_tail(folder)}")
                time.sleep(0.05)
        return Servers(**json.loads(answer.read_text()))


def _alive(folder: Path) -> bool:
    """Whether a pair process runs: it holds `pair.lock` for its whole life."""
    try:
        with _flock(folder / "pair.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
            return False
    except BlockingIOError:
        return (folder / "servers.json").exists()


@contextmanager
def _flock(path: Path, mode: int) -> Iterator[TextIOWrapper]:
    with path.open("a") as file:
        fcntl.flock(file, mode)
        yield file


def _tail(folder: Path) -> str:
    with contextlib.suppress(OSError):
        return "\n".join((folder / "pair.log").read_text(errors="replace").splitlines()[-20:])
    return ""


async def _serve(folder: Path) -> None:
    """The pair process: run both servers until nobody uses them."""
    run = folder / f"run-{os.getpid()}"
    linger = float(os.environ.get("JEMBATAN_PAIR_LINGER", "0"))
    async with contextlib.AsyncExitStack() as stack:
        processes = await stack.enter_async_context(Processes(run))
        processes.remove_at_end(run)
        postgres_url, bootstrap = external_url(), os.environ.get(EXTERNAL_KAFKA)
        starting = []
        if postgres_url is None:
            postgres = Postgres(processes, run / "postgres", durable=False)
            starting.append(postgres.start())
        if not bootstrap:
            broker = Broker(processes, run / "kafka")
            starting.append(broker.start())
        await asyncio.gather(*starting)
        servers = Servers(postgres_url or postgres.admin_dsn, bootstrap or broker.bootstrap)
        draft = folder / f"servers.json.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(servers)))
        answer = draft.rename(folder / "servers.json")
        idle_since: float | None = None
        while processes.running or not starting:
            await asyncio.sleep(0.2)
            with contextlib.suppress(BlockingIOError), _flock(folder / "start.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                try:
                    with _flock(folder / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB):
                        idle_since = idle_since or time.monotonic()
                        if time.monotonic() - idle_since < linger:
                            continue
                        # nobody can come in now: start.lock and users.lock are both ours until all is stopped
                        answer.unlink(missing_ok=True)
                        await stack.aclose()
                        return
                except BlockingIOError:
                    idle_since = None
        answer.unlink(missing_ok=True)


async def _main(folder: Path) -> None:
    # a predecessor that has just stopped its servers may need a moment to end
    with _flock(folder / "pair.lock", fcntl.LOCK_EX):
        async with interruptible():
            await _serve(folder)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
