"""One batch of records, one transaction: sequence check, effects, positions, parked rows; all of it or nothing.

The number of statements does not depend on the size of the batch. Only when an event fails, the batch is halved inside
savepoints until the failing event stands alone and is parked; everything else of the batch goes on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy.exc import DBAPIError

from shared import logs, metrics
from shared.db import Database, LostRace, Tx, constraint, doc, lost_race, sqlstate, transient
from shared.envelope import Poison, Reader, Record, Told
from shared.errors import NotNow, Problem
from shared.identity.scope import Scope
from shared.ids import derived_id
from shared.parking import Sealer
from shared.sequence import PARKED, Arrival, Position, Step, Waiting, decide
from shared.subscriptions import Outcome, Subscription, outcomes

OWN_ERRORS: Final = 20
"""Over this many aggregates hit by one error class of our own, the consumer stops: the fault is ours, not theirs."""

log = logs.logger("inbox")


class Halted(Exception):
    """One error class of our own hit too many aggregates; nothing of the batch was applied or parked."""


class StaleGeneration(Exception):
    """The consumer was rebuilt under a new generation: this one must stop and start again with the new group."""


@dataclass(slots=True)
class Candidate:
    """An event whose turn has come, on its way through the handler."""

    aggregate_id: UUID
    told: Told
    step: Step
    record: Record | None
    row: UUID | None
    outcome: Outcome | None = None
    failed: str = ""
    """why it cannot be applied; `behind` when one before it cannot"""


@dataclass(slots=True)
class Taken:
    """What became of a batch. `outcomes` counts by name."""

    outcomes: dict[str, int] = field(default_factory=dict)
    duplicates: int = 0
    statements: int = 0

    def count(self, name: str, by: int = 1) -> None:
        """Add to an outcome."""
        self.outcomes[name] = self.outcomes.get(name, 0) + by


@dataclass(slots=True)
class _Batch:
    """One attempt at a batch."""

    items: list[tuple[Record, Told | Poison]]
    by_aggregate: dict[UUID, list[int]]
    seen: dict[UUID, Position] = field(default_factory=dict)
    rows: dict[UUID, list[Any]] = field(default_factory=dict)
    candidates: list[Candidate] = field(default_factory=list)
    parked: list[dict[str, Any]] = field(default_factory=list)
    moved: list[dict[str, Any]] = field(default_factory=list)
    """parked rows that are done with, or that failed again"""
    own_errors: dict[str, set[UUID]] = field(default_factory=dict)
    taken: Taken = field(default_factory=Taken)


class Inbox:
    """The receiving side of one subscription."""

    def __init__(self, db: Database, subscription: Subscription, reader: Reader, sealer: Sealer, *, generation: int = 1) -> None:
        self.db = db
        self.subscription = subscription
        self.name = subscription.name
        self.reader = reader
        self.sealer = sealer
        self.generation = generation
        self.scope = Scope.system(db.service)
        self._own_errors: dict[str, set[UUID]] = {}

    async def take(self, records: Sequence[Record], *, drain: Sequence[UUID] = ()) -> Taken:
        """Apply the records (and what of `drain`'s aggregates waits); commits. Raises what is transient, and `Halted`."""
        items = [(record, self.reader.read(record)) for record in records]
        by_aggregate: dict[UUID, list[int]] = {aggregate: [] for aggregate in drain}
        for index, (_, read) in enumerate(items):
            if read.aggregate_id is not None:
                by_aggregate.setdefault(read.aggregate_id, []).append(index)
        batch = await self.db.attempt("worker", self.scope, f"{self.db.service}.{self.name}", partial(self._work, items, by_aggregate))
        for name, aggregates in batch.own_errors.items():
            self._own_errors.setdefault(name, set()).update(aggregates)
        if batch.candidates and not batch.own_errors:
            self._own_errors.clear()
        for outcome, number in batch.taken.outcomes.items():
            metrics.OUTCOMES.labels(self.name, outcome).inc(number)
        metrics.DUPLICATES.labels(self.name).inc(batch.taken.duplicates)
        return batch.taken

    async def _work(self, items: list[tuple[Record, Told | Poison]], by: dict[UUID, list[int]], tx: Tx) -> _Batch:
        tx.may_emit = self.subscription.sort == "reaction"
        batch = _Batch(items, by)
        await self._load(tx, batch)
        self._decide(tx, batch)
        await self._effects(tx, batch)
        await self._save(tx, batch)
        await tx.flush()
        batch.taken.statements = tx.statements
        return batch

    async def _load(self, tx: Tx, batch: _Batch) -> None:
        current = await tx.one("SELECT generation FROM consumer WHERE name = :name FOR SHARE", name=self.name)
        if current is None or current["generation"] != self.generation:
            raise StaleGeneration(self.name)
        ids = list(batch.by_aggregate)
        for row in await tx.rows(
            "SELECT aggregate_id, version, event_id FROM position WHERE consumer = :name AND aggregate_id = ANY(CAST(:ids AS uuid[]))",
            name=self.name,
            ids=ids,
        ):
            batch.seen[row["aggregate_id"]] = Position(row["version"], row["event_id"])
        for row in await tx.rows(
            "SELECT id, aggregate_id, version, event_id, kind, release, record FROM parked WHERE state = 'waiting'"
            " AND consumer = :name AND aggregate_id = ANY(CAST(:ids AS uuid[])) ORDER BY aggregate_id, version, parked_at, id",
            name=self.name,
            ids=ids,
        ):
            batch.rows.setdefault(row["aggregate_id"], []).append(row)

    def _decide(self, tx: Tx, batch: _Batch) -> None:
        """Fill candidates in partition order, and park what is not to be applied."""
        ordered: list[tuple[int, Candidate]] = []
        for record, read in batch.items:
            if isinstance(read, Poison) and read.aggregate_id is None:
                self._park(tx, batch, "poison", read.reason, record, read)
        for aggregate, indexes in batch.by_aggregate.items():
            rows = batch.rows.get(aggregate, [])
            arrivals = [_arrival(batch.items[i][1]) for i in indexes]
            waiting = [Waiting(r["version"], r["event_id"], r["kind"], r["release"]) for r in rows]
            anchor = -1
            seen = batch.seen.get(aggregate, Position())
            for step in decide(seen, waiting, arrivals, compacted=self.reader.stream.compacted):
                if step.source == "arrival":
                    record, read = batch.items[indexes[step.index]]
                    anchor = max(anchor, indexes[step.index])
                    if step.verdict == "apply":
                        assert isinstance(read, Told)
                        ordered.append((anchor, Candidate(aggregate, read, step, record, None)))
                    elif step.verdict in PARKED:
                        reason = read.reason if isinstance(read, Poison) else step.verdict
                        self._park(tx, batch, step.verdict, reason, record, read)
                    else:
                        batch.taken.duplicates += 1
                elif step.verdict == "apply":
                    ordered.append((anchor, self._again(rows[step.index], aggregate, step)))
                else:
                    batch.moved.append(_moved(rows[step.index]["id"], "applied"))
        ordered.sort(key=lambda pair: pair[0])
        batch.candidates = [candidate for _, candidate in ordered]

    def _again(self, row: Any, aggregate: UUID, step: Step) -> Candidate:
        """A candidate out of a parked row."""
        read = self.reader.read(self.sealer.open(self.name, row["record"]))
        if isinstance(read, Told):
            return Candidate(aggregate, read, step, None, row["id"])
        told = Told(row["event_id"], "", aggregate, row["version"], read.region, _NEVER, "", "", row["event_id"], None)
        return Candidate(aggregate, told, step, None, row["id"], failed=read.reason)

    async def _effects(self, tx: Tx, batch: _Batch) -> None:
        blocked: set[UUID] = set()
        call: list[Candidate] = []
        last = {candidate.aggregate_id: candidate for candidate in batch.candidates}
        strict = not self.reader.stream.compacted
        for candidate in batch.candidates:
            if strict and candidate.aggregate_id in blocked:
                candidate.failed = "behind"
            elif candidate.failed:
                blocked.add(candidate.aggregate_id)
            elif candidate.told.fact is None:
                candidate.outcome = Outcome("applied", "unheard")
            elif not (last[candidate.aggregate_id].told.tombstone and not strict):
                call.append(candidate)
            else:
                candidate.outcome = Outcome("applied")
        await self._call(tx, batch, call, blocked if strict else None)
        if strict:
            self._hold_back(batch, blocked)
        gone = [c.aggregate_id for c in last.values() if c.told.tombstone]
        if gone and self.subscription.gone is not None:
            await self.subscription.gone(tx, gone)

    def _hold_back(self, batch: _Batch, blocked: set[UUID]) -> None:
        """Nothing of an aggregate is applied behind its first failure: not even a type that nobody hears."""
        stopped: set[UUID] = set()
        for candidate in batch.candidates:
            if candidate.aggregate_id not in blocked:
                continue
            if candidate.aggregate_id in stopped:
                candidate.outcome, candidate.failed = None, candidate.failed or "behind"
            elif candidate.failed:
                stopped.add(candidate.aggregate_id)

    async def _call(self, tx: Tx, batch: _Batch, call: Sequence[Candidate], blocked: set[UUID] | None) -> None:
        """Hand the candidates to the handler; when that fails, halve until what fails stands alone."""
        ready: list[Candidate] = []
        for candidate in call:
            if blocked is not None and candidate.aggregate_id in blocked:
                candidate.failed = "behind"
            else:
                ready.append(candidate)
        if not ready:
            return
        try:
            async with tx.savepoint():
                heard = [candidate.told.heard() for candidate in ready]
                answer = outcomes(await self.subscription(tx, heard), heard)
                await tx.flush()
                if blocked is not None:
                    _no_effect_behind(ready, answer)
        except _AppliedBehind as problem:
            # The handler went on behind an event it parked: again, without what came after it.
            await self._call(tx, batch, [c for c in ready if c not in problem.behind], blocked)
            await self._call(tx, batch, problem.behind, blocked)
        except Exception as error:  # noqa: BLE001 - every class of failure is told apart in _fails
            failed = self._fails(batch, ready, error)
            if not failed:
                middle = len(ready) // 2
                await self._call(tx, batch, ready[:middle], blocked)
                await self._call(tx, batch, ready[middle:], blocked)
            elif ready[0].failed and blocked is not None:
                blocked.add(ready[0].aggregate_id)
        else:
            for candidate, outcome in zip(ready, answer, strict=True):
                if outcome.kind == "parked":
                    candidate.failed = outcome.slug or "parked"
                    if blocked is not None:
                        blocked.add(candidate.aggregate_id)
                else:
                    candidate.outcome = outcome

    def _fails(self, batch: _Batch, ready: Sequence[Candidate], error: Exception) -> bool:
        """Judge a failure of the handler: raise what will pass, answer False to halve, or settle the single event."""
        if transient(error) or lost_race(error) or isinstance(error, Halted):
            raise error
        if len(ready) > 1:
            return False
        candidate = ready[0]
        if isinstance(error, Problem) and not isinstance(error, NotNow):
            candidate.outcome = Outcome("refused", error.slug)
            return True
        state = sqlstate(error)
        if isinstance(error, DBAPIError) and state[:2] in {"22", "23"}:
            candidate.failed = f"database-{state}" + (f":{name}" if (name := constraint(error)) else "")
            return True
        name = f"{type(error).__name__}{':' + state if state else ''}"
        hit = batch.own_errors.setdefault(name, set())
        hit.add(candidate.aggregate_id)
        log.error("handler failed", consumer=self.name, error=name, event_type=candidate.told.type, exc_info=False)
        if len(hit | self._own_errors.get(name, set())) > OWN_ERRORS:
            raise Halted(name)
        candidate.failed = f"error-{name}"
        return True

    async def _save(self, tx: Tx, batch: _Batch) -> None:
        reached: dict[UUID, Candidate] = {}
        refusals: list[dict[str, Any]] = []
        for candidate in batch.candidates:
            if candidate.outcome is not None:
                reached[candidate.aggregate_id] = candidate
                name = candidate.outcome.slug if candidate.outcome.slug == "unheard" else candidate.outcome.kind
                batch.taken.count(name)
                if candidate.outcome.kind == "refused":
                    refusals.append({"event_id": candidate.told.id, "slug": candidate.outcome.slug})
                if candidate.row is not None:
                    batch.moved.append(_moved(candidate.row, "applied"))
            elif candidate.row is not None:
                if candidate.failed != "behind":
                    batch.moved.append(_moved(candidate.row, "waiting", "failed", candidate.failed))
            else:
                assert candidate.record is not None
                kind = "behind" if candidate.failed == "behind" else "failed"
                self._park(tx, batch, kind, candidate.failed, candidate.record, candidate.told)
        await self._positions(tx, batch, reached)
        if batch.parked:
            await tx.run(_PARK, d=doc(batch.parked), name=self.name, at=tx.stamp.wall)
        if batch.moved:
            await tx.run(_MOVE, d=doc(batch.moved), at=tx.stamp.wall)
        if refusals:
            await tx.run(_REFUSED, d=doc(refusals), name=self.name, at=tx.stamp.wall)

    async def _positions(self, tx: Tx, batch: _Batch, reached: dict[UUID, Candidate]) -> None:
        """Compare-and-set, both counted: another pod that was here first makes this attempt start again."""
        known = [
            {"a": aggregate, "was": batch.seen[aggregate].version, "v": c.told.version, "e": c.told.id}
            for aggregate, c in reached.items()
            if aggregate in batch.seen
        ]
        fresh = [{"a": aggregate, "v": c.told.version, "e": c.told.id} for aggregate, c in reached.items() if aggregate not in batch.seen]
        if known and await tx.run(_ADVANCE, d=doc(known), name=self.name) != len(known):
            raise LostRace(self.name)
        if fresh and await tx.run(_FIRST, d=doc(fresh), name=self.name) != len(fresh):
            raise LostRace(self.name)

    def _park(self, tx: Tx, batch: _Batch, kind: str, reason: str, record: Record, read: Told | Poison) -> None:
        batch.taken.count(f"parked-{kind}")
        log.warning("parked", consumer=self.name, kind=kind, reason=reason, partition=record.partition)
        batch.parked.append(
            {
                "id": _row_id(self.name, record),
                "kind": kind,
                "reason": reason[:200],
                "topic": record.topic,
                "partition": record.partition,
                "offset": record.offset,
                "event_id": read.id,
                "aggregate_id": read.aggregate_id,
                "version": read.version,
                "region": read.region,
                "record": self.sealer.seal(self.name, record).hex(),
            }
        )


class _AppliedBehind(Exception):
    def __init__(self, behind: list[Candidate]) -> None:
        super().__init__()
        self.behind = behind


def _no_effect_behind(ready: Sequence[Candidate], answer: Sequence[Outcome]) -> None:
    """A handler may park an event, but then nothing later of its aggregate may have had an effect."""
    stopped: set[UUID] = set()
    behind: list[Candidate] = []
    for candidate, outcome in zip(ready, answer, strict=True):
        if candidate.aggregate_id in stopped:
            behind.append(candidate)
        elif outcome.kind == "parked":
            stopped.add(candidate.aggregate_id)
    if behind:
        raise _AppliedBehind(behind)


def _arrival(read: Told | Poison) -> Arrival:
    assert read.version is not None and read.id is not None
    return Arrival(read.version, read.id, isinstance(read, Told))


def _row_id(consumer: str, record: Record) -> UUID:
    # With the content: after a topic was lost and filled again, an offset holds another record.
    content = hashlib.sha256(record.value or b"").hexdigest()
    return derived_id(consumer, record.topic, record.partition, record.offset, content)


def _moved(row: UUID, state: str, kind: str = "", reason: str = "") -> dict[str, Any]:
    return {"id": row, "state": state, "kind": kind, "reason": reason[:200]}


_NEVER: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_ADVANCE: Final = """
UPDATE position p SET version = t.v, event_id = t.e
FROM json_to_recordset(CAST(:d AS json)) AS t(a uuid, was int, v int, e uuid)
WHERE p.consumer = :name AND p.aggregate_id = t.a AND p.version = t.was
"""
_FIRST: Final = """
INSERT INTO position (consumer, aggregate_id, version, event_id)
SELECT :name, a, v, e FROM json_to_recordset(CAST(:d AS json)) AS t(a uuid, v int, e uuid) ORDER BY a
ON CONFLICT DO NOTHING
"""
_PARK: Final = """
INSERT INTO parked (id, consumer, kind, reason, topic, partition, "offset", event_id, aggregate_id, version, region,
                    record, parked_at)
SELECT id, :name, kind, reason, topic, partition, "offset", event_id, aggregate_id, version, region,
       decode(record, 'hex'), :at
FROM json_to_recordset(CAST(:d AS json)) AS t(
    id uuid, kind text, reason text, topic text, partition int, "offset" bigint, event_id uuid, aggregate_id uuid,
    version int, region text, record text)
ORDER BY id
ON CONFLICT DO NOTHING
"""
_MOVE: Final = """
UPDATE parked p SET state = t.state, release = false,
    kind = coalesce(nullif(t.kind, ''), p.kind), reason = coalesce(nullif(t.reason, ''), p.reason),
    decided_at = CASE WHEN t.state = 'waiting' THEN p.decided_at ELSE :at END
FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, state text, kind text, reason text)
WHERE p.id = t.id
"""
_REFUSED: Final = """
INSERT INTO inbox_outcome (consumer, event_id, outcome, slug, at)
SELECT :name, event_id, 'refused', slug, :at FROM json_to_recordset(CAST(:d AS json)) AS t(event_id uuid, slug text)
ON CONFLICT DO NOTHING
"""
