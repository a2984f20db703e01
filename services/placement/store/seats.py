"""The state that matters are folded over: loaded once under locks, saved as sets.

Locks are taken in one order (vendors, seats, lots, offers, placements, each by id). What a contract's or a vendor's end
reaches is read again under the locks, so that an offer made at the same moment is seen by one side or the other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Final
from uuid import UUID

import msgspec
from sqlalchemy.engine import RowMapping

from services.placement.domain import World
from services.placement.domain import matters as m
from services.placement.domain.values import Contract, Lot, Offer, Placement, Seat, Vendor
from shared.clock import WIB
from shared.db import LostRace, Tx, doc
from shared.ids import derived_id
from shared.timers import Timer, schedule

_LOT: Final = "id, region, contract_id, vendor_id, agency, job, site, kecamatan, wage, capacity, taken, released, excess, owed, open"
_OFFER: Final = (
    "id, region, worker_id, round_id, contract_id, lot_id, vendor_id, terms, agency, job, incumbent, starts_on, answer_by, made_on,"
    " since, state, reason, reasons"
)
_PLACEMENT: Final = (
    "id, region, worker_id, offer_id, contract_id, lot_id, vendor_id, terms, agency, job, incumbent, starts_on, since, state, ended_on,"
    " reason"
)
_SEAT: Final = "worker_id, region, barred, offer_id, placement_id, last_agency, last_job, last_reason"


@dataclass(slots=True)
class _Named:
    """The ids that a batch of matters names."""

    offers: set[UUID] = field(default_factory=set)
    placements: set[UUID] = field(default_factory=set)
    lots: set[UUID] = field(default_factory=set)
    contracts: set[UUID] = field(default_factory=set)
    over: set[UUID] = field(default_factory=set)
    vendors: dict[UUID, str] = field(default_factory=dict)
    barred: set[UUID] = field(default_factory=set)
    workers: dict[UUID, str] = field(default_factory=dict)
    leaving: set[UUID] = field(default_factory=set)
    choosing: set[UUID] = field(default_factory=set)


def _named(matters: Iterable[m.Matter]) -> _Named:
    found = _Named()
    for matter in matters:
        match matter:
            case m.Answered() | m.TermPassed() | m.Agreed():
                found.offers.add(matter.offer_id)
            case m.Gone() | m.ConsentTold():
                found.workers.setdefault(matter.worker_id, matter.region)
                found.leaving.add(matter.worker_id)
            case m.FamiliesChosen():
                found.choosing.add(matter.worker_id)
            case m.Wanted():
                found.workers.setdefault(matter.worker_id, matter.region)
                found.lots.add(matter.lot_id)
            case m.VendorKnown() | m.VendorBarred():
                found.vendors.setdefault(matter.vendor_id, matter.region)
                if isinstance(matter, m.VendorBarred):
                    found.barred.add(matter.vendor_id)
            case m.ContractTold():
                found.contracts.add(matter.contract_id)
                found.vendors.setdefault(matter.vendor_id, matter.region)
            case m.ContractOver():
                found.contracts.add(matter.contract_id)
                found.over.add(matter.contract_id)
            case m.ReductionAsked():
                found.lots.add(matter.lot_id)
            case m.Began() | m.Disputed() | m.DisputeClosed():
                found.placements.add(matter.placement_id)
    return found


async def load(tx: Tx, matters: Sequence[m.Matter]) -> World:
    """The world that these matters touch, locked. A constant number of statements for each kind of matter."""
    named = _named(matters)
    world = World()
    await _vendors(tx, named, world)
    # A worker whose offer or placement is touched through somebody else is found before the locks are taken.
    reached = await tx.rows(
        "SELECT worker_id, lot_id FROM offer WHERE id = ANY(CAST(:offers AS uuid[]))"
        " UNION SELECT worker_id, lot_id FROM placement WHERE id = ANY(CAST(:placements AS uuid[]))"
        " UNION SELECT worker_id, lot_id FROM offer WHERE state IN ('open', 'accepted') AND (worker_id = ANY(CAST(:leaving AS uuid[]))"
        " OR contract_id = ANY(CAST(:over AS uuid[])) OR vendor_id = ANY(CAST(:barred AS uuid[])))"
        " UNION SELECT worker_id, lot_id FROM placement WHERE state IN ('confirmed', 'started', 'disputed')"
        " AND (worker_id = ANY(CAST(:leaving AS uuid[])) OR contract_id = ANY(CAST(:over AS uuid[])))",
        offers=list(named.offers),
        placements=list(named.placements),
        leaving=list(named.leaving),
        over=list(named.over),
        barred=list(named.barred),
    )
    workers = set(named.workers) | {row["worker_id"] for row in reached}
    lots = named.lots | {row["lot_id"] for row in reached}
    if named.workers:
        rows = [{"worker_id": worker, "region": region} for worker, region in sorted(named.workers.items())]
        await tx.run(
            "INSERT INTO seat (worker_id, region, barred, last_agency, last_job, last_reason)"
            " SELECT worker_id, region, '', '', '', '' FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, region text)"
            " ORDER BY worker_id ON CONFLICT DO NOTHING",
            d=doc(rows),
        )
    await _seats(tx, workers, world)
    await _lots(tx, lots, named.contracts, world)
    await _held(tx, named, world)
    # Only after a race: things made between the first look and the locks.
    late = {o.worker_id for o in world.offers.values()} | {p.worker_id for p in world.placements.values()}
    if late - set(world.seats):
        await _seats(tx, late - set(world.seats), world)
    reached_lots = {o.lot_id for o in world.offers.values()} | {p.lot_id for p in world.placements.values()}
    if reached_lots - set(world.lots):
        await _lots(tx, reached_lots - set(world.lots), set(), world)
    if named.choosing:
        rows_ = await tx.rows(
            "SELECT worker_id, families FROM preference WHERE worker_id = ANY(CAST(:w AS uuid[])) ORDER BY worker_id FOR UPDATE",
            w=list(named.choosing),
        )
        world.families = {row["worker_id"]: tuple(msgspec.json.decode(row["families"], type=list[str])) for row in rows_}
    world.before = dict(world.lots)
    return world


async def _vendors(tx: Tx, named: _Named, world: World) -> None:
    if named.vendors:
        rows = [{"id": vendor, "region": region} for vendor, region in sorted(named.vendors.items())]
        await tx.run(
            "INSERT INTO vendor (id, region, name, debarred) SELECT id, region, '', false FROM json_to_recordset(CAST(:d AS json))"
            " AS t(id uuid, region text) ORDER BY id ON CONFLICT DO NOTHING",
            d=doc(rows),
        )
        found = await tx.rows(
            "SELECT id, region, name, debarred FROM vendor WHERE id = ANY(CAST(:v AS uuid[])) ORDER BY id FOR UPDATE", v=list(named.vendors)
        )
        world.vendors |= {row["id"]: Vendor(**row) for row in found}
    if named.lots:
        # Shared: offers are made side by side, a debarment waits for them and they for it.
        found = await tx.rows(
            "SELECT id, region, name, debarred FROM vendor WHERE id IN (SELECT vendor_id FROM lot WHERE id = ANY(CAST(:l AS uuid[])))"
            " ORDER BY id FOR SHARE",
            l=list(named.lots),
        )
        world.vendors |= {row["id"]: Vendor(**row) for row in found}


async def _seats(tx: Tx, workers: set[UUID], world: World) -> None:
    if not workers:
        return
    rows = await tx.rows(
        f"SELECT {_SEAT} FROM seat WHERE worker_id = ANY(CAST(:w AS uuid[])) ORDER BY worker_id FOR UPDATE", w=list(workers)
    )
    world.seats |= {row["worker_id"]: Seat(**row) for row in rows}


async def _lots(tx: Tx, lots: set[UUID], contracts: set[UUID], world: World) -> None:
    if not lots and not contracts:
        return
    rows = await tx.rows(
        f"SELECT {_LOT} FROM lot WHERE id = ANY(CAST(:l AS uuid[])) OR contract_id = ANY(CAST(:c AS uuid[])) ORDER BY id FOR UPDATE",
        l=list(lots),
        c=list(contracts),
    )
    world.lots |= {row["id"]: _lot(row) for row in rows}
    wanted = contracts | {lot.contract_id for lot in world.lots.values()}
    found = await tx.rows(
        "SELECT id, region, vendor_id, vendor_name, terms, starts_on, ends_on, state, successor_of FROM contract"
        " WHERE id = ANY(CAST(:c AS uuid[]))",
        c=list(wanted),
    )
    world.contracts |= {row["id"]: Contract(**row) for row in found}


async def _held(tx: Tx, named: _Named, world: World) -> None:
    if named.offers or named.leaving or named.over or named.barred:
        rows = await tx.rows(
            f"SELECT {_OFFER} FROM offer WHERE id = ANY(CAST(:offers AS uuid[])) OR (state IN ('open', 'accepted')"
            " AND (worker_id = ANY(CAST(:leaving AS uuid[])) OR contract_id = ANY(CAST(:over AS uuid[]))"
            " OR vendor_id = ANY(CAST(:barred AS uuid[])))) ORDER BY id FOR UPDATE",
            offers=list(named.offers),
            leaving=list(named.leaving),
            over=list(named.over),
            barred=list(named.barred),
        )
        world.offers = {row["id"]: offer(row) for row in rows}
    if named.placements or named.leaving or named.over:
        rows = await tx.rows(
            f"SELECT {_PLACEMENT} FROM placement WHERE id = ANY(CAST(:placements AS uuid[])) OR (state IN ('confirmed', 'started',"
            " 'disputed') AND (worker_id = ANY(CAST(:leaving AS uuid[])) OR contract_id = ANY(CAST(:over AS uuid[]))))"
            " ORDER BY id FOR UPDATE",
            placements=list(named.placements),
            leaving=list(named.leaving),
            over=list(named.over),
        )
        world.placements = {row["id"]: Placement(**row) for row in rows}


def _lot(row: RowMapping) -> Lot:
    owed = msgspec.json.decode(row["owed"], type=tuple[tuple[UUID, int], ...])
    return Lot(**{**row, "owed": owed})


def offer(row: RowMapping) -> Offer:
    """An offer from its row."""
    return Offer(**{**row, "reasons": tuple(msgspec.json.decode(row["reasons"], type=list[str]))})


async def save(tx: Tx, world: World) -> None:
    """Write what changed: one statement per table, facts and timers with it."""
    changed = world.changed
    if ids := changed.get("vendors"):
        await tx.run(
            "UPDATE vendor v SET name = t.name, debarred = t.debarred FROM json_to_recordset(CAST(:d AS json))"
            " AS t(id uuid, name text, debarred boolean) WHERE v.id = t.id",
            d=doc([world.vendors[i] for i in sorted(ids)]),
        )
    if ids := changed.get("contracts"):
        await tx.run(
            "INSERT INTO contract (id, region, vendor_id, vendor_name, terms, starts_on, ends_on, state, successor_of)"
            " SELECT * FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text, vendor_id uuid, vendor_name text, terms int,"
            " starts_on date, ends_on date, state text, successor_of uuid)"
            " ON CONFLICT (id) DO UPDATE SET terms = excluded.terms, starts_on = excluded.starts_on, ends_on = excluded.ends_on,"
            " state = excluded.state, vendor_name = excluded.vendor_name",
            d=doc([world.contracts[i] for i in sorted(ids)]),
        )
    if ids := changed.get("lots"):
        await _save_lots(tx, world, sorted(ids))
    if ids := changed.get("offers"):
        await tx.run(
            f"INSERT INTO offer ({_OFFER}) SELECT {_OFFER} FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text,"
            " worker_id uuid, round_id uuid, contract_id uuid, lot_id uuid, vendor_id uuid, terms int, agency text, job text,"
            " incumbent boolean, starts_on date, answer_by date, made_on date, since date, state text, reason text, reasons text)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, since = excluded.since, reason = excluded.reason,"
            " reasons = excluded.reasons, starts_on = excluded.starts_on",
            d=doc([_flat(world.offers[i], "reasons") for i in sorted(ids)]),
        )
    if ids := changed.get("placements"):
        await tx.run(
            f"INSERT INTO placement ({_PLACEMENT}) SELECT {_PLACEMENT} FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text,"
            " worker_id uuid, offer_id uuid, contract_id uuid, lot_id uuid, vendor_id uuid, terms int, agency text, job text,"
            " incumbent boolean, starts_on date, since date, state text, ended_on date, reason text)"
            " ON CONFLICT (id) DO UPDATE SET state = excluded.state, since = excluded.since, reason = excluded.reason,"
            " ended_on = excluded.ended_on",
            d=doc([world.placements[i] for i in sorted(ids)]),
        )
    if ids := changed.get("seats"):
        await tx.run(
            "UPDATE seat s SET barred = t.barred, offer_id = t.offer_id, placement_id = t.placement_id, last_agency = t.last_agency,"
            " last_job = t.last_job, last_reason = t.last_reason FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid,"
            " barred text, offer_id uuid, placement_id uuid, last_agency text, last_job text, last_reason text)"
            " WHERE s.worker_id = t.worker_id",
            d=doc([world.seats[i] for i in sorted(ids)]),
        )
    if world.chosen:
        rows = [
            {"worker_id": c.worker_id, "region": c.region, "families": doc(c.families), "given_on": c.on} for c in world.chosen.values()
        ]
        await tx.run(
            "INSERT INTO preference (worker_id, region, families, given_on) SELECT worker_id, region, families, given_on"
            " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, region text, families text, given_on date) ORDER BY worker_id"
            " ON CONFLICT (worker_id) DO UPDATE SET families = excluded.families, given_on = excluded.given_on",
            d=doc(rows),
        )
    await walk(tx, [{"worker_id": c.worker_id, "region": c.region, "value": c.value, "on": c.on} for c in world.course])
    await _follow_up(tx, world)
    for fact, cause in world.facts:
        tx.emit(fact, cause=cause)


async def walk(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add lines to workers' courses, in order."""
    if not rows:
        return
    await tx.run(
        "INSERT INTO course (worker_id, region, value, effective_on, recorded_at)"
        ' SELECT worker_id, region, value, "on", :at FROM json_to_recordset(CAST(:d AS json))'
        ' AS t(n int, worker_id uuid, region text, value text, "on" date) ORDER BY n',
        d=doc([{"n": n, **row} for n, row in enumerate(rows)]),
        at=tx.stamp.wall,
    )


