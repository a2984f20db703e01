"""Durable long work: a row with state, progress, cursor and lease, taken by processes with the role `jobs`.

A handler works in committed steps and saves its cursor with each, so that whoever takes the job next goes on where the last
step was committed. The lease is held by wall time, renewed while the work runs, and returned at SIGTERM; a step whose lease
is lost is rolled back.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import msgspec

from shared import metrics, tracing
from shared.db import transient
from shared.errors import Problem
from shared.files import Files
from shared.identity import Scope
from shared.ids import new_id
from shared.logs import kind as kind_of
from shared.logs import logger, where

if TYPE_CHECKING:
    from shared.db import Database, Tx

LEASE: Final = timedelta(seconds=8)
"""How long the work of a process that was killed rests: under ten seconds."""
RENEW_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.2
ATTEMPTS: Final = 8
LONGEST_WAIT: Final = timedelta(minutes=5)
log = logger("jobs")


class LeaseLost(Exception):
    """Another process has the job now: stop, nothing of the open step is kept."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is shown: nothing of its payload."""

    id: UUID
    kind: str
    region: str
    state: str
    progress: Mapping[str, Any]
    result: Mapping[str, Any]
    error: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None


async def enqueue(tx: "Tx", kind: str, region: str, payload: Mapping[str, Any], *, id: UUID | None = None) -> UUID:
    """Write a job in this transaction; with an `id` of the caller's, a repeat is the same job. Payloads hold no personal data."""
    job_id = id or new_id()
    await tx.run(
        "INSERT INTO job (id, kind, region, payload, actor, created_at, updated_at)"
        " VALUES (:id, :kind, :region, :payload, :actor, :at, :at) ON CONFLICT (id) DO NOTHING",
        id=job_id,
        kind=kind,
        region=region,
        payload=msgspec.json.encode(payload).decode(),
        actor=tx.scope.actor,
        at=tx.stamp.wall,
    )
    return job_id


_SHOWN = "id, kind, region, state, progress, result, error, created_at, updated_at, finished_at"


def _job(row: Mapping[str, Any]) -> Job:
    return Job(
        row["id"],
        row["kind"],
        row["region"],
        row["state"],
        msgspec.json.decode(row["progress"]),
        msgspec.json.decode(row["result"]),
        row["error"],
        row["created_at"],
        row["updated_at"],
        row["finished_at"],
    )


async def find(tx: "Tx", job_id: UUID) -> Job | None:
    """The job, if the caller's regions hold it."""
    row = await tx.one(f"SELECT {_SHOWN} FROM job WHERE id = :id", id=job_id)
    return None if row is None else _job(dict(row))


async def listed(
    tx: "Tx", *, limit: int, after: tuple[datetime, UUID] | None = None, region: str = "", kind: str = "", state: str = ""
) -> list[Job]:
    """Jobs of the caller's regions, newest first, at most `limit`, after the given (created_at, id)."""
    where_ = ["true"]
    params: dict[str, Any] = {"limit": limit}
    for name, value in (("region", region), ("kind", kind), ("state", state)):
        if value:
            where_.append(f"{name} = :{name}")
            params[name] = value
    if after is not None:
        where_.append("(created_at, id) < (:at, :id)")
        params |= {"at": after[0], "id": after[1]}
    rows = await tx.rows(f"SELECT {_SHOWN} FROM job WHERE {' AND '.join(where_)} ORDER BY created_at DESC, id DESC LIMIT :limit", **params)
    return [_job(dict(row)) for row in rows]


class JobRun:
    """A job at work. `cursor` is what the last committed step saved; `stopping` turns true at SIGTERM."""

    def __init__(self, db: "Database", scope: Scope, files: Files, row: Mapping[str, Any], lease: UUID) -> None:
        self.db = db
        self.files = files
        self.scope = scope
        self.id: UUID = row["id"]
        self.kind: str = row["kind"]
        self.region: str = row["region"]
        self.actor: str = row["actor"]
        self.attempts: int = row["attempts"]
        self.payload: dict[str, Any] = msgspec.json.decode(row["payload"])
        self.cursor: dict[str, Any] = msgspec.json.decode(row["cursor"])
        self.progress: dict[str, Any] = msgspec.json.decode(row["progress"])
        self.lease = lease
        self.stopping = False
        self._saved: tuple[dict[str, Any], dict[str, Any]] | None = None

    @contextlib.asynccontextmanager
    async def step(self) -> AsyncIterator["Tx"]:
        """One committed chunk of the work. Raises `LeaseLost`, and keeps nothing, when the job is another's by now."""
        self._saved = None
        async with self.db.begin("worker", self.scope, f"job.{self.kind}") as tx:
            # Held to the commit: nobody can take the job between this check and the effects.
            row = await tx.one("SELECT 1 FROM job WHERE id = :id AND lease = :lease FOR UPDATE", id=self.id, lease=self.lease)
            if row is None:
                raise LeaseLost
            yield tx
        if self._saved is not None:
            self.cursor, self.progress = self._saved

    async def save(self, tx: "Tx", *, cursor: Mapping[str, Any] | None = None, progress: Mapping[str, Any] | None = None) -> None:
        """Save where the work stands, in the step's transaction; counts and codes only."""
        self._saved = (dict(self.cursor if cursor is None else cursor), dict(self.progress if progress is None else progress))
        await tx.run(
            "UPDATE job SET cursor = :cursor, progress = :progress, updated_at = :at, attempts = 0 WHERE id = :id",
            id=self.id,
            cursor=msgspec.json.encode(self._saved[0]).decode(),
            progress=msgspec.json.encode(self._saved[1]).decode(),
            at=tx.stamp.wall,
        )


