"""The toy as a fixture."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.component.machine.harness import Toy, toy
from tests.support.servers import Servers


@pytest_asyncio.fixture
async def t(servers: Servers) -> AsyncIterator[Toy]:
    """Two databases, a set of topics, nothing running yet."""
    async with toy(servers) as made:
        yield made