def _flat(value: Any, *names: str) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return {**plain, **{name: doc(plain[name]) for name in names}}


async def _save_lots(tx: Tx, world: World, ids: Sequence[UUID]) -> None:
    """New lots are inserted; known ones change only if nobody took a seat meanwhile (they are locked; this is the proof)."""
    columns = (
        "(id uuid, region text, contract_id uuid, vendor_id uuid, agency text, job text, site text, kecamatan text, wage bigint,"
        " capacity int, taken int, released int, excess int, owed text, open boolean, was_taken int, was_released int)"
    )
    fresh = [_flat(world.lots[i], "owed") for i in ids if i not in world.before]
    if fresh:
        await tx.run(f"INSERT INTO lot ({_LOT}) SELECT {_LOT} FROM json_to_recordset(CAST(:d AS json)) AS t{columns}", d=doc(fresh))
    known = [
        {**_flat(world.lots[i], "owed"), "was_taken": world.before[i].taken, "was_released": world.before[i].released}
        for i in ids
        if i in world.before
    ]
    if known:
        count = await tx.run(
            "UPDATE lot l SET agency = t.agency, job = t.job, site = t.site, kecamatan = t.kecamatan, wage = t.wage,"
            " capacity = t.capacity, taken = t.taken, released = t.released, excess = t.excess, owed = t.owed, open = t.open"
            f" FROM json_to_recordset(CAST(:d AS json)) AS t{columns}"
            " WHERE l.id = t.id AND l.taken = t.was_taken AND l.released = t.was_released"
            " AND t.taken + t.released <= t.capacity + t.excess",
            d=doc(known),
        )
        if count != len(known):
            raise LostRace


