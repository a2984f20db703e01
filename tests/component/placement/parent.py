"""A process with a matching process: prints the child's pid and waits to be killed."""

import asyncio

from services.placement.usecases import compute
from services.placement.usecases.pool import Matching


async def main() -> None:
    """Start the child, say who it is, wait."""
    pool = Matching()
    await pool.run(compute.warm)
    (process,) = (pool._pool._processes or {}).values()  # type: ignore[union-attr]
    print(process.pid, flush=True)
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main())
