"""The doors every service has for its long work: one job, and the list of them."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query

from shared import jobs
from shared.db import Tx
from shared.errors import NotFound
from shared.http.bodies import Body
from shared.http.call import CallDep
from shared.http.paging import Page, PagingDep

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


class JobBody(Body):
    """Long work: `queued` or `running`, then `done` with a result or `failed` with a code."""

    id: UUID
    kind: str
    region: str
    state: str
    progress: dict[str, Any]
    result: dict[str, Any]
    error: str
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None


@router.get("/{job_id}")
async def job(job_id: UUID, call: CallDep) -> JobBody:
    """One job of the caller's regions."""

    async def work(tx: Tx) -> JobBody:
        found = await jobs.find(tx, job_id)
        if found is None:
            raise NotFound("no-such-job")
        return JobBody.model_validate(found)

    return await call.read("job.read", "job.read", work)


@router.get("")
async def listed(
    call: CallDep,
    paging: PagingDep,
    region: Annotated[str, Query(max_length=5)] = "",
    kind: Annotated[str, Query(max_length=60)] = "",
    state: Annotated[str, Query(max_length=20)] = "",
) -> Page[JobBody]:
    """The jobs of the caller's regions, newest first."""
    start = paging.after(datetime, UUID)
    if region:
        call.scope.require("job.read", region)

    async def work(tx: Tx) -> Page[JobBody]:
        found = await jobs.listed(
            tx, limit=paging.limit + 1, after=None if start is None else (start[0], start[1]), region=region, kind=kind, state=state
        )
        return paging.page(found, lambda one: (one.created_at, one.id), JobBody.model_validate)

    return await call.read("job.list", "job.read", work)
