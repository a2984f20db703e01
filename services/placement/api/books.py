"""Doors of placement's own book of the people."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from sqlalchemy.engine import RowMapping

from services.placement import store
from services.placement.domain import Column, column, pool
from services.placement.schemas import PoolOut, PoolPersonOut
from shared.db import Tx
from shared.http import CallDep, Page, PagingDep, day, moment

router = APIRouter(prefix="/v1/regions", tags=["books"])
InPath = Annotated[str, Path(pattern=r"^[1-9][0-9]\.[0-9]{2}$")]


@router.get("/{region}/pool")
async def read_pool(call: CallDep, region: InPath, on: date | None = None, known_at: datetime | None = None) -> PoolOut:
    """The people of the pool at the end of a day, as known now or at an instant."""
    call.scope.require("balance.read", region)

    async def work(tx: Tx) -> PoolOut:
        at, known = day("on", on) or tx.stamp.day, _known(tx, known_at)
        found = pool(await store.book.groups(tx, region, at, known))
        return PoolOut(
            region=region,
            on=at,
            as_of=tx.stamp.business,
            placed=found.placed,
            declined=found.declined,
            ineligible=dict(found.ineligible),
            waiting=dict(found.waiting),
            total=found.total,
        )

    return await call.read("read_pool", "balance.read", work)


def _known(tx: Tx, known_at: datetime | None) -> datetime:
    return moment("known_at", known_at) or tx.stamp.wall


@router.get("/{region}/pool/people")
async def list_pool(
    call: CallDep, paging: PagingDep, region: InPath, on: date | None = None, known_at: datetime | None = None
) -> Page[PoolPersonOut]:
    """Where each person of the pool stands, in id order."""
    call.scope.require("balance.read", region)
    call.scope.require("placement.read", region)
    after = paging.after(UUID)

    async def work(tx: Tx) -> Page[PoolPersonOut]:
        at, known = day("on", on) or tx.stamp.day, _known(tx, known_at)
        rows = await store.book.people(tx, region, at, known, after=after[0] if after else None, limit=paging.limit + 1)
        return paging.page(rows, lambda r: (r["worker_id"],), _person, tx.stamp.business)

    return await call.read("list_pool", "placement.read", work)


def _person(row: RowMapping) -> PoolPersonOut:
    present = store.book.present(row)
    found = column(present) or Column("waiting")
    return PoolPersonOut(worker_id=row["worker_id"], agency=row["agency"], column=found.name, reason=found.reason, since=_since(row, found))


def _since(row: RowMapping, found: Column) -> date | None:
    """The day of the fact that decides the column."""
    since: date | None
    if found.name == "placed" or (found.name == "ineligible" and row["verdict"] != "ineligible"):
        since = row["course_on"]
    elif found.name == "declined":
        since = row["consent_on"] if row["refused"] else row["course_on"]
    elif found.name == "ineligible" or row["verdict"] == "unknown":
        since = row["verdict_on"]
    elif found.reason == "proposed":
        since = row["proposed_on"]
    else:
        since = row["course_on"] or (row["service_on"] if row["service_on"] else row["service_end"])
    return since
