"""HTTP doors for people, books, seals and rule packs. Files come in by `imports`."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from services.registry import schemas, store
from services.registry.schemas import (
    BalanceOut,
    ConsentIn,
    ConsentOut,
    CorrectionIn,
    CorrectionOut,
    ErasureIn,
    ErasureOut,
    LookupIn,
    LookupOut,
    MergeIn,
    MergeOut,
    Nothing,
    PackIn,
    PackOut,
    PersonListed,
    PersonOut,
    Purpose,
    RollIn,
    RollOut,
    State,
    TotalIn,
    TotalOut,
    WhyOut,
)
from services.registry.store.vault import Safe
from services.registry.usecases import books, people
from shared.db import Tx
from shared.errors import Invalid
from shared.http import CallDep, Page, PagingDep, day, moment
from shared.http.call import Call

router = APIRouter(prefix="/v1", tags=["registry"])
Region = Annotated[str, Query(pattern=schemas.REGION, description="Kode wilayah, PP.KK.")]


def safe_of(call: Call) -> Safe:
    """The keys, as the service opened them."""
    found: Safe = call.service.extra["safe"]
    return found


@router.get("/people")
async def list_people(
    call: CallDep,
    paging: PagingDep,
    region: Region,
    name: Annotated[str, Query(max_length=200)] = "",
    agency: Annotated[str, Query(max_length=40)] = "",
    state: State | None = None,
    purpose: Purpose | None = None,
) -> Page[PersonListed]:
    """Workers of a region by worker number. Names are shown and looked for only for a purpose, which is written to the audit."""
    start = paging.after(str)

    async def work(tx: Tx) -> Page[PersonListed]:
        found = await people.list_people(
            tx,
            safe_of(call),
            region=region,
            name=name,
            agency=agency,
            state=state or "",
            purpose=purpose or "",
            after=start[0] if start else "",
            limit=paging.limit,
        )
        return paging.page(found, lambda one: (one.worker_number,), PersonListed.of, tx.stamp.business)

    return await call.read("people.list", "people.read", work)


@router.get("/people/{worker_id}")
async def show_person(worker_id: UUID, purpose: Purpose, call: CallDep) -> PersonOut:
    """One person, opened for a purpose; the reading is written to the audit."""

    async def work(tx: Tx) -> PersonOut:
        found = await people.show_person(tx, safe_of(call), worker_id, purpose)
        call.etag(found.version)
        return PersonOut.of(found)

    return await call.read("people.show", "people.read", work)


@router.get("/people/{worker_id}/why")
async def explain(worker_id: UUID, call: CallDep, on: date | None = None) -> WhyOut:
    """Where a worker stands on a day, and every step that led there."""

    at = day("on", on)

    async def work(tx: Tx) -> WhyOut:
        return WhyOut.of(await people.explain(tx, worker_id, at))

    return await call.read("people.explain", "people.read", work)


@router.post("/people/{worker_id}/consent", response_model=ConsentOut)
async def change_consent(worker_id: UUID, body: ConsentIn, call: CallDep) -> Response:
    """Record a person's yes or no to the scheme as a whole. A no costs nothing and may be taken back."""

    async def work(tx: Tx) -> ConsentOut:
        changed = await people.change_consent(tx, worker_id, given=body.given, channel=body.channel, effective_on=body.effective_on)
        return ConsentOut(worker_id=worker_id, given=body.given, changed=changed)

    return await call.write("people.consent", "consent.write", work)


@router.post("/people/{worker_id}/correction", response_model=CorrectionOut)
async def correct_identity(worker_id: UUID, body: CorrectionIn, call: CallDep) -> Response:
    """Correct a name, birth date, form of address or contact, at the version that was seen (If-Match)."""
    changes = body.model_dump(exclude={"reason"}, exclude_none=True)
    expected = call.if_match()

    async def work(tx: Tx) -> CorrectionOut:
        changed, version = await people.correct_identity(tx, safe_of(call), worker_id, changes, body.reason, expected)
        call.etag(version)
        return CorrectionOut(worker_id=worker_id, changed=changed)

    return await call.write("people.correct", "people.write", work)


@router.post("/people/{worker_id}/erasure", response_model=ErasureOut)
async def erase_person(worker_id: UUID, body: ErasureIn, call: CallDep) -> Response:
    """Destroy a person's data for good, here and (by `worker.erased`) everywhere."""

    async def work(tx: Tx) -> ErasureOut:
        await people.erase_person(tx, worker_id, body.ground)
        return ErasureOut(worker_id=worker_id)

    # Muting the audit's commitments needs a right that the api role has not.
    return await call.write("people.erase", "people.write", work, role="worker")


@router.post("/merges", status_code=201, response_model=MergeOut)
async def propose_merge(body: MergeIn, call: CallDep) -> Response:
    """Say that two workers are one person; another officer decides."""

    async def work(tx: Tx) -> MergeOut:
        found = await people.propose_merge(tx, body.survivor_id, body.merged_id, body.reason)
        return MergeOut.of(await store.books.merge(tx, found))

    return await call.write("merges.propose", "merge.propose", work, status=201)


