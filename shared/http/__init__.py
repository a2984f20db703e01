"""HTTP doors: `router = APIRouter(prefix="/v1")`, `async def door(call: CallDep, ...)`, and everything a door needs."""

from shared.http.bodies import Body, bad, impersonal
from shared.http.call import Call, CallDep, PublicCallDep, changed, check, etag
from shared.http.moments import day, moment
from shared.http.paging import Page, Paging, PagingDep, after, cursor

__all__ = [
    "Body",
    "Call",
    "CallDep",
    "Page",
    "Paging",
    "PagingDep",
    "PublicCallDep",
    "after",
    "bad",
    "changed",
    "check",
    "cursor",
    "day",
    "etag",
    "impersonal",
    "moment",
]
