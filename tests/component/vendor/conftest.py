"""One running vendor service for the tests of this folder that do not move the clock."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.component.vendor.office import REGION, Office
from tests.support.running import Running
from tests.support.servers import Servers


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running(servers: Servers) -> AsyncIterator[Running]:
    """The service, with the rules of 13.74 active, on 5 January 2026."""
    async with Running("vendor", servers) as one:
        await one.activate_pack(REGION)
        yield one


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def office(running: Running) -> Office:
    """The offices of 13.74."""
    return Office(running)
