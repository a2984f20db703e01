"""Selection of vendors and the blacklist."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

from services.vendor import metrics
from services.vendor.domain import Paper, Vendor, refusal
from services.vendor.domain import vendors as rules
from services.vendor.store import vendors as store
from shared.db import Tx
from shared.errors import NotFound
from shared.ids import new_id
from shared.regulation.rules import timezone
from shared.timers import Timer, cancel, schedule

DEBARMENT_END = "debarment_end"


async def one(tx: Tx, vendor_id: UUID, permission: str, *, lock: bool = False) -> Vendor:
    """A vendor that the caller may reach with the permission, or `not-found`."""
    found = (await store.load_vendors(tx, [vendor_id], lock=lock)).get(vendor_id)
    if found is None:
        raise NotFound
    tx.scope.require(permission, region=found.region, vendor=vendor_id)
    return found


async def register(tx: Tx, *, region: str, name: str, nib: str) -> Vendor:
    """A file for a vendor that wants to be selected (`vendor-known`: the region has one with this NIB)."""
    tx.scope.require("vendor.write", region=region)
    await tx.pack(region)
    vendor = Vendor(id=new_id(), region=region, name=name, nib=nib, registered_by=tx.scope.actor)
    if not await store.insert_vendor(tx, vendor):
        raise refusal("vendor-known", "the region has a vendor with this NIB", field="nib")
    tx.note("vendor.registered", vendor.id, region)
    return vendor


async def show_papers(tx: Tx, vendor_id: UUID, papers: Sequence[Paper]) -> Vendor:
    """Documents of the selection; one of a kind, a later one replaces it."""
    vendor = await one(tx, vendor_id, "vendor.write", lock=True)
    rules.check_papers(papers, await tx.pack(vendor.region), tx.stamp.day)
    await store.put_papers(tx, vendor, papers)
    tx.note("vendor.documents_shown", vendor.id, vendor.region)
    return (await store.load_vendors(tx, [vendor_id]))[vendor_id]


async def qualify(tx: Tx, vendor_id: UUID, *, minutes: str, grounds: Sequence[str], until: date | None) -> Vendor:
    """The selection's outcome: qualified, or refused with its reasons. Another person than the registrar decides."""
    vendor = await one(tx, vendor_id, "vendor.assess", lock=True)
    pack = await tx.pack(vendor.region)
    judged, facts = rules.qualify(vendor, pack, tx.stamp.day, assessor=tx.scope.actor, grounds=grounds, until=until)
    await store.save_vendors(tx, [judged], assessed_by=tx.scope.actor, minutes=minutes)
    for fact in facts:
        tx.emit(fact, pack=pack.sha256)
    metrics.VENDORS_JUDGED.labels(judged.standing).inc()
    return judged


async def debar(tx: Tx, vendor_id: UUID, *, reason: str, decree: str, until: date | None) -> Vendor:
    """Put a vendor on the blacklist; it comes off by itself after `until`."""
    vendor = await one(tx, vendor_id, "vendor.assess", lock=True)
    pack = await tx.pack(vendor.region)
    judged, facts = rules.debar(vendor, tx.stamp.day, reason=reason, until=until)
    await store.save_vendors(tx, [judged], debarment=decree)
    for fact in facts:
        tx.emit(fact, pack=pack.sha256)
    if until is not None:
        due = datetime.combine(until + timedelta(days=1), time(), timezone(pack, tx.stamp.day))
        await schedule(tx, DEBARMENT_END, [Timer(vendor_id, due, vendor.region)])
    return judged


async def lift(tx: Tx, vendor_id: UUID, *, decree: str) -> Vendor:
    """Take a vendor off the blacklist by decree."""
    vendor = await one(tx, vendor_id, "vendor.assess", lock=True)
    judged, facts = rules.lift(vendor, tx.stamp.day)
    await store.save_vendors(tx, [judged], debarment=decree)
    for fact in facts:
        tx.emit(fact)
    await cancel(tx, DEBARMENT_END, [vendor_id])
    return judged


async def end_debarments(tx: Tx, ids: Sequence[UUID]) -> None:
    """The term of these debarments has passed."""
    held = await store.load_vendors(tx, ids, lock=True)
    decided = [rules.lift(vendor, tx.stamp.day) for vendor in held.values() if vendor.debarred]
    if decided:
        await store.save_vendors(tx, [vendor for vendor, _ in decided])
    for _, facts in decided:
        for fact in facts:
            tx.emit(fact)


async def listed(tx: Tx, region: str, state: str | None, after: UUID | None, limit: int) -> list[Vendor]:
    """Vendors of a region, one more than asked for."""
    tx.scope.require("vendor.read", region=region)
    return await store.list_vendors(tx, region, state, after, limit + 1)