async def _follow_up(tx: Tx, world: World) -> None:
    starts = [
        Timer(p.id, datetime.combine(p.starts_on, time(0, 0), WIB), p.region, {}) for p in sorted(world.start.values(), key=lambda p: p.id)
    ]
    await schedule(tx, "start", starts)
    await ask_refill(tx, world.refill)
    if world.erased:
        gone = list(world.erased)
        await tx.run(
            "WITH gone AS (SELECT unnest(CAST(:w AS uuid[])) AS id),"
            " a AS (DELETE FROM course WHERE worker_id IN (SELECT id FROM gone)),"
            " b AS (DELETE FROM preference WHERE worker_id IN (SELECT id FROM gone)),"
            " c AS (DELETE FROM credential WHERE worker_id IN (SELECT id FROM gone)),"
            " d AS (DELETE FROM right_history WHERE worker_id IN (SELECT id FROM gone))"
            " UPDATE round_person SET facts = '{}', edges = '[]' WHERE worker_id IN (SELECT id FROM gone)",
            w=gone,
        )


async def ask_refill(tx: Tx, regions: Iterable[str]) -> None:
    """Free seats of these regions go on by the rule, soon; asking twice is asking once."""
    due = [Timer(derived_id("refill", region), tx.stamp.business, region, {}) for region in sorted(regions)]
    await schedule(tx, "refill", due)
