"""People one by one: looking, explaining, consent, erasure, merging, and opening identities for a purpose."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from uuid import UUID

from services.registry import store
from services.registry.domain import access, standing
from services.registry.domain.people import Identity, Profile, normal_name
from services.registry.domain.rows import Defect, sound_email, sound_phone
from services.registry.domain.standing import Column, Present
from services.registry.store.people import profile
from services.registry.store.vault import Safe
from services.registry.usecases.deciding import EXPIRY, keep_guard_dates
from services.registry.usecases.taking import tell_contact
from shared.db import Tx
from shared.errors import Forbidden, Invalid, NotFound, Refused
from shared.events import Cause
from shared.events.registry import ConsentChanged, ContactChanged, WorkerErased, WorkerMerged
from shared.ids import derived_id, new_id
from shared.regulation import rules
from shared.timers import cancel

UU_PDP = "UU 27/2022 Pasal 8"


@dataclass(frozen=True, slots=True)
class Listed:
    """A worker in a list; `identity` only when a purpose was given."""

    worker_id: UUID
    worker_number: str
    profile: Profile
    column: Column
    identity: Identity | None


async def list_people(
    tx: Tx,
    safe: Safe,
    *,
    region: str,
    name: str = "",
    agency: str = "",
    state: str = "",
    purpose: str = "",
    after: str = "",
    limit: int = 100,
) -> list[Listed]:
    """Workers of the region by number, at most limit + 1. A name is looked for only with a purpose, and opened names are audited."""
    tx.scope.require("people.read", region, agency=agency or None)
    if purpose:
        access.check_purpose(purpose)
    elif name:
        raise Invalid([("purpose", "unknown-purpose", "say for which purpose a name is looked for")])
    agencies = frozenset({agency}) if agency else tx.scope.agencies
    keys = None
    if state:
        groups = await store.standings.groups(tx, region, tx.stamp.day, tx.stamp.business)
        keys = [store.standings.key(present) for present, _ in groups if _in_state(standing.column(present), state)]
    words = safe.word_candidates(name) if name else []
    rows = await store.people.search(tx, region, agencies=agencies, words=words, keys=keys, on=tx.stamp.day, after=after, limit=limit)
    if purpose:
        for row in rows[:limit]:
            tx.note("person.name_read", row["id"], region, purpose=purpose)
    return [
        Listed(
            row["id"],
            row["worker_number"],
            profile(row),
            standing.column(store.standings.present(row)),
            safe.open(row["person_id"], row["wrapped"], row["sealed"]) if purpose else None,
        )
        for row in rows
    ]


STATES = ("serving", "proposed", "pool", "asn", "paruh_waktu", "left")


def _in_state(column: Column, state: str) -> bool:
    return column.name == state or (state == "pool" and column.name == "proposed")


@dataclass(frozen=True, slots=True)
class Shown:
    """One person, opened."""

    worker_id: UUID
    region: str
    worker_number: str
    version: int
    profile: Profile
    column: Column
    identity: Identity
    facts: Mapping[str, Any]


async def show_person(tx: Tx, safe: Safe, worker_id: UUID, purpose: str) -> Shown:
    """One person with everything held of them, for a purpose; written to the audit."""
    access.check_purpose(purpose)
    row = await _worker(tx, worker_id)
    tx.scope.require("people.read", row["region"], agency=row["agency"])
    if row["person_id"] is None:
        raise NotFound
    found = await store.people.facts_of(tx, worker_id)
    assert found is not None
    facts = {name: json.loads(found[name]) if found[name] else None for name in ("consent", "eligibility", "credentials", "placement")}
    present = (await store.standings.presents(tx, [worker_id], tx.stamp.day, tx.stamp.business)).get(worker_id, Present())
    identity = safe.open(row["person_id"], row["wrapped"], row["sealed"])
    tx.note("person.read", worker_id, row["region"], purpose=purpose)
    return Shown(worker_id, row["region"], row["worker_number"], row["version"], profile(row), standing.column(present), identity, facts)


async def _worker(tx: Tx, worker_id: UUID, *, lock: bool = False) -> Any:
    row = await store.people.one(tx, worker_id, lock=lock)
    if row is None or not tx.scope.covers(row["region"]):
        raise NotFound
    return row


@dataclass(frozen=True, slots=True)
class Why:
    """Where a worker stands on a day, and every step that led there."""

    worker_id: UUID
    on: date
    column: Column
    eligibility: Mapping[str, Any] | None
    steps: Sequence[Mapping[str, Any]]


async def explain(tx: Tx, worker_id: UUID, on: date | None) -> Why:
    """Why a worker is counted where it is. No vault is opened."""
    row = await _worker(tx, worker_id)
    tx.scope.require("people.read", row["region"], agency=row["agency"] or None)
    day = on or tx.stamp.day
    present = (await store.standings.presents(tx, [worker_id], day, tx.stamp.business)).get(worker_id, Present())
    steps = [
        {
            "on": one["effective_on"],
            "recorded_at": one["recorded_at"],
            "what": one["topic"],
            "value": one["value"],
            "decree_number": one["decree_number"],
            "decree_date": one["decree_date"],
        }
        for one in await store.standings.history(tx, worker_id)
    ]
    start = {"on": row["service_start"], "recorded_at": row["recorded_at"], "what": "registered", "value": row["job_family"]}
    found = await store.people.facts_of(tx, worker_id)
    verdict = json.loads(found["eligibility"]) if found is not None and found["eligibility"] else None
    if verdict is not None:
        pack = await tx.pack(row["region"])
        figure = pack.figure("appointment_bar", tx.stamp.day)
        verdict |= {"rule": "scheme.opening_population", "article": figure.article, "bar": rules.appointment_bar(pack, tx.stamp.day)}
    return Why(worker_id, day, standing.column(present), verdict, [start, *steps])


@dataclass(frozen=True, slots=True)
class Said:
    """A worker's word to the scheme as a whole, and the event it comes from, when it comes from one."""

    worker_id: UUID
    region: str
    given: bool
    channel: str
    effective_on: date
    cause: Cause | None = None


