"""Dated records about a person (credentials, selections, insurance, honoraria): their ids, and the facts they become."""

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from shared.events import Fact
from shared.events.registry import CredentialRecorded, HonorariumRecorded, InsuranceReported, SelectionRecorded
from shared.ids import derived_id

Row = Mapping[str, Any]

IDENTIFIED_BY: Mapping[str, tuple[str, ...]] = {
    "credentials": ("credential", "class_"),
    "selections": ("year", "phase"),
    "insurance": ("programme",),
    "honoraria": ("paid_from",),
}
NEWEST: Mapping[str, str] = {"credentials": "valid_from", "insurance": "month"}
"""Where an older row never replaces a newer one: the day that says which is newer."""


def record_id(kind: str, worker_id: UUID, values: Row) -> UUID:
    """The same record keeps its id: a renewal is the next version of it."""
    return derived_id(kind, worker_id, *(values[name] for name in IDENTIFIED_BY[kind]))


def record(kind: str, worker_id: UUID, values: Row) -> dict[str, Any]:
    """A record as it is stored."""
    return {"id": record_id(kind, worker_id, values), "worker_id": worker_id, **values}


def guard_record(worker_id: UUID, since: date, until: date) -> dict[str, Any]:
    """The age limit of guards as a date, kept like a credential."""
    return record("credentials", worker_id, {"credential": "guard_until", "class_": "", "valid_from": since, "valid_until": until})


def newest(kind: str, rows: Iterable[dict[str, Any]]) -> dict[UUID, dict[str, Any]]:
    """One row per record: the newest where that matters, else the last one."""
    found: dict[UUID, dict[str, Any]] = {}
    by = NEWEST.get(kind)
    for row in rows:
        held = found.get(row["id"])
        if held is None or by is None or row[by] >= held[by]:
            found[row["id"]] = row
    return found


def fact_of(kind: str, region: str, row: Row, today: date) -> Fact:
    """A stored record as the fact that tells the neighbours."""
    worker = row["worker_id"]
    if kind == "credentials":
        return CredentialRecorded(
            region=region,
            effective_on=row["valid_from"],
            credential_id=row["id"],
            worker_id=worker,
            credential=row["credential"],
            class_=row["class_"],
            valid_from=row["valid_from"],
            valid_until=row["valid_until"],
        )
    if kind == "selections":
        return SelectionRecorded(
            region=region,
            effective_on=today,
            selection_id=row["id"],
            worker_id=worker,
            year=row["year"],
            phase=row["phase"],
            code=row["code"],
            listed=row["listed"],
        )
    if kind == "insurance":
        return InsuranceReported(
            region=region,
            effective_on=row["month"],
            insurance_id=row["id"],
            worker_id=worker,
            programme=row["programme"],
            active=row["active"],
            month=row["month"],
        )
    return HonorariumRecorded(
        region=region,
        effective_on=row["paid_until"],
        honorarium_id=row["id"],
        worker_id=worker,
        paid_from=row["paid_from"],
        paid_until=row["paid_until"],
    )
