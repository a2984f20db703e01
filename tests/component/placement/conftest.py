"""One placement service for all tests of this folder; each test has people, vendors and contracts of its own on it.

A round sees only what its seals name, so tests do not see each other; the clock is set back before each.
"""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.ids import new_id
from tests.component.placement.world import World
from tests.support.running import OPENING, Running
from tests.support.servers import Servers


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def app(servers: Servers) -> AsyncIterator[Running]:
    async with Running("placement", servers) as running:
        await running.activate_pack("13.74")
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def world(app: Running) -> AsyncIterator[World]:
    app.clock.move(OPENING)
    await app.settle()
    rows = await app.rows("SELECT coalesce(max(seq), 0) AS seq FROM event")
    found = World(app, tag=str(new_id()), since=rows[0]["seq"])
    yield found
    await app.settle()
    await found.sound()
    left = await app.rows("SELECT id FROM round WHERE state IN ('draft', 'frozen', 'drawn', 'computed')")
    for row in left:
        await found.post(f"/v1/rounds/{row['id']}/cancellation", {"reason": "test_over"}, "placement_signer")
    await app.settle()
