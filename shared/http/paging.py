"""Keyset pages: a cursor is the sort key of the last row seen, opaque to the caller and checked when it comes back."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Generic, NamedTuple, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from shared.errors import Invalid
from shared.http.bodies import Body

MOST = 500
USUAL = 100

T = TypeVar("T")
R = TypeVar("R")


class Page(Body, Generic[T]):
    """Some items in order. `next` is the cursor of the following page, absent on the last one; `as_of` (business time) says how
    fresh the projection is that the answer was built from."""

    items: list[T]
    next: str | None = None
    as_of: datetime | None = None


class Paging(NamedTuple):
    """What the caller asked for: at most `limit` items after `cursor`."""

    limit: int
    cursor: str | None

    def after(self, *types: type) -> tuple[Any, ...] | None:
        """The decoded cursor, one value per type; None on the first page."""
        return after(self.cursor, types)

    def page(self, rows: Sequence[R], key: Callable[[R], Sequence[Any]], show: Callable[[R], T], as_of: datetime | None = None) -> Page[T]:
        """A page of rows fetched with `LIMIT :limit + 1`: `key` gives a row's sort key, `show` its body."""
        kept = rows[: self.limit]
        following = cursor(*key(kept[-1])) if len(rows) > self.limit and kept else None
        return Page(items=[show(row) for row in kept], next=following, as_of=as_of)


def paging(
    limit: Annotated[int, Query(ge=1, le=MOST, description="At most this many items.")] = USUAL,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next` of the page before.")] = None,
) -> Paging:
    """The dependency behind `PagingDep`."""
    return Paging(limit, cursor)


PagingDep = Annotated[Paging, Depends(paging)]


def cursor(*key: object) -> str:
    """The opaque form of a sort key (texts, whole numbers, UUIDs, dates, aware times, None)."""
    plain = [
        part if part is None or isinstance(part, str | int) else part.isoformat() if isinstance(part, date) else str(part) for part in key
    ]
    return base64.urlsafe_b64encode(json.dumps(plain, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _bad() -> Invalid:
    return Invalid([("cursor", "bad-cursor", "is not a cursor of this list")], slug="bad-cursor")


def _read(part: Any, kind: type) -> Any:
    if part is None:
        return None
    if kind is int:
        if not isinstance(part, int) or isinstance(part, bool) or not -(2**63) <= part < 2**63:
            raise _bad()
        return part
    if not isinstance(part, str) or "\x00" in part:
        raise _bad()
    if kind is datetime:
        told = datetime.fromisoformat(part)
        if told.tzinfo is None:
            raise _bad()
        return told
    if kind is date:
        return date.fromisoformat(part)
    return UUID(part) if kind is UUID else part


def after(given: str | None, types: Sequence[type]) -> tuple[Any, ...] | None:
    """The sort key a cursor stands for, one value per type; None without a cursor. Anything else is refused as `bad-cursor`."""
    if not given:
        return None
    try:
        plain = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
        if not isinstance(plain, list) or len(plain) != len(types):
            raise _bad()
        return tuple(_read(part, kind) for part, kind in zip(plain, types, strict=True))
    except (ValueError, binascii.Error, RecursionError):
        raise _bad() from None
