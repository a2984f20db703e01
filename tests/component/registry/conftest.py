"""One registry for the tests of this folder that do not need their own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.running import Running
from tests.support.servers import Servers

REGIONS = ("13.74", "15.05")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def registry(servers: Servers) -> AsyncIterator[Running]:
    """The registry, running, with the rules of two regions."""
    async with Running("registry", servers) as running:
        for region in REGIONS:
            await running.activate_pack(region)
        yield running
