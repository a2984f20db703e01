"""Pages of offers, placements and lots, within the caller's regions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy.engine import RowMapping

from shared.db import Tx

_OFFERS: Final = (
    "SELECT o.id, o.region, o.worker_id, o.round_id, o.contract_id, o.lot_id, o.vendor_id, c.vendor_name, o.terms, o.agency, o.job,"
    " l.site, l.wage, o.incumbent, o.starts_on, o.answer_by, o.made_on, o.since, o.state, o.reason, o.reasons"
    " FROM offer o JOIN lot l ON l.id = o.lot_id JOIN contract c ON c.id = o.contract_id"
)
_PLACEMENTS: Final = (
    "SELECT o.id, o.region, o.worker_id, o.offer_id, o.contract_id, o.lot_id, o.vendor_id, o.terms, o.agency, o.job, o.incumbent,"
    " o.starts_on, o.since, o.state, o.ended_on, o.reason FROM placement o"
)
_LOTS: Final = (
    "SELECT o.id, o.region, o.contract_id, o.vendor_id, o.agency, o.job, o.site, o.capacity, o.taken, o.released, o.open,"
    " coalesce((SELECT sum(CAST(e ->> 1 AS int)) FROM json_array_elements(CAST(o.owed AS json)) e), 0) AS owed FROM lot o"
)
_SOURCES: Final = {"offer": _OFFERS, "placement": _PLACEMENTS, "lot": _LOTS}
_FILTERS: Final = frozenset({"region", "state", "worker_id", "contract_id", "round_id", "agency", "job"})


async def page(
    tx: Tx, kind: str, filters: Mapping[str, Any], after: UUID | None, limit: int, agencies: frozenset[str] = frozenset()
) -> Sequence[RowMapping]:
    """Rows of a kind in id order; empty filters do not filter."""
    held = {name: value for name, value in filters.items() if value not in (None, "")}
    assert set(held) <= _FILTERS
    where = [f"o.{name} = :{name}" for name in held]
    params: dict[str, Any] = dict(held)
    if after is not None:
        where.append("o.id > :after")
        params["after"] = after
    if agencies:
        where.append("o.agency = ANY(CAST(:agencies AS text[]))")
        params["agencies"] = sorted(agencies)
    return await tx.rows(f"{_SOURCES[kind]} WHERE {' AND '.join(where) or 'true'} ORDER BY o.id LIMIT :limit", limit=limit, **params)


async def one(tx: Tx, kind: str, id: UUID) -> RowMapping | None:
    """One row of a kind."""
    return await tx.one(f"{_SOURCES[kind]} WHERE o.id = :id", id=id)
