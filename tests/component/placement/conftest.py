"""One placement service per test that asks for a world: own database, own topics."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.component.placement.world import World
from tests.support.running import Running
from tests.support.servers import Servers


@pytest_asyncio.fixture(loop_scope="session")
async def world(servers: Servers) -> AsyncIterator[World]:
    async with Running("placement", servers) as app:
        await app.activate_pack("13.74")
        yield World(app)
