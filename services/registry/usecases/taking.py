"""Taking in the rows of a file: one chunk, one transaction, a constant number of statements, whatever is in it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from services.registry import store
from services.registry.domain import people as person
from services.registry.domain import profiles, records, rows, scheme, standing
from services.registry.domain.rows import Defect, FactRow, Kind, PersonRow
from services.registry.domain.standing import Standing, Topic
from services.registry.domain.text import Header, Line
from services.registry.store.imports import Reject
from services.registry.store.people import Holder, Known, NewWorker
from services.registry.store.vault import Marks, Safe, Sealed, random_number, read_nik
from services.registry.usecases.deciding import decide_eligibility, guard_rows, keep_guard_dates, keep_records
from shared.db import Tx
from shared.events.registry import ContactChanged
from shared.ids import derived_id, new_id
from shared.regulation import Pack, rules


@dataclass(frozen=True, slots=True)
class Batch:
    """Where the rows come from."""

    import_id: UUID
    region: str
    kind: Kind
    wrapped: bytes
    header: Header


@dataclass(slots=True)
class Counts:
    """What became of the rows of a chunk."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    rejected: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Bad:
    """Rejects on their way: the line, what is wrong, whose it is."""

    found: list[tuple[Line, str, str, str]] = field(default_factory=list)

    def add(self, line: Line, column: str, code: str, entry: str = "") -> None:
        self.found.append((line, column, code, entry))


async def take_rows(tx: Tx, safe: Safe, batch: Batch, lines: Sequence[Line]) -> Counts:
    """Take in one chunk: people, or dated things about people. Bad rows are put aside with a reason; good ones go on."""
    pack = await tx.pack(batch.region)
    codes = codes_of(tx, pack)
    bad, counts = _Bad(), Counts(read=len(lines))
    cells = []
    for line in lines:
        if line.cells is None:
            bad.add(line, "", line.code)
        else:
            cells.append((line, dict(zip(batch.header.columns, line.cells, strict=True))))
    if batch.kind.read is None:
        await _take_people(tx, safe, pack, batch, codes, cells, bad, counts)
    else:
        await _take_facts(tx, safe, pack, batch, codes, cells, bad, counts)
    await _put_aside(tx, safe, batch, bad, counts)
    await store.imports.count(tx, batch.import_id, read=counts.read, new=counts.new, changed=counts.changed, unchanged=counts.unchanged)
    return counts


def codes_of(tx: Tx, pack: Pack) -> rows.Codes:
    """The codes rows are held against, as of today."""
    day = tx.stamp.day
    return rows.Codes(
        agencies=frozenset(rules.agencies(pack, day)),
        kecamatan=frozenset(rules.kecamatan(pack, day)),
        families=frozenset(job.family for job in rules.jobs(pack, day).values()),
        bar=rules.appointment_bar(pack, day),
        today=day,
        nik=read_nik,
    )


async def _put_aside(tx: Tx, safe: Safe, batch: Batch, bad: _Bad, counts: Counts) -> None:
    sealed = safe.seal_rows(batch.import_id, batch.wrapped, [(line.number, line.raw) for line, *_ in bad.found])
    rejects = []
    for (line, column, code, entry), raw in zip(bad.found, sealed, strict=True):
        rejects.append(Reject(line.number, column, code, entry, raw))
        counts.rejected[code] = counts.rejected.get(code, 0) + 1
    await store.imports.add_rejects(tx, batch.import_id, batch.region, rejects)


# People -------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Row:
    line: Line
    row: PersonRow
    entries: tuple[str, ...]
    marks: Marks


async def _take_people(
    tx: Tx,
    safe: Safe,
    pack: Pack,
    batch: Batch,
    codes: rows.Codes,
    cells: Sequence[tuple[Line, Mapping[str, str]]],
    bad: _Bad,
    counts: Counts,
) -> None:
    # Reading and sealing thousands of rows takes seconds; heartbeats and HTTP share this loop.
    read = await asyncio.to_thread(_read_people, safe, codes, cells, bad)
    entries = sorted({entry for one in read for entry in one.entries})
    known = await store.people.known(tx, entries)
    erased = await store.people.suppressed(tx, entries)
    seen = await store.imports.seen(tx, batch.import_id, sorted({one.entries[0] for one in read}))
    accepted, conflicts = _sort_out(batch.region, read, known, erased, seen, bad)
    await store.imports.see(tx, batch.import_id, batch.region, [one.entries[0] for one, _ in accepted])
    await store.imports.add_conflicts(tx, batch.import_id, batch.region, conflicts)
    await _add_people(tx, safe, pack, batch.region, [one for one, held in accepted if held is None])
    counts.new = sum(held is None for _, held in accepted)
    counts.changed = await _change_people(tx, safe, pack, batch.region, [(one, held) for one, held in accepted if held is not None])
    counts.unchanged = len(accepted) - counts.new - counts.changed


