"""What every test may use. Servers start with the first test that asks for them."""

import contextlib
import os
import secrets
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.servers import Servers, drop_all, hold, pair, pair_folder, remove

_held = contextlib.ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Name the session, and keep its servers up until its last process ends, not only the one that started them."""
    if not hasattr(config, "workerinput"):
        os.environ["JEMBATAN_TEST_SESSION"] = secrets.token_hex(6)
        folder = pair_folder()
        if "JEMBATAN_PAIR_FOLDER" not in os.environ:
            # when pytest returns, no process of its is left
            _held.callback(remove, folder)
        _held.enter_context(hold(folder))


def pytest_unconfigure() -> None:
    """Let the servers go."""
    _held.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def servers() -> AsyncIterator[Servers]:
    """One Kafka and one Postgres for the whole session. See tests/support/servers.py."""
    async with pair(pair_folder()) as running:
        yield running
        await drop_all()