@router.post("/merges/{merge_id}/approval", response_model=MergeOut)
async def approve_merge(merge_id: UUID, body: Nothing, call: CallDep) -> Response:
    """The second officer's yes to a merge."""

    async def work(tx: Tx) -> MergeOut:
        return MergeOut.of(await people.approve_merge(tx, merge_id))

    return await call.write("merges.approve", "merge.approve", work)


@router.get("/merges")
async def list_merges(call: CallDep, paging: PagingDep, region: Region) -> Page[MergeOut]:
    """Proposed and approved merges, newest first."""
    start = paging.after(datetime, UUID)

    async def work(tx: Tx) -> Page[MergeOut]:
        tx.scope.require("merge.propose", region)
        rows = await store.books.merges(tx, region, (start[0], start[1]) if start else None, paging.limit)
        return paging.page(rows, lambda row: (row["proposed_at"], row["id"]), MergeOut.of)

    return await call.read("merges.list", "merge.propose", work)


@router.post("/identities/lookup", response_model=LookupOut)
async def look_up(body: LookupIn, call: CallDep) -> LookupOut:
    """Open identities for a purpose, at most 500; each opening is written to the audit. A vendor sees its own people only."""
    asked = len(set(body.worker_ids)) + len(set(body.worker_numbers)) + len(set(body.niks))
    if not 1 <= asked <= 500:
        raise Invalid([("worker_ids", "too-many", "between 1 and 500 people at a time")])

    async def work(tx: Tx) -> LookupOut:
        wanted = people.Asked(body.region, body.purpose, tuple(body.worker_ids), tuple(body.worker_numbers), tuple(body.niks))
        return LookupOut.of(await people.look_up(tx, safe_of(call), wanted), asked)

    # A reading: it is repeated as often as asked, and its answer, which holds identities, is never stored under a key.
    return await call.read("identities.lookup", "identity.lookup", work)


@router.post("/control-totals", status_code=201, response_model=TotalOut)
async def record_total(body: TotalIn, call: CallDep) -> Response:
    """Type in an opening population."""

    async def work(tx: Tx) -> TotalOut:
        total = await books.record_total(tx, region=body.region, opening=body.opening, on=body.on, source=body.source)
        return TotalOut(control_total_id=total, region=body.region, opening=body.opening, on=body.on)

    return await call.write("totals.record", "people.write", work, status=201)


@router.get("/regions/{region}/balance")
async def balance(region: schemas.Region, call: CallDep, on: date | None = None, as_of: datetime | None = None) -> BalanceOut:
    """The balance of people at the end of a day, as known at an instant."""
    known, at = moment("as_of", as_of), day("on", on)

    async def work(tx: Tx) -> BalanceOut:
        return BalanceOut.of(await books.balance_people(tx, region, at, known))

    return await call.read("balance.read", "balance.read", work)


@router.post("/rolls", status_code=201, response_model=RollOut)
async def seal_roll(body: RollIn, call: CallDep) -> Response:
    """Seal what a round must have heard about the region's people."""

    async def work(tx: Tx) -> RollOut:
        return RollOut.of(await books.seal_roll(tx, body.region))

    return await call.write("rolls.seal", "roll.seal", work, status=201)


@router.get("/rolls")
async def list_rolls(call: CallDep, paging: PagingDep, region: Region) -> Page[RollOut]:
    """Seals, newest first."""
    start = paging.after(datetime, UUID)

    async def work(tx: Tx) -> Page[RollOut]:
        tx.scope.require("roll.seal", region)
        rows = await store.books.rolls(tx, region, (start[0], start[1]) if start else None, paging.limit)
        return paging.page(rows, lambda row: (row["as_of"], row["seal_id"]), lambda row: RollOut.of(books.Roll(**row)))

    return await call.read("rolls.list", "roll.seal", work)


@router.post("/packs", status_code=201, response_model=PackOut)
async def draft_pack(body: PackIn, call: CallDep) -> Response:
    """Propose that a mounted rule pack counts from a day on."""
    folder = call.service.settings.packs_folder

    async def work(tx: Tx) -> PackOut:
        return PackOut.of(await books.draft_pack(tx, folder, region=body.region, sha256=body.sha256, effective_on=body.effective_on))

    return await call.write("packs.draft", "pack.draft", work, status=201)


@router.post("/packs/{pack_id}/activation", response_model=PackOut)
async def activate_pack(pack_id: UUID, body: Nothing, call: CallDep) -> Response:
    """The second officer makes a rule pack count."""

    async def work(tx: Tx) -> PackOut:
        return PackOut.of(await books.activate_pack(tx, pack_id))

    return await call.write("packs.activate", "pack.activate", work)


@router.get("/packs")
async def list_packs(call: CallDep, paging: PagingDep, region: Region) -> Page[PackOut]:
    """Rule packs, newest first."""
    start: Any = paging.after(datetime, UUID)

    async def work(tx: Tx) -> Page[PackOut]:
        tx.scope.require("pack.draft", region)
        rows = await store.books.packs(tx, region, (start[0], start[1]) if start else None, paging.limit)
        return paging.page(rows, lambda row: (row["drafted_at"], row["id"]), PackOut.of)

    return await call.read("packs.list", "pack.draft", work)
