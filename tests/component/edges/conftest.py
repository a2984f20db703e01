"""One toy service for all tests of this folder that do not need their own."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.running import Running
from tests.support.servers import Servers


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def toy(servers: Servers) -> AsyncIterator[Running]:
    """The toy, running."""
    async with Running("vendor", servers, package="tests.support.toy") as running:
        yield running