def _read_people(safe: Safe, codes: rows.Codes, cells: Sequence[tuple[Line, Mapping[str, str]]], bad: _Bad) -> list[_Row]:
    read = []
    for line, texts in cells:
        try:
            row = rows.person(line.number, texts, codes)
        except Defect as defect:
            bad.add(line, defect.column, defect.code)
        else:
            read.append(_Row(line, row, safe.nik_candidates(row.identity.nik), safe.marks(row.identity)))
    return read


def _sort_out(
    region: str, read: Sequence[_Row], known: Mapping[str, Known], erased: set[str], seen: set[str], bad: _Bad
) -> tuple[list[tuple[_Row, Known | None]], list[tuple[int, str]]]:
    """Rows to take, each with whom the vault holds already, and rows that another region holds (line, region)."""
    accepted: list[tuple[_Row, Known | None]] = []
    conflicts: list[tuple[int, str]] = []
    names: dict[str, tuple[str, ...]] = {}
    for one in read:
        entry = one.entries[0]
        held = next((known[candidate] for candidate in one.entries if candidate in known), None)
        if held is not None and held.region != region:
            bad.add(one.line, rows.KEY, "held_elsewhere", entry)
            conflicts.append((one.line.number, held.region))
        elif any(candidate in erased for candidate in one.entries):
            bad.add(one.line, rows.KEY, "erased_before")
        elif not set(one.marks.names) & {held.name_entry} if held is not None else entry in names and names[entry] != one.marks.names:
            bad.add(one.line, "name", "nik_two_names", entry)
        else:
            if one.row.barred:
                bad.add(one.line, "appointment_date", "appointment_barred", entry)
            if entry not in seen:
                seen.add(entry)
                names[entry] = one.marks.names
                accepted.append((one, held))
            elif not one.row.barred:
                bad.add(one.line, rows.KEY, "duplicate_row", entry)
    return accepted, conflicts


def _seal_new(safe: Safe, new: Sequence[_Row]) -> list[tuple[NewWorker, Sealed, str]]:
    """Each new worker, what is stored of the person, and the box for the front desk."""
    found = []
    for one in new:
        person_id, worker_id, number = new_id(), new_id(), person.worker_number(random_number())
        worker = NewWorker(worker_id, person_id, number, one.row.profile, one.row.barred)
        box = safe.contact(worker_id, number, one.row.identity)
        found.append((worker, safe.seal(person_id, one.row.identity, one.marks), box))
    return found


async def _add_people(tx: Tx, safe: Safe, pack: Pack, region: str, new: Sequence[_Row]) -> None:
    if not new:
        return
    today, bar = tx.stamp.day, rules.appointment_bar(pack, tx.stamp.day)
    sealed = await asyncio.to_thread(_seal_new, safe, new)
    ends: list[Standing] = []
    decided, guards = [], []
    for one, (worker, _, box) in zip(new, sealed, strict=True):
        profile = worker.profile
        for fact in profiles.registered(region, worker.id, worker.number, profile):
            tx.emit(fact)
        if profile.service_end is not None:
            ends.append(profiles.end_of(region, worker.id, profile.service_end, 0, today))
        verdict = scheme.eligibility(standing.Present(), profile.service_start, profile.service_start, bar)
        decided.append((region, worker.id, verdict))
        tx.emit(scheme.eligibility_fact(region, worker.id, verdict), pack=pack.sha256)
        tell_contact(tx, region, worker.id, box)
        if scheme.needs_guard_date(profile.job_family):
            guards += guard_rows(pack, worker.id, one.row.identity.birth_date, today)
    await store.people.add_people(tx, region, [(worker.person_id, kept) for worker, kept, _ in sealed])
    await store.people.add_workers(tx, region, [worker for worker, _, _ in sealed])
    await store.standings.add(tx, ends)
    await store.standings.save_eligibility(tx, decided)
    await keep_records(tx, pack, "credentials", region, guards)


def tell_contact(tx: Tx, region: str, worker_id: UUID, box: str) -> None:
    """How the person is reached, for notify alone."""
    contact = derived_id("contact", worker_id)
    tx.emit(ContactChanged(region=region, effective_on=tx.stamp.day, contact_id=contact, worker_id=worker_id, sealed=box))


