"""Durable timers: rows that fire once, by business time, in the transaction that deletes them.

A handler gets a batch of due timers of one kind and a worker transaction: what it writes, what it emits and the end of the
timers commit together. Several processes may run timers at once; each row is taken by one of them. A handler that fails
does not stop the others: the batch is halved until the row that fails stands alone, and that one is tried again later.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from shared import metrics, tracing
from shared.clock import WIB
from shared.db import doc, transient
from shared.errors import NotNow
from shared.identity import Scope
from shared.ids import derived_id
from shared.logs import kind as kind_of
from shared.logs import logger, where

if TYPE_CHECKING:
    from shared.db import Database, Tx

POLL_SECONDS: Final = 0.2
BATCH: Final = 500
LONGEST_WAIT: Final = timedelta(minutes=10)
log = logger("timers")


@dataclass(frozen=True, slots=True)
class Timer:
    """Fires when business time reaches `due`. One per (kind, key): scheduling it again moves it."""

    key: UUID
    due: datetime
    region: str
    payload: Mapping[str, Any] = field(default_factory=dict)


Handler = Callable[["Tx", Sequence[Timer]], Awaitable[None]]


async def schedule(tx: "Tx", kind: str, timers: Sequence[Timer]) -> None:
    """Set these timers, in one statement; one that exists under the same kind and key is moved."""
    if not timers:
        return
    rows = {
        timer.key: {
            "key": timer.key,
            "due": timer.due,
            "region": timer.region,
            "payload": msgspec.json.encode(timer.payload).decode(),
        }
        for timer in timers
    }
    await tx.run(
        "INSERT INTO timer (kind, key, due, region, payload)"
        " SELECT :kind, key, due, region, payload FROM json_to_recordset(CAST(:d AS json))"
        " AS t(key uuid, due timestamptz, region text, payload text) ORDER BY key"
        " ON CONFLICT (kind, key) DO UPDATE SET due = excluded.due, region = excluded.region, payload = excluded.payload,"
        " attempts = 0, not_before = NULL",
        kind=kind,
        d=doc(rows.values()),
    )


async def cancel(tx: "Tx", kind: str, keys: Sequence[UUID]) -> int:
    """Unset these timers; returns how many there were."""
    if not keys:
        return 0
    return await tx.run(
        "DELETE FROM timer WHERE kind = :kind AND key IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:d AS json)))",
        kind=kind,
        d=doc(list(keys)),
    )


def next_day(after: datetime, at: time = time(0, 5)) -> datetime:
    """The next moment after `after` that a clock in WIB shows `at`."""
    local = after.astimezone(WIB)
    moment = datetime.combine(local.date(), at, WIB)
    return moment if moment > local else moment + timedelta(days=1)


async def every(tx: "Tx", kind: str, *, at: time = time(0, 5), key: UUID | None = None, region: str = "") -> None:
    """Set a timer to the next time a clock in WIB shows `at`; a handler that calls this again comes back each day.

    Kinds that exist always are named in `Rooms.daily` instead.
    """
    await schedule(tx, kind, [Timer(key or derived_id("every", kind, region), next_day(tx.stamp.business, at), region)])


class TimerRunner:
    """Fires due timers until cancelled. `daily` names kinds that exist always and come back each day (WIB)."""

    def __init__(self, db: "Database", service: str, handlers: Mapping[str, Handler], daily: Mapping[str, time] | None = None) -> None:
        self._db = db
        self._scope = Scope.system(service)
        self._handlers = dict(handlers)
        self._daily = dict(daily or {})
        unknown = set(self._daily) - set(self._handlers)
        if unknown:
            raise ValueError(f"daily timers without a handler: {sorted(unknown)}")

    async def run(self) -> None:
        """Poll by wall time, fire by business time. Ends only by cancellation; a lost database is waited for."""
        failures = 0
        first = True
        while True:
            try:
                if first:
                    await self._plant()
                    first = False
                fired = await self.fire()
                failures = 0
            except Exception as error:
                if not transient(error):
                    raise
                failures += 1
                log.warning("timers wait", error=kind_of(error))
                await asyncio.sleep(min(5.0, 0.2 * 2**failures) * random.uniform(0.5, 1))
                continue
            if not fired:
                await asyncio.sleep(POLL_SECONDS)

    async def _plant(self) -> None:
        """Daily timers exist from the first start on; one that exists keeps its time."""
        if not self._daily:
            return

        async def work(tx: "Tx") -> None:
            rows = [
                {"kind": kind, "key": derived_id("daily", kind), "due": next_day(tx.stamp.business, at)} for kind, at in self._daily.items()
            ]
            await tx.run(
                "INSERT INTO timer (kind, key, due, region) SELECT kind, key, due, '' FROM json_to_recordset(CAST(:d AS json))"
                " AS t(kind text, key uuid, due timestamptz) ON CONFLICT DO NOTHING",
                d=doc(rows),
            )

        await self._db.attempt("worker", self._scope, "timers.plant", work)

    async def fire(self) -> int:
        """Fire what is due now, one batch per kind; returns how many fired or were put off."""
        async with self._db.begin("worker", self._scope, "timers.look") as tx:
            rows = await tx.rows(
                "SELECT kind, count(*) AS n FROM timer WHERE due <= :business AND (not_before IS NULL OR not_before <= :wall)"
                " GROUP BY kind ORDER BY min(due)",
                business=tx.stamp.business,
                wall=tx.stamp.wall,
            )
        done = 0
        for row in rows:
            kind = str(row["kind"])
            if kind in self._handlers:
                done += await self._batch(kind)
        return done

    async def _batch(self, kind: str) -> int:
        """One batch, halved on failure down to the single row that fails, which is put off."""
        size = BATCH
        while True:
            taken: list[Timer] = []
            try:
                with tracing.span():
                    work = partial(self._fire, kind=kind, size=size, taken=taken)
                    count = await self._db.attempt("worker", self._scope, f"timer.{kind}", work)
            except Exception as error:
                if transient(error) and not isinstance(error, NotNow):
                    raise
                if len(taken) > 1:
                    size = max(1, len(taken) // 2)
                    continue
                if not taken:
                    raise
                log.error("timer failed", kind=kind, key=str(taken[0].key), error=kind_of(error), where=where(error))
                await self._put_off(kind, taken[0].key)
                return 1
            if count:
                metrics.TIMERS_FIRED.labels(kind).inc(count)
            return count

    async def _fire(self, tx: "Tx", *, kind: str, size: int, taken: list[Timer]) -> int:
        taken.clear()
        rows = await tx.rows(
            "DELETE FROM timer WHERE (kind, key) IN (SELECT kind, key FROM timer WHERE kind = :kind AND due <= :business"
            " AND (not_before IS NULL OR not_before <= :wall) ORDER BY due, key LIMIT :size FOR UPDATE SKIP LOCKED)"
            " RETURNING key, due, region, payload",
            kind=kind,
            business=tx.stamp.business,
            wall=tx.stamp.wall,
            size=size,
        )
        due = sorted((Timer(row["key"], row["due"], row["region"], msgspec.json.decode(row["payload"])) for row in rows), key=_order)
        taken.extend(due)
        if due:
            await self._handlers[kind](tx, due)
            if kind in self._daily:
                again = Timer(derived_id("daily", kind), next_day(tx.stamp.business, self._daily[kind]), "")
                await schedule(tx, kind, [again])
        return len(due)

    async def _put_off(self, kind: str, key: UUID) -> None:
        async def work(tx: "Tx") -> None:
            await tx.run(
                "UPDATE timer SET attempts = attempts + 1,"
                " not_before = CAST(:wall AS timestamptz)"
                " + least(CAST(:longest AS interval), interval '1 second' * (1 << least(attempts, 12)))"
                " WHERE kind = :kind AND key = :key",
                kind=kind,
                key=key,
                wall=tx.stamp.wall,
                longest=LONGEST_WAIT,
            )

        await self._db.attempt("worker", self._scope, "timers.put_off", work)


def _order(timer: Timer) -> tuple[datetime, UUID]:
    return timer.due, timer.key
