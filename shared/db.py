"""Transactions. A door opens one per batch, hands it to a use case, and it commits: state, event rows and positions together.

All SQL goes through `text()` with named parameters. Sets travel as one JSON document:
`... FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, on_day date)` with `d=doc(rows)`.
"""

import asyncio
import contextlib
import functools
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy import TextClause, event, text
from sqlalchemy.engine import CursorResult, RowMapping
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from shared import metrics, regulation
from shared.clock import Clock, Stamp
from shared.errors import NotNow
from shared.eventlog import Note, Queued, write
from shared.events import Cause, Fact
from shared.ids import derived_id, new_id

if TYPE_CHECKING:
    from shared.identity.scope import Scope
    from shared.regulation import Pack

Role = Literal["api", "worker"]
T = TypeVar("T")

SERVER_SETTINGS: Final = {
    "application_name": "jembatan",
    "statement_timeout": "60000",
    "idle_in_transaction_session_timeout": "60000",
    # A dead node must not hold locks for two hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}
ATTEMPTS: Final = 8


def doc(rows: Iterable[Any]) -> str:
    """The rows (mappings or structs) as one JSON array for `json_to_recordset`; UUIDs, dates and None included."""
    return msgspec.json.encode(rows if isinstance(rows, list | tuple) else list(rows)).decode()


class LostRace(Exception):
    """A compare-and-set found that another transaction was here first: the whole attempt is repeated."""


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE of a database error, or an empty string."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(original, "sqlstate", None) or "")


def constraint(error: BaseException) -> str:
    """The name of the constraint that a database error names, or an empty string."""
    original = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(getattr(original, "__cause__", None), "constraint_name", None) or "")


def lost_race(error: BaseException) -> bool:
    """Whether repeating the same transaction at once is right: serialization, deadlock, a version taken by another."""
    if isinstance(error, LostRace) or sqlstate(error) in {"40001", "40P01"}:
        return True
    return sqlstate(error) == "23505" and constraint(error) == "event_version_once"


def transient(error: BaseException) -> bool:
    """Whether the error will pass by itself: connection, resources, shutdown, network; `NotNow` too."""
    if lost_race(error) or isinstance(error, NotNow | OSError | TimeoutError):
        return True
    if isinstance(error, PendingRollbackError | PoolTimeout):
        return True
    if isinstance(error, DBAPIError) and not sqlstate(error):
        # Without a state it is the connection's failure, unless a value could not even be encoded.
        return error.connection_invalidated or not isinstance(getattr(error.orig, "__cause__", None), ValueError)
    return sqlstate(error)[:2] in {"08", "40", "53", "55", "57"}


def address(url: str) -> str:
    """The URL for SQLAlchemy with asyncpg, whatever flavour of postgres URL was given."""
    _, _, rest = url.partition("://")
    return f"postgresql+asyncpg://{rest}"


def plain_address(url: str) -> str:
    """The URL for asyncpg itself (direct connections)."""
    _, _, rest = url.partition("://")
    return f"postgresql://{rest}"


