"""The JVM's ahead-of-time cache of the broker: it halves the start, and nothing needs it.

It is made once per machine by running a broker and letting it end, in the background of a run that has other things to
wait for. Its process dies with the launcher; the next run tries again.
"""

import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.local.kafka.broker import Broker
from deploy.local.kafka.fetch import home, locked
from deploy.local.processes import Process, Processes

WRITE_SECONDS = 180.0
"""The JVM writes the cache when it ends: 8 s on a free core, longer in the background."""


async def make() -> bool:
    """Make the cache unless it is there; false when it could not be made. Waits for another process making it."""
    kafka = await asyncio.to_thread(home)
    with locked(kafka.folder / "aot.lock"):
        if kafka.aot_cache.exists():
            return True
        with TemporaryDirectory(prefix="jembatan-aot-") as folder:
            # on the same file system as its final place, for an atomic rename
            draft = kafka.aot_cache.with_suffix(".draft")
            draft.unlink(missing_ok=True)
            async with Processes(Path(folder)) as processes:
                broker = Broker(processes, Path(folder) / "kafka", options=(f"-XX:AOTCacheOutput={draft}",))
                await broker.start()
                await broker.stop(WRITE_SECONDS)
            if not draft.exists():
                return False
            draft.replace(kafka.aot_cache)
            return True


async def in_background(processes: Processes) -> Process | None:
    """Make the cache at the lowest priority while other things run; None when there is one already.

    The jars must have been fetched.
    """
    if (await asyncio.to_thread(home)).aot_cache.exists():
        return None
    # its own keeper ends the broker when this process is stopped or killed
    return await processes.start("kafka-aot", [sys.executable, "-m", "deploy.local.kafka.aot"], nice=19, stop_seconds=0)


if __name__ == "__main__":
    raise SystemExit(0 if asyncio.run(make()) else 1)