async def record_consents(tx: Tx, said: Sequence[Said]) -> list[str]:
    """Fold a batch of words in order; per word `changed`, `unchanged`, or why it is refused (`unknown-worker`, `other-region`)."""
    workers = {row["id"]: row for row in await store.people.lock(tx, {one.worker_id for one in said})}
    now = await store.books.consents(tx, workers)
    kept: dict[UUID, Mapping[str, Any]] = {}
    outcomes = []
    for one in said:
        row = workers.get(one.worker_id)
        if row is None or row["gone"]:
            outcomes.append("unknown-worker")
        elif row["region"] != one.region:
            outcomes.append("other-region")
        elif now.get(one.worker_id, True) == one.given:
            # Nobody is asked to agree beforehand: silence is no refusal.
            outcomes.append("unchanged")
        else:
            now[one.worker_id] = one.given
            kept[one.worker_id] = {
                "worker_id": one.worker_id,
                "region": one.region,
                "given": one.given,
                "channel": one.channel,
                "effective_on": one.effective_on,
            }
            fact = ConsentChanged(
                region=one.region,
                effective_on=one.effective_on,
                consent_id=derived_id("consent", one.worker_id),
                worker_id=one.worker_id,
                given=one.given,
                channel=one.channel,
            )
            tx.emit(fact, cause=one.cause)
            outcomes.append("changed")
    await store.books.save_consents(tx, list(kept.values()))
    return outcomes


async def change_consent(tx: Tx, worker_id: UUID, *, given: bool, channel: str, effective_on: date | None) -> bool:
    """An officer records what a person said; whether it changed anything."""
    row = await _worker(tx, worker_id)
    tx.scope.require("consent.write", row["region"], agency=row["agency"])
    (outcome,) = await record_consents(tx, [Said(worker_id, row["region"], given, channel, effective_on or tx.stamp.day)])
    if outcome == "unknown-worker":
        raise NotFound
    return outcome == "changed"


