"""Real servers for tests: one Kafka and one Postgres per test session, shared by its parallel workers.

    async def test_something(servers: Servers) -> None:          # the fixture of tests/conftest.py
        dsns = await fresh_database(servers, "registry")          # own database, three roles, dropped at the end
        owner = await asyncpg.connect(dsns.owner)                 # tables made here must be granted: the api and the
        await owner.execute("GRANT SELECT ON t TO ...")           # worker role own nothing (see `role_names`)
        topic = f"{topic_prefix()}.placement.events"              # nobody else's topic

To keep the servers between runs at a desk: JEMBATAN_PAIR_FOLDER=/tmp/my-pair JEMBATAN_PAIR_LINGER=600 (seconds).
"""

import os
import secrets
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local.pair import Servers, hold, pair, remove
from deploy.local.provision import Dsns, drop, provision

__all__ = ["Dsns", "Servers", "drop_all", "fresh_database", "hold", "pair", "pair_folder", "remove", "role_names", "topic_prefix"]

_made: list[tuple[Servers, str, str]] = []
_prefixes: dict[str, str] = {}


def pair_folder() -> Path:
    """The folder of this session's pair: the same in all its parallel workers, and in no other session."""
    if chosen := os.environ.get("JEMBATAN_PAIR_FOLDER"):
        return Path(chosen)
    # set by the controlling process (tests/conftest.py) before it starts its workers
    return Path(tempfile.gettempdir()) / f"jembatan-tests-{os.environ['JEMBATAN_TEST_SESSION']}"


async def fresh_database(servers: Servers, service: str) -> Dsns:
    """A new, empty database with its own three roles, under names nobody else has; dropped when the session ends."""
    suffix = f"_{secrets.token_hex(5)}"
    _made.append((servers, service, suffix))
    return await provision(servers.admin_dsn, service, suffix=suffix)


async def drop_all() -> None:
    """Drop every database `fresh_database` made in this process."""
    while _made:
        servers, service, suffix = _made.pop()
        await drop(servers.admin_dsn, service, suffix=suffix)


def role_names(dsns: Dsns) -> tuple[str, str, str]:
    """The names of the owner, api and worker roles, for GRANT."""
    owner, api, worker = (str(urlsplit(dsn).username) for dsn in (dsns.owner, dsns.api, dsns.worker))
    return owner, api, worker


def topic_prefix() -> str:
    """A prefix for topics and consumer groups: one per calling module and process, the same at every call."""
    module = sys._getframe(1).f_globals["__name__"]
    return _prefixes.setdefault(module, f"t{secrets.token_hex(5)}")