def keep_alive(sock: socket.socket | None) -> None:
    """Notice a dead server within seconds."""
    if sock is None or sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 5), ("TCP_KEEPINTVL", 2), ("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 10_000)):
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@functools.lru_cache(maxsize=4096)
def _text(sql: str) -> TextClause:
    return text(sql)


@dataclass(slots=True)
class _Mark:
    """How much was queued when a savepoint was set."""

    queued: int
    notes: int
    written: int
    ordinals: dict[tuple[UUID, str, UUID], int]


@dataclass(slots=True)
class Tx:
    """One open transaction of one caller. Use cases take it first and never commit; the door does.

    `emit` and `note` are queued and written by `flush`, which the door's commit calls. `correlation` ties together what
    one request set in motion; `may_emit` is False in projections.
    """

    scope: "Scope"
    stamp: Stamp
    use_case: str
    connection: AsyncConnection
    partitions: int = 12
    packs_folder: Path | None = None
    correlation: UUID = field(default_factory=new_id)
    purpose: str = ""
    may_emit: bool = True
    statements: int = 0
    written: list[Queued] = field(default_factory=list)
    _queued: list[Queued] = field(default_factory=list)
    _notes: list[Note] = field(default_factory=list)
    _ordinals: dict[tuple[UUID, str, UUID], int] = field(default_factory=dict)
    _packs: "dict[str, Pack]" = field(default_factory=dict)

    async def _execute(self, sql: str, params: Mapping[str, Any]) -> CursorResult[Any]:
        self.statements += 1
        return await self.connection.execute(_text(sql), params)

    async def rows(self, sql: str, /, **params: Any) -> Sequence[RowMapping]:
        """All rows of the statement. `json` columns come back as text."""
        return (await self._execute(sql, params)).mappings().all()

    async def one(self, sql: str, /, **params: Any) -> RowMapping | None:
        """The first row of the statement, or None."""
        return (await self._execute(sql, params)).mappings().first()

    async def run(self, sql: str, /, **params: Any) -> int:
        """Execute the statement; the number of rows it touched."""
        return (await self._execute(sql, params)).rowcount

    def emit(self, fact: Fact, *, cause: Cause | None = None, pack: str = "", tombstone: bool = False) -> UUID:
        """Queue a fact; it becomes an event row with the next version of its aggregate. Returns the event's id.

        With a cause the id derives from it, so that a repeated reaction makes the same event. `tombstone` (compacted
        topics only) deletes the aggregate's record from the topic. Raises RuntimeError in a projection.
        """
        if not self.may_emit:
            raise RuntimeError(f"{self.use_case} is a projection and may not emit {fact.kind.type}")
        if tombstone and not fact.kind.stream.compacted:
            raise ValueError(f"{fact.kind.type} lives in an event topic, which has no tombstones")
        if cause is None:
            event_id = new_id()
        else:
            place = (cause.event_id, fact.kind.type, fact.aggregate_id)
            ordinal = self._ordinals.get(place, 0)
            self._ordinals[place] = ordinal + 1
            event_id = derived_id(*place, ordinal)
        self._queued.append(
            Queued(
                event_id,
                fact,
                None if cause is None else cause.event_id,
                self.correlation if cause is None else cause.correlation_id,
                pack,
                tombstone,
            )
        )
        return event_id

    def note(
        self,
        kind: str,
        aggregate_id: UUID | None,
        region: str,
        *,
        use_case: str = "",
        purpose: str = "",
        private: Mapping[str, str] | None = None,
    ) -> None:
        """Queue an audit row of its own: a read of personal data, a change without an event.

        Of `private` values only salted commitments are kept.
        """
        self._notes.append(Note(kind, aggregate_id, region, use_case or self.use_case, purpose or self.purpose, dict(private or {})))

    async def flush(self) -> None:
        """Write what was queued: event rows with their versions, pending rows, audit rows. Two statements at most."""
        if not self._queued and not self._notes:
            return
        queued, self._queued = self._queued, []
        notes, self._notes = self._notes, []
        await write(self, queued, notes)
        self.written.extend(queued)

    async def pack(self, region: str) -> "Pack":
        """The rule pack that counts in the region on the business day. Raises NotNow("pack-missing")."""
        found = self._packs.get(region)
        if found is not None:
            return found
        row = await self.one(
            "SELECT sha256 FROM pack_active WHERE region = :region AND from_day <= :day ORDER BY from_day DESC LIMIT 1",
            region=region,
            day=self.stamp.day,
        )
        if row is None or self.packs_folder is None:
            raise NotNow("pack-missing", "No rule pack is active for this region; activate one first.")
        try:
            found = _load_pack(self.packs_folder, row["sha256"])
        except (OSError, ValueError, KeyError) as error:
            raise NotNow("pack-missing", "The region's rule pack is active but its file is not mounted.") from error
        self._packs[region] = found
        return found

    @contextlib.asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What happens inside, queued facts included, is undone when it raises."""
        mark = _Mark(len(self._queued), len(self._notes), len(self.written), dict(self._ordinals))
        self.statements += 2
        try:
            async with self.connection.begin_nested():
                yield
        except BaseException:
            del self._queued[mark.queued :], self._notes[mark.notes :], self.written[mark.written :]
            self._ordinals = mark.ordinals
            raise


@functools.lru_cache(maxsize=256)
def _load_pack(folder: Path, sha256: str) -> "Pack":
    return regulation.load(folder, sha256)


class Database:
    """The two pools of a service (api, worker) and the way to open transactions on them. Connects on first use."""

    def __init__(
        self,
        service: str,
        *,
        api_url: str,
        worker_url: str,
        clock: Clock,
        packs_folder: Path | None = None,
        partitions: int = 12,
        pool: int = 8,
    ) -> None:
        self.service = service
        self.clock = clock
        self.partitions = partitions
        self.packs_folder = packs_folder
        self._engines: dict[Role, AsyncEngine] = {"api": _engine(api_url, pool), "worker": _engine(worker_url, pool)}
        self._hints: list[Callable[[], None]] = []

    def on_events(self, hint: Callable[[], None]) -> None:
        """Call `hint` after every commit that wrote events. It must be quick and must not raise."""
        self._hints.append(hint)

    async def close(self) -> None:
        """Close both pools."""
        for engine in self._engines.values():
            await engine.dispose()

    @contextlib.asynccontextmanager
    async def begin(self, role: Role, scope: "Scope", use_case: str) -> AsyncIterator[Tx]:
        """One transaction; commits on leaving, rolls back on an exception. The api role sees only the scope's regions."""
        async with self._engines[role].connect() as connection:
            tx = Tx(scope, self.clock.now(), use_case, connection, self.partitions, self.packs_folder)
            try:
                async with connection.begin():
                    if role == "api":
                        await tx.run("SELECT set_config('app.regions', :regions, true)", regions=visible(scope))
                    yield tx
                    await tx.flush()
            finally:
                metrics.STATEMENTS.labels(use_case).inc(tx.statements)
        self._committed(tx)

    async def attempt(self, role: Role, scope: "Scope", use_case: str, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` in a transaction and commit; the whole of it is repeated after a lost race or a deadlock."""
        for turn in range(1, ATTEMPTS + 1):
            try:
                async with self.begin(role, scope, use_case) as tx:
                    return await work(tx)
            except Exception as error:
                if turn == ATTEMPTS or not lost_race(error):
                    raise
            metrics.TRANSACTION_RETRIES.labels(use_case).inc()
            await asyncio.sleep(random.uniform(0, 0.01 * 2**turn))
        raise AssertionError("not reached")

    def _committed(self, tx: Tx) -> None:
        if not tx.written:
            return
        for queued in tx.written:
            metrics.EVENTS.labels(queued.fact.kind.type).inc()
        for hint in self._hints:
            hint()


def visible(scope: "Scope") -> str:
    """`app.regions` of a scope: `*` for everything, else its regions (province prefixes included), comma separated."""
    return "*" if scope.everywhere else ",".join(sorted(scope.regions))


def _engine(url: str, pool: int) -> AsyncEngine:
    engine = create_async_engine(
        address(url),
        pool_size=pool,
        max_overflow=0,
        pool_timeout=30,
        pool_recycle=1800,
        pool_use_lifo=True,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"server_settings": SERVER_SETTINGS, "timeout": 10},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        transport = getattr(connection.driver_connection, "_transport", None)
        keep_alive(transport.get_extra_info("socket") if transport is not None else None)

    return engine
