"""The toy as a fixture: `t` with topics of its own, `still` without a broker."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.component.machine.harness import Side, Toy, sides, toy
from tests.support.servers import Servers


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def both(servers: Servers) -> AsyncIterator[list[Side]]:
    """The two databases, made once."""
    made = await sides(servers)
    yield made
    for side in made:
        await side.db.close()


@pytest_asyncio.fixture
async def t(servers: Servers, both: list[Side]) -> AsyncIterator[Toy]:
    """Clean databases, a set of topics, nothing running yet."""
    async with toy(servers, both) as made:
        yield made


@pytest_asyncio.fixture
async def still(servers: Servers, both: list[Side]) -> AsyncIterator[Toy]:
    """Clean databases and no topics: for what needs no broker."""
    async with toy(servers, both, topics=False) as made:
        yield made
