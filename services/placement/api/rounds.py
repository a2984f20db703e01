"""Doors of rounds: opening, drawing, signing, the public run folder, explanations."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import Field
from sqlalchemy.engine import RowMapping

from services.placement import store
from services.placement.domain.eligibility import Rules
from services.placement.schemas import (
    DrawIn,
    ExplanationOut,
    FileOut,
    FilesOut,
    ReasonIn,
    Region,
    RoundIn,
    RoundOut,
    SignatureIn,
)
from services.placement.usecases import compute, rounds
from shared.db import Tx
from shared.errors import NotFound, Refused
from shared.http import Call, CallDep, Page, PagingDep, PublicCallDep
from shared.ids import new_id

router = APIRouter(prefix="/v1/rounds", tags=["rounds"])
FileName = Annotated[str, Field(pattern=r"^[a-z0-9._-]{1,60}$")]


async def _shown(tx: Tx, round_id: UUID, offers: dict[str, int] | None = None) -> RoundOut:
    row = await store.rounds.get(tx, round_id)
    if row is None:
        raise NotFound
    return RoundOut.model_validate({**{name: row[name] for name in RoundOut.model_fields if name != "offers"}, "offers": offers})


@router.post("", status_code=201, response_model=RoundOut)
async def open_round(call: CallDep, body: RoundIn) -> Response:
    """Freeze a sealed world as a draft. Refused (`round-waits`) with the names of what is missing."""
    call.scope.require("round.open", body.region)

    async def work(tx: Tx) -> RoundOut:
        round_id = new_id()
        await rounds.open_round(
            tx,
            call.scope,
            call.service.extra["lottery"],
            round_id=round_id,
            region=body.region,
            roll=body.roll_seal_id,
            capacity=body.capacity_seal_id,
            starts_on=body.starts_on,
            answer_by=body.answer_by,
            excluded=[(one.worker_id, one.reason) for one in body.exclude],
        )
        call.location(f"/v1/rounds/{round_id}")
        return await _shown(tx, round_id)

    # What has been heard of the sealed world is written in the consumers' positions, which only the worker role reads.
    return await call.write("open_round", "round.open", work, status=201, role="worker")


@router.get("")
async def list_rounds(call: CallDep, paging: PagingDep, region: Region, state: Annotated[str, Query(max_length=20)] = "") -> Page[RoundOut]:
    """Rounds of a region, newest first."""
    call.scope.require("round.read", region)
    after = paging.after(int)
    rows = await call.read("list_rounds", "round.read", lambda tx: store.rounds.listed(tx, region, state, after, paging.limit + 1))
    return paging.page(rows, lambda r: (r["number"],), lambda r: RoundOut.model_validate({**r, "offers": None}))


@router.get("/{round_id}")
async def read_round(call: PublicCallDep, round_id: UUID) -> RoundOut:
    """A round, for anybody."""
    return await call.read("read_round", "", lambda tx: _shown(tx, round_id), role="worker")


@router.post("/{round_id}/draw", status_code=202, response_model=RoundOut)
async def draw(call: CallDep, round_id: UUID, body: DrawIn) -> Response:
    """The second party names r; the computation starts."""

    async def work(tx: Tx) -> RoundOut:
        await rounds.draw(tx, call.scope, round_id, body.r)
        return await _shown(tx, round_id)

    return await call.write("draw_round", "round.draw", work, status=202)


@router.post("/{round_id}/cancellation", response_model=RoundOut)
async def cancel(call: CallDep, round_id: UUID, body: ReasonIn) -> Response:
    """Give up a round before its signature."""

    async def work(tx: Tx) -> RoundOut:
        await rounds.cancel(tx, call.scope, round_id, body.reason)
        return await _shown(tx, round_id)

    return await call.write("cancel_round", "round.open", work)


@router.post("/{round_id}/signature", response_model=RoundOut)
async def sign(call: CallDep, round_id: UUID, body: SignatureIn) -> Response:
    """Another officer than the opener signs the run that was seen; offers are made."""
    call.scope.require("round.sign")
    extra = call.service.extra

    async def folder(tx: Tx) -> bytes:
        found, _ = await rounds.held(tx, round_id, lock=False)
        call.scope.require("round.sign", found.region)
        if found.state != "computed":
            return b""
        file = await store.rounds.file(tx, round_id, "run.json", public=True)
        return b"" if file is None else await call.service.files.read(tx, file["file_id"])

    run_json = await call.read("sign_round", "round.sign", folder)
    # Made before the transaction: the matching process may have to start first. It counts only if the signature does.
    at = call.service.clock.now()
    attestation = b""
    if run_json:
        attestation = await extra["signer"].attest(extra["matching"], run_json, call.scope.actor, "placement_signer", at)

    def made() -> bytes:
        if not attestation:
            raise Refused("round-state", "The round changed meanwhile; read it again.", rule="lifecycle")
        return attestation

    async def work(tx: Tx) -> RoundOut:
        offers = await rounds.sign(tx, call.scope, call.service.files, round_id, body.run_sha256, made)
        return await _shown(tx, round_id, offers)

    return await call.write("sign_round", "round.sign", work)


@router.get("/{round_id}/files")
async def files(call: PublicCallDep, round_id: UUID) -> FilesOut:
    """The public run folder, for anybody: fetch each file and run `verify.py` on them."""

    async def work(tx: Tx) -> FilesOut:
        row = await store.rounds.get(tx, round_id)
        if row is None:
            raise NotFound
        found = await store.rounds.files(tx, round_id, public=True)
        items = [FileOut(name=f["name"], media=f["media"], sha256=f["sha256"], size=f["size"]) for f in found]
        return FilesOut(round_id=round_id, run_sha256=row["run_sha256"], items=items)

    return await call.read("read_run_folder", "", work, role="worker")


@router.get("/{round_id}/files/{name}", response_class=StreamingResponse)
async def file(call: PublicCallDep, round_id: UUID, name: FileName) -> Response:
    """One file of the public run folder, for anybody."""
    found = await call.read("read_run_file", "", lambda tx: _file(tx, round_id, name, public=True), role="worker")
    return _streamed(call, found)


@router.get("/{round_id}/openings/{name}", response_class=StreamingResponse)
async def opening(call: CallDep, round_id: UUID, name: FileName) -> Response:
    """The opening of the commitments, for signer and auditor; every reading is noted."""
    may = "audit.read" if call.scope.may("audit.read") else "round.sign"

    async def work(tx: Tx) -> RowMapping:
        found = await _file(tx, round_id, name, public=False)
        call.scope.require(may, found["region"])
        tx.note("round.opening_read", round_id, found["region"], purpose="audit")
        return found

    return _streamed(call, await call.read("read_opening", may, work))


async def _file(tx: Tx, round_id: UUID, name: str, *, public: bool) -> RowMapping:
    found = await store.rounds.file(tx, round_id, name, public=public)
    if found is None:
        raise NotFound
    return found


def _streamed(call: Call, found: RowMapping) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        # The row was found within the caller's rights; its pieces are read by a transaction of the service's own.
        async with call.service.db.begin("worker", call.service.scope, "read_run_file") as tx:
            async for piece in call.service.files.stream(tx, found["file_id"]):
                yield piece

    headers = {
        "Content-Length": str(found["size"]),
        "ETag": f'"{found["sha256"]}"',
        "Content-Disposition": f'attachment; filename="{found["name"]}"',
    }
    return StreamingResponse(pieces(), media_type=found["media"], headers=headers)


@router.get("/{round_id}/people/{worker_id}")
async def explain(call: CallDep, round_id: UUID, worker_id: UUID) -> ExplanationOut:
    """Why this person has this seat or none; the advice was applied and solved again. Every reading is noted."""
    extra = call.service.extra

    async def load(tx: Tx) -> tuple[RowMapping, Mapping[str, Any], list[Any] | None]:
        found, row = await rounds.held(tx, round_id, lock=False)
        person = await store.rounds.person(tx, round_id, worker_id)
        if person is None:
            raise NotFound
        call.scope.require("explanation.read", found.region)
        tx.note("round.explained", round_id, found.region, purpose="explanation")
        if not row["second"] or not row["run_sha256"] or person["facts"] == "{}":
            return person, row, None
        rules = msgspec.json.decode(row["rules"], type=Rules)
        lots = await rounds.places(tx, round_id)
        return person, row, [await rounds.market(tx, extra["lottery"], round_id, row), lots, rules]

    person, row, world = await call.read("explain_round", "explanation.read", load)
    explanation = None
    if world is not None:
        market, lots, rules = world
        secret, second = extra["lottery"].secret(round_id), bytes.fromhex(row["second"])
        explanation = await extra["matching"].run(compute.explain, market, secret, second, str(worker_id), person["facts"], lots, rules)
    return ExplanationOut(
        round_id=round_id,
        worker_id=worker_id,
        lot_id=person["lot_id"],
        outcome="seat" if person["lot_id"] else "waiting" if row["run_sha256"] else "not_computed",
        reason=person["kind"] or "rights" if person["lot_id"] else person["reason"],
        explanation=explanation,
    )