async def correct_identity(
    tx: Tx, safe: Safe, worker_id: UUID, changes: Mapping[str, Any], reason: str, expected: int | None
) -> tuple[bool, int]:
    """Correct name, birth date, form of address or contact; whether anything changed, and the record's version now."""
    row = await _worker(tx, worker_id, lock=True)
    tx.scope.require("people.write", row["region"])
    if row["person_id"] is None:
        raise NotFound
    if expected is not None and expected != row["version"]:
        raise Refused("changed-meanwhile", "Read it again and repeat the change on what you find.", status=412)
    old = safe.open(row["person_id"], row["wrapped"], row["sealed"])
    try:
        contact = {"email": sound_email(changes.get("email", old.email)), "phone": sound_phone(changes.get("phone", old.phone))}
        new = replace(old, **{**changes, **contact})
    except Defect as defect:
        raise Invalid([(defect.column, defect.code, "is not what it should be")]) from None
    if not normal_name(new.name) or new.birth_date >= row["service_start"]:
        raise Invalid([("name" if new.birth_date < row["service_start"] else "birth_date", "bad_value", "is not what it should be")])
    if new == old:
        return False, row["version"]
    region, before, after = row["region"], safe.marks(old), safe.marks(new)
    await store.people.reseal_people(tx, [(row["person_id"], safe.seal(row["person_id"], new, after, row["wrapped"]))])
    await store.people.touch(tx, worker_id)
    if before.contact_mac != after.contact_mac:
        tell_contact(tx, region, worker_id, safe.contact(worker_id, row["worker_number"], new))
    if new.birth_date != old.birth_date and await store.books.guards_by_date(tx, worker_id):
        await keep_guard_dates(tx, safe, await tx.pack(region), region, {worker_id: row["person_id"]})
    tx.note("person.corrected", worker_id, region, purpose=reason)
    return True, row["version"] + 1


async def erase_person(tx: Tx, worker_id: UUID, ground: str) -> None:
    """Destroy what is held of a person; the worker stays as a number in the books. Refused while a seat is held. Worker role only."""
    row = await _worker(tx, worker_id, lock=True)
    tx.scope.require("people.write", row["region"])
    if row["person_id"] is None:
        raise NotFound
    if await store.books.active_placements(tx, [worker_id]):
        raise Refused(
            "placement-active", "The person holds a seat; the employment ends first.", rule="erasure.after_placement", article=UU_PDP
        )
    region, today = row["region"], tx.stamp.day
    await cancel(tx, EXPIRY, await store.books.papers(tx, worker_id))
    await store.people.erase(tx, worker_id, row["person_id"])
    await store.standings.add(tx, [standing.standing(region, worker_id, "gone", "erased", today)])
    tx.emit(WorkerErased(region=region, effective_on=today, worker_id=worker_id))
    contact = derived_id("contact", worker_id)
    tx.emit(ContactChanged(region=region, effective_on=today, contact_id=contact, worker_id=worker_id), tombstone=True)
    tx.note("person.erased", worker_id, region, purpose=ground)


async def propose_merge(tx: Tx, survivor_id: UUID, merged_id: UUID, reason: str) -> UUID:
    """Say that two workers are one person; a second officer decides."""
    found = {row["id"]: row for row in await store.people.lock(tx, [survivor_id, merged_id])}
    if len(found) != 2:
        if survivor_id == merged_id:
            raise Invalid([("merged_id", "same-worker", "name two different workers")])
        raise NotFound
    region = found[survivor_id]["region"]
    tx.scope.require("merge.propose", region)
    tx.scope.require("merge.propose", found[merged_id]["region"])
    _mergeable(found[survivor_id], found[merged_id])
    merge_id = new_id()
    await store.books.add_merge(tx, id=merge_id, region=region, survivor_id=survivor_id, merged_id=merged_id, reason=reason)
    tx.note("merge.proposed", merged_id, region)
    return merge_id