Handler = Callable[[JobRun], Awaitable[Mapping[str, Any] | None]]


class JobRunner:
    """Takes and works jobs until cancelled; `stop` lets steps end and returns the leases."""

    def __init__(self, db: "Database", service: str, handlers: Mapping[str, Handler], files: Files, workers: int = 2) -> None:
        self._db = db
        self._files = files
        self._scope = Scope.system(service)
        self._handlers = dict(handlers)
        self._workers = workers
        self._stopping = False
        self._running: dict[UUID, JobRun] = {}

    def stop(self) -> None:
        """Take no more jobs and tell the running ones."""
        self._stopping = True
        for run in self._running.values():
            run.stopping = True

    async def run(self) -> None:
        """Work until cancelled. Cancellation returns the leases of what is unfinished."""
        if not self._handlers:
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._worker(), name=f"jobs-{number}")

    async def _worker(self) -> None:
        failures = 0
        while not self._stopping:
            try:
                worked = await self.work_one()
                failures = 0
            except Exception as error:
                if not transient(error):
                    raise
                failures += 1
                log.warning("jobs wait", error=kind_of(error))
                await asyncio.sleep(min(5.0, 0.2 * 2**failures) * random.uniform(0.5, 1))
                continue
            if not worked:
                await asyncio.sleep(POLL_SECONDS)

    async def take(self) -> JobRun | None:
        """The oldest job that nobody holds, leased to us."""
        lease = new_id()

        async def work(tx: "Tx") -> Mapping[str, Any] | None:
            row = await tx.one(
                "UPDATE job SET state = 'running', lease = :lease, lease_until = :until, attempts = attempts + 1, updated_at = :wall"
                " WHERE id = (SELECT id FROM job WHERE state IN ('queued', 'running') AND kind = ANY(CAST(:kinds AS text[]))"
                " AND (lease_until IS NULL OR lease_until < :wall) AND (not_before IS NULL OR not_before <= :wall)"
                " ORDER BY created_at LIMIT 1 FOR UPDATE SKIP LOCKED)"
                " RETURNING id, kind, region, actor, payload, cursor, progress, attempts",
                lease=lease,
                until=tx.stamp.wall + LEASE,
                wall=tx.stamp.wall,
                kinds=sorted(self._handlers),
            )
            return None if row is None else dict(row)

        row = await self._db.attempt("worker", self._scope, "jobs.take", work)
        return None if row is None else JobRun(self._db, self._scope, self._files, row, lease)

    async def work_one(self) -> bool:
        """Take one job and work it to its end, or as far as it goes; False when there was none."""
        run = await self.take()
        if run is None:
            return False
        run.stopping = self._stopping
        self._running[run.id] = run
        keeper = asyncio.create_task(self._keep(run), name="lease")
        try:
            with tracing.span():
                result = await self._handlers[run.kind](run)
                await self._end(run, "done", result=result or {})
        except LeaseLost:
            log.warning("job lost", kind=run.kind, job=str(run.id))
        except asyncio.CancelledError:
            await asyncio.shield(self._give_back(run, wait=False))
            raise
        except Exception as error:  # noqa: BLE001 - recorded on the job: tried again, or failed for good
            await self._failed(run, error)
        finally:
            keeper.cancel()
            del self._running[run.id]
        return True

    async def _failed(self, run: JobRun, error: Exception) -> None:
        if run.stopping and not isinstance(error, Problem):
            await self._give_back(run, wait=False)
            return
        never = isinstance(error, Problem) and not transient(error)
        log.error("job failed", kind=run.kind, job=str(run.id), error=kind_of(error), where=where(error), attempts=run.attempts)
        if never or run.attempts >= ATTEMPTS:
            await self._end(run, "failed", error=error.slug if isinstance(error, Problem) else type(error).__name__)
        else:
            await self._give_back(run, wait=True)

    async def _keep(self, run: JobRun) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                async with self._db.begin("worker", self._scope, "jobs.renew") as tx:
                    await tx.run(
                        "UPDATE job SET lease_until = :until WHERE id = :id AND lease = :lease",
                        id=run.id,
                        lease=run.lease,
                        until=tx.stamp.wall + LEASE,
                    )
            except Exception as error:
                if not transient(error):
                    raise
                log.warning("lease not renewed", job=str(run.id), error=kind_of(error))

    async def _end(self, run: JobRun, state: str, *, result: Mapping[str, Any] | None = None, error: str = "") -> None:
        async def work(tx: "Tx") -> int:
            return await tx.run(
                "UPDATE job SET state = :state, result = :result, error = :error, lease = NULL, lease_until = NULL,"
                " updated_at = :wall, finished_at = :wall WHERE id = :id AND lease = :lease",
                id=run.id,
                lease=run.lease,
                state=state,
                result=msgspec.json.encode(result or {}).decode(),
                error=error,
                wall=tx.stamp.wall,
            )

        if await self._db.attempt("worker", self._scope, "jobs.end", work):
            metrics.JOBS_ENDED.labels(run.kind, state).inc()

    async def _give_back(self, run: JobRun, *, wait: bool) -> None:
        async def work(tx: "Tx") -> None:
            pause = min(LONGEST_WAIT, timedelta(seconds=0.5 * 2 ** min(run.attempts, 12)))
            await tx.run(
                "UPDATE job SET state = 'queued', lease = NULL, lease_until = NULL, not_before = :later, updated_at = :wall"
                + (" " if wait else ", attempts = greatest(attempts - 1, 0) ")
                + "WHERE id = :id AND lease = :lease",
                id=run.id,
                lease=run.lease,
                later=tx.stamp.wall + pause if wait else None,
                wall=tx.stamp.wall,
            )

        await self._db.attempt("worker", self._scope, "jobs.give_back", work)
