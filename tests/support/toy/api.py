"""HTTP doors."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field, field_validator

from shared import jobs, timers
from shared.db import Tx, doc
from shared.errors import NotFound, NotNow, Refused
from shared.events import vendor
from shared.http import Body, CallDep, Page, PagingDep, PublicCallDep, bad, check
from shared.ids import new_id

router = APIRouter(prefix="/v1")
public = APIRouter()


class ThingIn(Body):
    """A thing to make."""

    region: str = Field(pattern=r"^\d\d\.\d\d$")
    name: str = Field(min_length=1, max_length=40)
    count: int = Field(1, ge=1, le=10)
    colour: Literal["red", "green"] = "red"
    wait: float = 0
    then: str = ""

    @field_validator("then")
    @classmethod
    def _then(cls, given: str) -> str:
        if given not in ("", "refuse", "crash", "not-now", "duplicate"):
            raise bad("unknown_then", "must be a known ending")
        return given


class Thing(Body):
    """A thing."""

    id: UUID
    region: str
    name: str
    version: int
    made_at: datetime


@router.post("/things", status_code=201, response_model=Thing)
async def make(body: ThingIn, call: CallDep) -> Response:
    """Make a thing."""

    async def work(tx: Tx) -> Thing:
        tx.scope.require("vendor.write", body.region)
        thing = Thing(id=new_id(), region=body.region, name=body.name, version=1, made_at=tx.stamp.wall)
        await tx.run(
            "INSERT INTO thing (id, region, name, version, made_at) SELECT * FROM json_to_recordset(CAST(:d AS json))"
            " AS t(id uuid, region text, name text, version int, made_at timestamptz)",
            d=doc([thing.model_dump(mode="json")]),
        )
        tx.emit(vendor.VendorQualified(vendor_id=thing.id, region=body.region, effective_on=tx.stamp.day, name="PT Uji"))
        await asyncio.sleep(body.wait)
        if body.then == "refuse":
            raise Refused("too-many", "There are enough.", rule="toy.limit", article="UU 1/2026 Pasal 2", field="count")
        if body.then == "crash":
            raise ZeroDivisionError(body.name)
        if body.then == "not-now":
            raise NotNow("pack-missing")
        call.etag(1)
        call.location(f"/v1/things/{thing.id}")
        return thing

    return await call.write("thing.make", "vendor.write", work, status=201)


@router.get("/things/{thing_id}")
async def one(thing_id: UUID, call: CallDep) -> Thing:
    """One thing."""

    async def work(tx: Tx) -> Thing:
        row = await tx.one("SELECT * FROM thing WHERE id = :id", id=thing_id)
        if row is None:
            raise NotFound
        call.etag(row["version"])
        return Thing.model_validate(dict(row))

    return await call.read("thing.read", "vendor.read", work)


@router.put("/things/{thing_id}", response_model=Thing)
async def change(thing_id: UUID, body: ThingIn, call: CallDep) -> Response:
    """Rename a thing at the version that was seen."""
    expected = call.if_match(required=True)

    async def work(tx: Tx) -> Thing:
        row = await tx.one("SELECT * FROM thing WHERE id = :id FOR UPDATE", id=thing_id)
        if row is None:
            raise NotFound
        check(expected, row["version"])
        changed = await tx.one(
            "UPDATE thing SET name = :name, version = version + 1 WHERE id = :id RETURNING *", id=thing_id, name=body.name
        )
        assert changed is not None
        call.etag(changed["version"])
        return Thing.model_validate(dict(changed))

    return await call.write("thing.change", "vendor.write", work)


@router.get("/things")
async def listed(call: CallDep, paging: PagingDep, since: Annotated[date | None, Query()] = None) -> Page[Thing]:
    """All things, by name."""
    start = paging.after(str)

    async def work(tx: Tx) -> Page[Thing]:
        rows = await tx.rows(
            "SELECT * FROM thing WHERE name > :after ORDER BY name LIMIT :n", after=start[0] if start else "", n=paging.limit + 1
        )
        return paging.page(rows, lambda row: (row["name"],), lambda row: Thing.model_validate(dict(row)), tx.stamp.business)

    return await call.read("thing.list", "vendor.read", work)


@router.post("/uploads", status_code=202)
async def upload(call: CallDep) -> Response:
    """A file, at most 3,000,000 bytes, and a job that counts it."""
    call.scope.require("vendor.write", "13.74")
    async with call.service.db.begin("api", call.scope, "upload.store") as tx:
        stored = await call.service.files.put(tx, "13.74", "toy", "text/plain", call.upload(3_000_000), seal=True)

    async def work(tx: Tx) -> Any:
        job = await jobs.enqueue(tx, "count", "13.74", {"file": stored.id, "steps": 1})
        return {"job": job, "size": stored.size, "sha256": stored.sha256}

    return await call.write("upload", "vendor.write", work, status=202, fingerprint=bytes.fromhex(stored.sha256))


class TimersIn(Body):
    """Timers to set."""

    kind: str = "ring"
    count: int = 1
    minutes: int = 0
    fail: list[int] = []


@router.post("/timers", status_code=201)
async def set_timers(body: TimersIn, call: CallDep) -> Response:
    """Set timers."""

    async def work(tx: Tx) -> Any:
        due = tx.stamp.business + timedelta(minutes=body.minutes)
        set_ = [timers.Timer(new_id(), due, "13.74", {"number": n, "fail": n in body.fail}) for n in range(body.count)]
        await timers.schedule(tx, body.kind, set_)
        return {"keys": [one.key for one in set_]}

    return await call.write("timers.set", "vendor.write", work, status=201)


class JobIn(Body):
    """A job to do."""

    kind: str = "count"
    steps: int = 1
    payload: dict[str, Any] = {}


@router.post("/work", status_code=202)
async def work(body: JobIn, call: CallDep) -> Response:
    """Ask for a job."""

    async def enqueue(tx: Tx) -> Any:
        return {"job": await jobs.enqueue(tx, body.kind, "13.74", {"steps": body.steps, **body.payload})}

    return await call.write("work.ask", "vendor.write", enqueue, status=202)


@public.get("/open/{name}")
async def opened(name: str, call: PublicCallDep) -> dict[str, bool]:
    """Whether there is a thing of that name; for everybody."""

    async def find(tx: Tx) -> bool:
        return await tx.one("SELECT 1 FROM thing WHERE name = :name", name=name) is not None

    return {"there": await call.read("open", "", find, role="worker")}
