"""The books of a region: the balance, the typed totals, the seals for a round, and the rule packs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from services.registry import store
from services.registry.domain import standing
from services.registry.domain.standing import Balance
from shared import packs, regulation
from shared.db import Tx
from shared.errors import NotFound, NotNow, Refused
from shared.events.registry import RollSealed, RulepackActivated
from shared.ids import derived_id, new_id

CHUNK = 5_000


async def balance_people(tx: Tx, region: str, on: date | None, as_of: datetime | None) -> Balance:
    """Everybody of the region in one column each, at the end of a day, as known at an instant."""
    tx.scope.require("balance.read", region)
    day, known = on or tx.stamp.day, as_of or tx.stamp.business
    typed = await store.books.total(tx, region, known)
    return standing.balance(region, day, known, typed, await store.standings.groups(tx, region, day, known))


async def record_total(tx: Tx, *, region: str, opening: int, on: date, source: str) -> UUID:
    """Type in the opening population from the decree: the book that owes nothing to the files."""
    tx.scope.require("people.write", region)
    total = new_id()
    await store.books.add_total(tx, id=total, region=region, opening=opening, on=on, source=source)
    tx.note("control_total.recorded", total, region)
    return total


@dataclass(frozen=True, slots=True)
class Roll:
    """A seal: everything a round must have heard before it may open."""

    seal_id: UUID
    roll_id: UUID
    region: str
    pairs: int
    people: int
    chunks: int
    as_of: datetime


async def seal_roll(tx: Tx, region: str) -> Roll:
    """Pin the last version of everything told about the region's living workers, in chunks that fit an event."""
    tx.scope.require("roll.seal", region)
    pins = await store.books.pins(tx, region)
    people = await store.books.living(tx, region)
    if not pins:
        raise Refused("nobody-to-seal", "The region has no people yet.", rule="roll.somebody")
    seal_id, roll_id = new_id(), derived_id("roll", region)
    parts: list[Sequence[Any]] = [pins[start : start + CHUNK] for start in range(0, len(pins), CHUNK)]
    for number, part in enumerate(parts, start=1):
        fact = RollSealed(
            region=region,
            effective_on=tx.stamp.day,
            roll_id=roll_id,
            seal_id=seal_id,
            as_of=tx.stamp.business,
            chunk=number,
            chunks=len(parts),
            ids=tuple(row["aggregate_id"] for row in part),
            versions=tuple(int(row["version"]) for row in part),
        )
        tx.emit(fact)
    roll = Roll(seal_id, roll_id, region, len(pins), people, len(parts), tx.stamp.business)
    await store.books.add_roll(tx, seal_id=seal_id, roll_id=roll_id, region=region, pairs=roll.pairs, people=people, chunks=roll.chunks)
    return roll


async def draft_pack(tx: Tx, folder: Path, *, region: str, sha256: str, effective_on: date) -> Any:
    """Propose that a mounted rule pack counts from a day on. Refused when the file is not there or is another region's."""
    tx.scope.require("pack.draft", region)
    try:
        found = regulation.load(folder, sha256)
    except NotNow as missing:
        raise Refused("pack-missing", missing.detail, rule="pack.mounted") from missing
    if found.region != region:
        raise Refused("other-region", "The pack holds the rules of another region.", rule="pack.one_region")
    pack_id = new_id()
    await store.books.add_pack(tx, id=pack_id, region=region, sha256=sha256, effective_on=effective_on)
    tx.note("rulepack.drafted", pack_id, region)
    return await store.books.pack(tx, pack_id)


async def activate_pack(tx: Tx, pack_id: UUID) -> Any:
    """The second officer makes it count."""
    pack = await store.books.pack(tx, pack_id)
    if pack is None:
        raise NotFound
    tx.scope.require("pack.activate", pack["region"])
    if pack["state"] != "draft":
        raise Refused("already-decided", "The pack is active or superseded.")
    if pack["drafted_by"] == tx.scope.actor:
        raise Refused("same-officer", "Another officer activates a rule pack.", rule="pack.two_officers")
    before = await store.books.activate_pack(tx, pack_id, pack["region"], pack["effective_on"])
    fact = RulepackActivated(
        region=pack["region"], effective_on=pack["effective_on"], rulepack_id=pack_id, sha256=pack["sha256"], supersedes=before
    )
    await packs.activate(tx, fact)
    return await store.books.pack(tx, pack_id)
