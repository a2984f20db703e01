"""Vendors and their documents."""

from collections.abc import Sequence
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from services.vendor.domain import Paper, Reason, Vendor
from shared.db import Tx, doc

T = TypeVar("T")

_VENDOR = """
SELECT v.*, (SELECT coalesce(json_agg(json_build_object('kind', d.kind, 'number', d.number, 'valid_from', d.valid_from,
                                                        'valid_until', d.valid_until) ORDER BY d.kind), '[]')
             FROM vendor_document d WHERE d.vendor_id = v.id) AS papers
FROM vendor v
"""


def _vendor(row: Any) -> Vendor:
    reasons = msgspec.json.decode(row["reasons"], type=list[tuple[str, str, str]])
    return Vendor(
        id=row["id"],
        region=row["region"],
        name=row["name"],
        nib=row["nib"],
        registered_by=row["registered_by"],
        standing=row["standing"],
        qualified_until=row["qualified_until"],
        debarred=row["debarred"],
        debarred_until=row["debarred_until"],
        papers=tuple(rows(row["papers"], Paper)),
        reasons=tuple(Reason(*reason) for reason in reasons),
    )


def rows(document: Any, kind: type[T]) -> list[T]:
    """The values of a JSON aggregate, however the driver handed it over."""
    plain = msgspec.json.decode(document) if isinstance(document, str | bytes) else document
    return msgspec.convert(plain, list[kind], strict=False)  # type: ignore[valid-type]


async def insert_vendor(tx: Tx, vendor: Vendor) -> bool:
    """Write a new vendor; False when the region has one with its NIB."""
    return bool(
        await tx.run(
            "INSERT INTO vendor (id, region, name, nib, registered_by, registered_at, standing, qualified_until, assessed_by, minutes,"
            " reasons, debarred, debarred_until, debarment)"
            " VALUES (:id, :region, :name, :nib, :by, :at, :standing, NULL, '', '', '[]', false, NULL, '') ON CONFLICT DO NOTHING",
            id=vendor.id,
            region=vendor.region,
            name=vendor.name,
            nib=vendor.nib,
            by=vendor.registered_by,
            at=tx.stamp.wall,
            standing=vendor.standing,
        )
    )


async def load_vendors(tx: Tx, ids: Sequence[UUID], *, lock: bool = False) -> dict[UUID, Vendor]:
    """Vendors by id; `lock` takes their rows in id order."""
    if not ids:
        return {}
    if lock:
        await tx.run(
            "SELECT 1 FROM vendor WHERE id IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"
            " ORDER BY id FOR UPDATE",
            ids=doc(list(set(ids))),
        )
    found = await tx.rows(
        _VENDOR + "WHERE v.id IN (SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))", ids=doc(list(set(ids)))
    )
    return {row["id"]: _vendor(row) for row in found}


async def save_vendors(tx: Tx, vendors: Sequence[Vendor], *, assessed_by: str = "", minutes: str = "", debarment: str = "") -> None:
    """Write the decisions; empty texts leave what was there."""
    await tx.run(
        "UPDATE vendor v SET standing = t.standing, qualified_until = t.qualified_until, reasons = t.reasons, debarred = t.debarred,"
        " debarred_until = t.debarred_until, assessed_by = coalesce(nullif(:assessed_by, ''), v.assessed_by),"
        " minutes = coalesce(nullif(:minutes, ''), v.minutes), debarment = coalesce(nullif(:debarment, ''), v.debarment)"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, standing text, qualified_until date, reasons text, debarred boolean,"
        " debarred_until date) WHERE v.id = t.id",
        d=doc(
            [
                {
                    "id": vendor.id,
                    "standing": vendor.standing,
                    "qualified_until": vendor.qualified_until,
                    "reasons": doc([(reason.slug, reason.rule, reason.article) for reason in vendor.reasons]),
                    "debarred": vendor.debarred,
                    "debarred_until": vendor.debarred_until,
                }
                for vendor in vendors
            ]
        ),
        assessed_by=assessed_by,
        minutes=minutes,
        debarment=debarment,
    )


async def put_papers(tx: Tx, vendor: Vendor, papers: Sequence[Paper]) -> None:
    """Write documents; a kind that is there is replaced."""
    await tx.run(
        "INSERT INTO vendor_document (vendor_id, kind, region, number, valid_from, valid_until)"
        " SELECT :vendor, kind, :region, number, valid_from, valid_until FROM json_to_recordset(CAST(:d AS json))"
        " AS t(kind text, number text, valid_from date, valid_until date)"
        " ON CONFLICT (vendor_id, kind) DO UPDATE SET number = excluded.number, valid_from = excluded.valid_from,"
        " valid_until = excluded.valid_until",
        vendor=vendor.id,
        region=vendor.region,
        d=doc({paper.kind: paper for paper in papers}.values()),
    )


async def list_vendors(tx: Tx, region: str, state: str | None, after: UUID | None, limit: int) -> list[Vendor]:
    """A page of the region's vendors and one more."""
    found = await tx.rows(
        _VENDOR + "WHERE v.region = :region AND (CAST(:after AS uuid) IS NULL OR v.id > :after)"
        " AND (CAST(:state AS text) IS NULL OR :state = CASE WHEN v.debarred THEN 'debarred' ELSE v.standing END)"
        " ORDER BY v.id LIMIT :limit",
        region=region,
        state=state,
        after=after,
        limit=limit,
    )
    return [_vendor(row) for row in found]
