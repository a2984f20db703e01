"""One front desk with a real mail sink on loopback."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.component.notify.sink import Sink
from tests.support.running import OPENING, Running
from tests.support.servers import Servers

REGIONS = ("13.74", "15.05")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def sink() -> AsyncIterator[Sink]:
    """A mail server that keeps what it is given."""
    async with Sink() as one:
        yield one


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def running(servers: Servers, sink: Sink) -> AsyncIterator[Running]:
    """The front desk, with the rules of two regions."""
    async with Running("notify", servers, smtp_url=sink.url, mail_from="jembatan@kota.test") as one:
        for region in REGIONS:
            await one.activate_pack(region)
        yield one


@pytest_asyncio.fixture(loop_scope="session")
async def notify(running: Running, sink: Sink) -> AsyncIterator[Running]:
    """The front desk at nine in the morning of a Monday, before a mail server in a good mood; each test brings its own people."""
    running.clock.move(OPENING)
    sink.mood("accept")
    yield running
    sink.mood("accept")
