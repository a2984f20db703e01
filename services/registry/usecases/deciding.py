"""Decisions that follow from what is recorded: the scheme's verdict, the guards' last day, the day a paper runs out."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from services.registry import store
from services.registry.domain import people, records, scheme
from services.registry.domain.standing import Present
from services.registry.store.vault import Safe
from shared.db import Tx
from shared.regulation import Pack, rules
from shared.timers import Timer, cancel, schedule

EXPIRY = "credential_expiry"


async def decide_eligibility(tx: Tx, pack: Pack, worker_ids: Iterable[UUID]) -> int:
    """Decide anew for these workers and tell what changed; how many did."""
    bar = rules.appointment_bar(pack, tx.stamp.day)
    decided = []
    for row in await store.standings.deciding(tx, worker_ids):
        present = Present(exit=row["exit"], leaving=row["leaving"], trace=row["trace"])
        verdict = scheme.eligibility(present, row["service_start"], row["since"], bar)
        if (verdict.verdict, list(verdict.reasons)) != (row["verdict"], row["reasons"]):
            decided.append((row["region"], row["id"], verdict))
    await store.standings.save_eligibility(tx, decided)
    for region, worker, verdict in decided:
        tx.emit(scheme.eligibility_fact(region, worker, verdict), pack=pack.sha256)
    return len(decided)


async def keep_records(tx: Tx, pack: Pack, kind: str, region: str, rows: Sequence[dict[str, Any]]) -> dict[UUID, bool]:
    """Write dated records and tell those that changed; ids of what changed, True when it was new."""
    folded = records.newest(kind, rows)
    found = await store.imports.save_records(tx, kind, region, list(folded.values()))
    changed = [row for row_id, row in folded.items() if row_id in found]
    for row in changed:
        tx.emit(records.fact_of(kind, region, row, tx.stamp.day), pack=pack.sha256 if kind == "credentials" else "")
    if kind == "credentials":
        await _watch(tx, pack, region, changed)
    return found


async def _watch(tx: Tx, pack: Pack, region: str, changed: Sequence[Mapping[str, Any]]) -> None:
    """Each paper has a timer for the first local moment after its last day."""
    zone = rules.timezone(pack, tx.stamp.day)

    def due(last: date) -> datetime:
        return datetime.combine(last + timedelta(days=1), time(), zone)

    await schedule(tx, EXPIRY, [Timer(row["id"], due(row["valid_until"]), region) for row in changed if row["valid_until"]])
    await cancel(tx, EXPIRY, [row["id"] for row in changed if not row["valid_until"]])


async def keep_guard_dates(tx: Tx, safe: Safe, pack: Pack, region: str, holders: Mapping[UUID, UUID]) -> None:
    """For workers (with their persons) who may stand guard by their papers: the last day on which their age allows it."""
    if not holders:
        return
    sealed = await store.people.sealed(tx, holders.values())
    rows = []
    for worker, person in holders.items():
        if person in sealed:
            born = safe.open(person, *sealed[person]).birth_date
            rows += guard_rows(pack, worker, born, tx.stamp.day)
    await keep_records(tx, pack, "credentials", region, rows)


def guard_rows(pack: Pack, worker_id: UUID, born: date, today: date) -> list[dict[str, Any]]:
    """The record of a guard's last day, when the rules know an age limit. It begins on a day that says nothing of the person; a
    corrected birth date replaces it."""
    until = scheme.guard_until(pack, born, today)
    return [] if until is None else [records.guard_record(worker_id, people.EARLIEST, until)]


async def expire_credentials(tx: Tx, ids: Sequence[UUID]) -> None:
    """The last day of these papers has passed: mark and tell them, unless they were renewed meanwhile."""
    for fact in await store.books.expire(tx, ids):
        tx.emit(fact)
