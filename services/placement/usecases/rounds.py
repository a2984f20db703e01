"""A round's way: opened over a sealed world, drawn by a second party, computed, signed by another officer, refilled, closed."""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import msgspec

from services.placement import store
from services.placement.domain import matters as m
from services.placement.domain import rounds as rule
from services.placement.domain.eligibility import Asked, Job, Place, Rules
from services.placement.domain.rounds import Round
from shared import jobs
from shared.db import Tx
from shared.errors import NotFound, Refused
from shared.events.placement import RoundClosed, RoundOpened, RoundSigned
from shared.files import Files
from shared.identity import Scope
from shared.ids import derived_id
from shared.regulation import Pack, rules

from .compute import Computed, Frozen, Market
from .matters import settle

PEOPLE = ("placement.people", "placement.departures")
RIGHTS = ("placement.rights", "placement.consents")
SUPPLY = ("placement.capacity", "placement.supply")
"""The consumers that must have heard a sealed world, by topic."""

PIECE = 2_000
MEDIA = {"json": "application/json", "jsonl": "application/x-ndjson", "txt": "text/plain", "bin": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Lottery:
    """The operator's half of each lottery and the salt of each instance: derived from a key, so that nothing secret is stored."""

    key: bytes

    def secret(self, round_id: UUID) -> bytes:
        """s of this round, 32 bytes; revealed with the run."""
        return hmac.digest(self.key, b"placement lottery" + round_id.bytes, "sha256")

    def salt(self, round_id: UUID) -> bytes:
        """The salt that hides the facts in the public view."""
        return hmac.digest(self.key, b"placement salt" + round_id.bytes, "sha256")

    def commitment(self, round_id: UUID) -> str:
        """SHA-256(s), published while the round is a draft."""
        return hashlib.sha256(self.secret(round_id)).hexdigest()


def rules_of(pack: Pack, on: date) -> Rules:
    """What the rule pack says about seats on a day."""
    catalogue = {
        name: Job(
            job.family,
            job.legal,
            tuple(Asked(need.credential, need.classes, need.grace_days) for need in job.credentials),
            f"{job.family}_until" if job.age_limit is not None else "",
        )
        for name, job in rules.jobs(pack, on).items()
    }
    km = {pair: int(value) for pair, value in pack.value("distances", on).items()}
    order = rules.priority(pack, on)
    if not rules.vulnerable_class(pack, on):
        # Without a legal basis the class is off: the field says the same for everybody.
        order = tuple(name for name in order if name != "vulnerable")
    return Rules(on, catalogue, km, rules.commuting_limit_km(pack, on), order)


async def open_round(
    tx: Tx,
    scope: Scope,
    lottery: Lottery,
    *,
    round_id: UUID,
    region: str,
    roll: UUID,
    capacity: UUID,
    starts_on: date,
    answer_by: date | None,
    excluded: Sequence[tuple[UUID, str]],
) -> None:
    """Freeze the sealed world as a draft and commit to the lottery. Raises `Refused`: `round-waits` names what is missing."""
    scope.require("round.open", region)
    pack = await tx.pack(region)
    rule.terms(starts_on, answer_by, tx.stamp.day)
    if await store.rounds.unsigned(tx, region) is not None:
        raise Refused("round-open-already", "Another round of the region is not signed yet.", rule="one-round")
    waits = await store.rounds.missing(tx, region, roll, capacity, people=PEOPLE, rights=RIGHTS, supply=SUPPLY)
    if waits:
        raise Refused("round-waits", "The world of the round is not whole yet.", rule="whole-world", errors=waits)
    row: dict[str, Any] = {
        "id": round_id,
        "region": region,
        "roll": roll,
        "capacity": capacity,
        "starts_on": starts_on,
        "answer_by": answer_by,
        "commitment": lottery.commitment(round_id),
        "rules": msgspec.json.encode(rules_of(pack, starts_on)).decode(),
        "pack": pack.sha256,
        "opener": scope.actor,
        "at": tx.stamp.business,
    }
    number = await store.rounds.insert(tx, row)
    await store.rounds.exclude(tx, round_id, region, [{"worker_id": worker, "reason": reason} for worker, reason in excluded])
    frozen = await store.rounds.freeze(tx, round_id, region, starts_on, roll, capacity)
    tx.emit(
        RoundOpened(
            region=region,
            effective_on=tx.stamp.day,
            round_id=round_id,
            number=number,
            commitment=row["commitment"],
            people=frozen["people"],
            lots=frozen["lots"],
            seats=frozen["seats"],
        ),
        pack=pack.sha256,
    )
    await jobs.enqueue(tx, "freeze", region, {"round_id": str(round_id)}, id=derived_id("freeze", round_id))


async def held(tx: Tx, round_id: UUID, *, lock: bool = True) -> tuple[Round, Mapping[str, Any]]:
    """The round as the domain sees it, and its row. Raises `NotFound`."""
    row = await store.rounds.get(tx, round_id, lock=lock)
    if row is None:
        raise NotFound
    names = ("id", "region", "number", "state", "starts_on", "answer_by", "opener", "drawer", "run_sha256")
    return Round(**{name: row[name] for name in names}), dict(row)


async def draw(tx: Tx, scope: Scope, round_id: UUID, second: str) -> None:
    """The second party's half of the lottery; the computation is asked for."""
    found, _ = await held(tx, round_id)
    scope.require("round.draw", found.region)
    to = rule.draw(found, scope.actor)
    await store.rounds.update(tx, round_id, state=to, second=second, drawer=scope.actor, drawn_at=tx.stamp.business)
    tx.note("round.drawn", round_id, found.region)
    await jobs.enqueue(tx, "compute", found.region, {"round_id": str(round_id)}, id=derived_id("compute", round_id))


async def cancel(tx: Tx, scope: Scope, round_id: UUID, reason: str) -> None:
    """Give up a round that nobody signed; what is freed meanwhile goes on by the round before."""
    found, _ = await held(tx, round_id)
    scope.require("round.open", found.region)
    await store.rounds.update(tx, round_id, state=rule.move(found, "cancelled"), problem=reason, closed_at=tx.stamp.business)
    tx.note("round.cancelled", round_id, found.region)
    await store.ask_refill(tx, [found.region])


async def sign(tx: Tx, scope: Scope, files: Files, round_id: UUID, seen: str, attestation: Callable[[], bytes]) -> dict[str, int]:
    """Another officer signs the run that was seen: offers go out in the same transaction. How many, and why some did not."""
    found, row = await held(tx, round_id)
    scope.require("round.sign", found.region)
    to = rule.sign(found, scope.actor, seen)
    pack = await tx.pack(found.region)
    today = tx.stamp.day
    answer_by = found.answer_by
    if answer_by is None or answer_by < today:
        answer_by = today + timedelta(days=rules.answer_days(pack, today))
    starts_on = max(found.starts_on, today)
    wanted = [
        _wanted(found, seat["worker_id"], seat["lot_id"], seat["incumbent"], today, starts_on, answer_by)
        for seat in await store.rounds.seated(tx, round_id)
    ]
    slugs = await settle(tx, scope, wanted)
    await store.rounds.tell_waiting(tx, round_id, today)
    await store.rounds.update(tx, round_id, state=to, signer=scope.actor, signed_at=tx.stamp.business)
    await _keep(tx, files, found, {"signature.json": attestation()}, public=True)
    tx.emit(
        RoundSigned(
            region=found.region,
            effective_on=today,
            round_id=round_id,
            run_sha256=found.run_sha256,
            placed=row["placed"],
            unplaced=row["unplaced"],
        ),
        pack=pack.sha256,
    )
    await store.ask_refill(tx, [found.region])
    counts = {"offers": slugs.count("")}
    for slug in sorted(set(slugs) - {""}):
        counts[slug] = slugs.count(slug)
    return counts


def _wanted(found: Round, worker: UUID, lot: UUID, incumbent: bool, today: date, starts_on: date, answer_by: date) -> m.Wanted:
    return m.Wanted(
        region=found.region,
        on=today,
        offer_id=derived_id("offer", found.id, worker, lot),
        worker_id=worker,
        lot_id=lot,
        round_id=found.id,
        incumbent=incumbent,
        starts_on=starts_on,
        answer_by=answer_by,
    )


async def _keep(tx: Tx, files: Files, found: Round, contents: Mapping[str, bytes], *, public: bool) -> None:
    rows = []
    # A run folder has a dozen files at most.
    for name, content in sorted(contents.items()):
        media = MEDIA.get(name.rpartition(".")[2], "application/octet-stream")
        stored = await files.put_bytes(tx, found.region, "round", media, content, seal=not public, name=name)
        rows.append(
            {
                "round_id": found.id,
                "name": name,
                "region": found.region,
                "public": public,
                "media": media,
                "sha256": stored.sha256,
                "size": stored.size,
                "file_id": stored.id,
            }
        )
    await store.rounds.keep_files(tx, rows)


# --- what jobs do ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """What the matching process needs to freeze a round."""

    facts: list[str]
    places: list[Place]
    rules: Rules


async def draft(tx: Tx, round_id: UUID) -> Draft | None:
    """The frozen facts of a draft; None when there is nothing to freeze any more."""
    found, row = await held(tx, round_id, lock=False)
    if found.state != "draft":
        return None
    return Draft(await store.rounds.facts(tx, round_id), await places(tx, round_id), msgspec.json.decode(row["rules"], type=Rules))


async def places(tx: Tx, round_id: UUID) -> list[Place]:
    """The frozen lots in the order of the instance."""
    rows = await store.rounds.lots(tx, round_id)
    return [Place(str(r["lot_id"]), r["agency"], r["job"], r["kecamatan"], r["wage"], r["seats"]) for r in rows]


async def keep_piece(tx: Tx, round_id: UUID, frozen: Frozen, start: int) -> int:
    """Store possible seats from `start` on; where the next piece starts, 0 after the last. Doing it again changes nothing."""
    piece = frozen.rows[start : start + PIECE]
    if piece:
        await store.rounds.keep_edges(tx, round_id, [{"worker_id": w, "edges": e, "reason": r} for w, e, r in piece])
    return start + PIECE if start + PIECE < len(frozen.rows) else 0


async def frozen(tx: Tx, round_id: UUID, instance_hash: str) -> None:
    """The instance is published: now somebody else may draw."""
    found, _ = await held(tx, round_id)
    if found.state == "draft":
        await store.rounds.update(tx, round_id, state=rule.move(found, "frozen"), instance_hash=instance_hash)
        tx.note("round.frozen", round_id, found.region)


async def failed(tx: Tx, round_id: UUID, problem: str) -> None:
    """The engine refused the world or its own result: the round ends here, and an officer opens another."""
    found, _ = await held(tx, round_id)
    if found.state in ("draft", "drawn"):
        await store.rounds.update(tx, round_id, state=rule.move(found, "failed"), problem=problem, closed_at=tx.stamp.business)
        tx.note("round.failed", round_id, found.region)


async def market(tx: Tx, lottery: Lottery, round_id: UUID, row: Mapping[str, Any]) -> Market:
    """The frozen instance of a round."""
    lots = [(str(r["lot_id"]), int(r["seats"])) for r in await store.rounds.lots(tx, round_id)]
    order = msgspec.json.decode(row["rules"], type=Rules).priority
    return Market(await store.rounds.wishes(tx, round_id), lots, order, lottery.salt(round_id))


async def computed(tx: Tx, files: Files, round_id: UUID, run: Computed) -> None:
    """Store the run: who sits where, the public folder, the auditors' opening."""
    found, row = await held(tx, round_id)
    if found.state != "drawn":
        return
    rows = [{"worker_id": w, "lot_id": lot, "kind": kind, "incumbent": own} for w, lot, kind, own in run.seats]
    await store.rounds.keep_result(tx, round_id, rows)
    await _keep(tx, files, found, run.files, public=True)
    await _keep(tx, files, found, {"openings.jsonl": run.openings}, public=False)
    await store.rounds.update(
        tx,
        round_id,
        state=rule.move(found, "computed"),
        run_sha256=run.run_sha256,
        placed=len(run.seats),
        unplaced=row["people"] - len(run.seats),
        computed_at=tx.stamp.business,
    )
    tx.note("round.computed", round_id, found.region)


@dataclass(frozen=True, slots=True)
class Left:
    """What a refill starts from: the round, its whole instance (for the seed), and what is left of it today."""

    round_id: UUID
    second: str
    whole: Market
    rest: Market


async def left(tx: Tx, lottery: Lottery, region: str) -> Left | None:
    """Free seats and who still looks for one, in the newest signed round; None when there is nothing to give.

    While a newer round waits for its signature, free seats wait too: it may be about to give them.
    """
    if await store.rounds.unsigned(tx, region) is not None:
        return None
    row = await store.rounds.newest_signed(tx, region)
    if row is None:
        return None
    lots = await store.rounds.free_lots(tx, row["id"], tx.stamp.day)
    if not any(lot["seats"] for lot in lots):
        return None
    people = await store.rounds.still_seeking(tx, row["id"], region, max(tx.stamp.day, row["starts_on"]))
    tried = {str(p["worker_id"]): frozenset(msgspec.json.decode(p["tried"], type=list[int])) for p in people}
    seats = [(str(lot["lot_id"]), int(lot["seats"])) for lot in lots]
    order = msgspec.json.decode(row["rules"], type=Rules).priority
    if not people:
        return None
    return Left(
        row["id"],
        row["second"],
        await market(tx, lottery, row["id"], dict(row)),
        Market([(str(p["worker_id"]), p["edges"]) for p in people], seats, order, lottery.salt(row["id"]), tried),
    )


async def go_on(tx: Tx, scope: Scope, region: str, given: Left | None, seats: Sequence[tuple[str, int, bool]]) -> dict[str, int]:
    """Offer the seats that the rule gives now; when there is nothing to offer and nothing is open, the rounds close."""
    made = 0
    if given is not None and seats:
        found, _ = await held(tx, given.round_id)
        if found.state == "signed":
            pack = await tx.pack(region)
            today = tx.stamp.day
            answer_by = today + timedelta(days=rules.answer_days(pack, today))
            starts_on = rule.refill_start(found.starts_on, today)
            wanted = [
                _wanted(
                    found,
                    UUID(worker),
                    UUID(given.rest.lots[index][0]),
                    own,
                    today,
                    starts_on,
                    answer_by,
                )
                for worker, index, own in seats
            ]
            slugs = await settle(tx, scope, wanted)
            made = slugs.count("")
            if {"no-seat", "person-taken", "person-gone"} & set(slugs):
                # Somebody was quicker: look again.
                await store.ask_refill(tx, [region])
                return {"offers": made}
    closed = 0
    if not made and await store.rounds.unsigned(tx, region) is None:
        idle = await store.rounds.idle(tx, region)
        if idle:
            await store.rounds.close(tx, [row["id"] for row in idle])
            for row in idle:
                tx.emit(RoundClosed(region=region, effective_on=tx.stamp.day, round_id=row["id"], reason="complete"))
        closed = len(idle)
    return {"offers": made, "closed": closed}