async def approve_merge(tx: Tx, merge_id: UUID) -> Any:
    """The second officer agrees: the survivor carries on, the other one is told as merged."""
    proposal = await store.books.merge(tx, merge_id)
    if proposal is None:
        raise NotFound
    region, survivor, merged = proposal["region"], proposal["survivor_id"], proposal["merged_id"]
    tx.scope.require("merge.approve", region)
    if proposal["state"] != "proposed":
        raise Refused("already-decided", "The proposal is decided.")
    if proposal["proposed_by"] == tx.scope.actor:
        raise Refused("same-officer", "Another officer decides on a merge.", rule="merge.two_officers")
    found = {row["id"]: row for row in await store.people.lock(tx, [survivor, merged])}
    _mergeable(found[survivor], found[merged])
    if len(await store.books.active_placements(tx, [survivor, merged])) == 2:
        raise Refused("both-placed", "Both hold a seat; one placement ends first.", rule="merge.one_placement")
    await store.books.approve_merge(tx, merge_id, survivor, merged)
    # They were one person from the beginning, so no day counts them twice.
    since = found[merged]["service_start"]
    await store.standings.add(tx, [standing.standing(region, merged, "gone", "merged", since)])
    tx.emit(WorkerMerged(region=region, effective_on=since, worker_id=merged, survivor_id=survivor))
    contact = derived_id("contact", merged)
    tx.emit(ContactChanged(region=region, effective_on=tx.stamp.day, contact_id=contact, worker_id=merged), tombstone=True)
    return await store.books.merge(tx, merge_id)


def _mergeable(survivor: Any, merged: Any) -> None:
    if survivor["region"] != merged["region"]:
        raise Refused("other-region", "The two stand in different regions.", rule="merge.one_region")
    if survivor["gone"] or merged["gone"]:
        raise Refused("gone", "One of the two is erased or merged already.", rule="merge.living")


@dataclass(frozen=True, slots=True)
class Asked:
    """Whom a lookup asks for, and why."""

    region: str
    purpose: str
    worker_ids: tuple[UUID, ...] = ()
    worker_numbers: tuple[str, ...] = ()
    niks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """An opened identity, as much of it as the purpose needs."""

    worker_id: UUID
    worker_number: str
    name: str
    address_form: str
    nik: str | None


async def look_up(tx: Tx, safe: Safe, asked: Asked) -> list[Found]:
    """Open identities for a purpose, each one written to the audit. A vendor sees only its own people."""
    vendor = tx.scope.vendor
    tx.scope.require("identity.lookup", asked.region)
    access.check_purpose(asked.purpose, vendor=vendor is not None)
    if asked.niks and vendor is not None:
        raise Forbidden("not-by-nik", "A vendor asks by worker id or number.")
    entries = sorted({entry for nik in asked.niks for entry in safe.nik_candidates(nik)})
    rows = await store.people.identities(
        tx, asked.region, ids=asked.worker_ids, numbers=asked.worker_numbers, entries=entries, vendor=vendor
    )
    found = []
    for row in rows:
        identity = safe.open(row["person_id"], row["wrapped"], row["sealed"])
        tx.note("person.looked_up", row["id"], asked.region, purpose=asked.purpose)
        nik = identity.nik if access.shows_nik(asked.purpose) else None
        found.append(Found(row["id"], row["worker_number"], identity.name, identity.address_form, nik))
    return found


async def reseal_contacts(tx: Tx, safe: Safe, contact_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Contacts sealed afresh from the vault, by contact id; an erased one is absent."""
    rows = await store.people.by_contacts(tx, contact_ids)
    return {
        row["contact_id"]: safe.contact(row["id"], row["worker_number"], safe.open(row["person_id"], row["wrapped"], row["sealed"]))
        for row in rows
    }
