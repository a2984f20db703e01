"""Databases and roles: per service one database and three roles, none of which can see past row-level security by rank.

The owner owns the database, its schema and, through the migrations, every table. The other two own nothing; what they
may do is granted table by table in the migrations, which know their names from their own: `x_owner` grants to `x_api`
and `x_worker`.
"""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

import asyncpg

SERVICES = ("registry", "vendor", "placement", "notify")
ROLES = ("owner", "api", "worker")


@dataclass(frozen=True)
class Dsns:
    """The three ways into one service's database, as postgresql:// URLs with passwords."""

    owner: str = field(repr=False)
    api: str = field(repr=False)
    worker: str = field(repr=False)

    @property
    def database(self) -> str:
        """The name of the database."""
        return urlsplit(self.owner).path.removeprefix("/")


def _name(text: str) -> str:
    """Check a name that goes into SQL unquoted. Raises ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,50}", text):
        raise ValueError(f"not a usable name for a database or role: {text!r}")
    return text


def _password(secret: bytes, role: str) -> str:
    # derived, so that provisioning again with the same secret leaves running services their passwords
    return hmac.digest(secret, role.encode(), hashlib.sha256).hex()


async def provision(admin_dsn: str, service: str, *, suffix: str = "", secret: bytes | None = None) -> Dsns:
    """Make (or bring back to this state) the database `jembatan_<service><suffix>` and its roles.

    The roles are `<service><suffix>_owner`, `_api` and `_worker`. Running it again changes nothing but the passwords,
    and not even those when the same `secret` is given. Without one they are random. Raises asyncpg.PostgresError.
    """
    database, stem = _name(f"jembatan_{service}{suffix}"), _name(f"{service}{suffix}")
    secret = secret or secrets.token_bytes(32)
    dsns = {}
    admin = await asyncpg.connect(admin_dsn)
    try:
        for role in ROLES:
            name, password = f"{stem}_{role}", _password(secret, f"{stem}_{role}")
            exists = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", name)
            await admin.execute(
                f"{'ALTER' if exists else 'CREATE'} ROLE {name} LOGIN PASSWORD '{password}' "
                "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"
            )
            dsns[role] = with_database(admin_dsn, database, name, password)
        if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            await admin.execute(f"CREATE DATABASE {database} OWNER {stem}_owner TEMPLATE template0 ENCODING 'UTF8'")
        await admin.execute(f"REVOKE ALL ON DATABASE {database} FROM PUBLIC")
        # temporary tables are how sets are loaded: COPY into a table with row-level security is refused
        await admin.execute(f"GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {stem}_api, {stem}_worker")
    finally:
        await admin.close()
    inside = await asyncpg.connect(with_database(admin_dsn, database))
    try:
        await inside.execute(f"ALTER SCHEMA public OWNER TO {stem}_owner")
        await inside.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await inside.execute(f"GRANT USAGE ON SCHEMA public TO {stem}_api, {stem}_worker")
    finally:
        await inside.close()
    return Dsns(**dsns)


async def drop(admin_dsn: str, service: str, *, suffix: str = "") -> None:
    """Remove what `provision` made, ending its connections; nothing happens where there is nothing."""
    database, stem = _name(f"jembatan_{service}{suffix}"), _name(f"{service}{suffix}")
    admin = await asyncpg.connect(admin_dsn)
    try:
        await admin.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
        for role in ROLES:
            await admin.execute(f"DROP ROLE IF EXISTS {stem}_{role}")
    finally:
        await admin.close()


def with_database(dsn: str, database: str, user: str | None = None, password: str | None = None) -> str:
    """The same server's URL with another database and, where given, another user."""
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    login = parts.netloc.rpartition("@")[0] if user is None else f"{user}:{password}"
    return urlunsplit((parts.scheme, f"{login}@{place}" if login else place, f"/{database}", parts.query, ""))