async def _change_people(tx: Tx, safe: Safe, pack: Pack, region: str, held: Sequence[tuple[_Row, Known]]) -> int:
    """Only what differs is sealed, written and told."""
    today = tx.stamp.day
    sealed: list[tuple[UUID, Sealed]] = []
    corrected: list[tuple[UUID, person.Profile]] = []
    ends: list[Standing] = []
    guards: list[dict[str, Any]] = []
    restarted: list[UUID] = []
    changed = 0
    for one, known in held:
        identity, profile, old = one.row.identity, one.row.profile, known.profile
        other = one.marks.content_mac != known.content_mac
        moved = profile != old
        if known.gone or not (other or moved):
            continue
        changed += 1
        if other:
            sealed.append((known.person_id, safe.seal(known.person_id, identity, one.marks, known.wrapped)))
            if one.marks.contact_mac != known.contact_mac:
                tell_contact(tx, region, known.worker_id, safe.contact(known.worker_id, known.worker_number, identity))
        if moved:
            corrected.append((known.worker_id, profile))
            for fact in profiles.corrected(region, known.worker_id, old, profile, today):
                tx.emit(fact)
            if profile.service_end != old.service_end:
                ends.append(profiles.end_of(region, known.worker_id, profile.service_end, str(new_id()), today))
            if profile.service_start != old.service_start:
                restarted.append(known.worker_id)
        if scheme.needs_guard_date(profile.job_family):
            guards += guard_rows(pack, known.worker_id, identity.birth_date, today)
    if changed:
        await store.people.reseal_people(tx, sealed)
        await store.people.correct_workers(tx, corrected)
        await store.standings.add(tx, ends)
        await keep_records(tx, pack, "credentials", region, guards)
    if restarted:
        await decide_eligibility(tx, pack, restarted)
    return changed


# Dated things about people ------------------------------------------------------------------------------------------------------

TOPICS: Mapping[str, Topic] = {
    "stops": "service",
    "recalls": "service",
    "proposals": "proposal",
    "exits": "exit",
    "leavings": "leaving",
    "untraced": "trace",
}
DECIDING = frozenset({"exits", "leavings", "untraced"})
SERVICE = {"stops": "laid_off", "recalls": "recalled"}


async def _take_facts(
    tx: Tx,
    safe: Safe,
    pack: Pack,
    batch: Batch,
    codes: rows.Codes,
    cells: Sequence[tuple[Line, Mapping[str, str]]],
    bad: _Bad,
    counts: Counts,
) -> None:
    read: list[tuple[Line, FactRow, tuple[str, ...]]] = []
    for line, texts in cells:
        try:
            row = rows.fact(batch.kind, line.number, texts, codes)
        except Defect as defect:
            bad.add(line, defect.column, defect.code)
        else:
            read.append((line, row, safe.nik_candidates(row.nik) if row.nik else (row.number,)))
    asked = sorted({entry for _, row, entries in read if row.nik for entry in entries})
    held = await store.people.holders(tx, asked, sorted({row.number for _, row, _ in read if row.number}))
    erased = await store.people.suppressed(tx, asked)
    found: list[tuple[FactRow, Holder]] = []
    for line, row, entries in read:
        column, entry = (rows.KEY, entries[0]) if row.nik else (rows.NUMBER, "")
        holder = next((held[one] for one in entries if one in held), None)
        if holder is None:
            bad.add(line, column, "erased_before" if any(one in erased for one in entries) else "unknown_person")
        elif holder.region != batch.region:
            bad.add(line, column, "held_elsewhere", entry)
        else:
            found.append((row, holder))
    if batch.kind.name in TOPICS:
        counts.new = await _keep_standings(tx, pack, batch, found)
        counts.unchanged = len(found) - counts.new
    else:
        fresh = await _keep_records(tx, safe, pack, batch, found)
        counts.new = sum(fresh.values())
        counts.changed = len(fresh) - counts.new
        counts.unchanged = len(found) - len(fresh)


async def _keep_standings(tx: Tx, pack: Pack, batch: Batch, found: Sequence[tuple[FactRow, Holder]]) -> int:
    kind, topic = batch.kind.name, TOPICS[batch.kind.name]
    standings: dict[UUID, Standing] = {}
    for row, holder in found:
        v = row.values
        one = standing.standing(
            batch.region,
            holder.worker_id,
            topic,
            SERVICE.get(kind) or v["value"],
            v["effective_on"],
            v.get("decree_number", ""),
            v.get("decree_date"),
        )
        standings.setdefault(one.id, one)
    new = await store.standings.add(tx, standings.values())
    for one_id, one in standings.items():
        fact = standing.fact_of(one) if one_id in new else None
        if fact is not None:
            tx.emit(fact)
    if kind in DECIDING and new:
        await decide_eligibility(tx, pack, {standings[one].worker_id for one in new})
    return len(new)


async def _keep_records(tx: Tx, safe: Safe, pack: Pack, batch: Batch, found: Sequence[tuple[FactRow, Holder]]) -> dict[UUID, bool]:
    kind = batch.kind.name
    kept = [records.record(kind, holder.worker_id, row.values) for row, holder in found]
    fresh = await keep_records(tx, pack, kind, batch.region, kept)
    if kind == "credentials":
        told = {row["worker_id"] for row in kept if row["id"] in fresh and row["credential"] in person.GUARD_CREDENTIALS}
        guards = {h.worker_id: h.person_id for _, h in found if h.worker_id in told and h.job_family != person.GUARD_FAMILY}
        await keep_guard_dates(tx, safe, pack, batch.region, guards)
    return fresh
