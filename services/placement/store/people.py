"""The projections: what the neighbours say about people and seals, written as sets."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.db import Tx, doc

Rows = Sequence[dict[str, Any]]


async def keep_people(tx: Tx, profiles: Rows, history: Rows, erased: Sequence[UUID]) -> None:
    """Upsert profiles (whole, the newest of the batch), add dated history, delete the erased."""
    if profiles:
        await tx.run(
            "INSERT INTO person (worker_id, region, worker_number, agency, job_family, kecamatan, service_start, service_end)"
            " SELECT worker_id, region, worker_number, agency, job_family, kecamatan, service_start, service_end"
            " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, region text, worker_number text, agency text,"
            " job_family text, kecamatan text, service_start date, service_end date) ORDER BY worker_id"
            " ON CONFLICT (worker_id) DO UPDATE SET agency = excluded.agency, job_family = excluded.job_family,"
            " kecamatan = excluded.kecamatan, service_start = excluded.service_start, service_end = excluded.service_end,"
            " worker_number = CASE WHEN excluded.worker_number = '' THEN person.worker_number ELSE excluded.worker_number END",
            d=doc(profiles),
        )
    if history:
        await tx.run(
            "INSERT INTO person_history (worker_id, version, region, aspect, value, effective_on, recorded_at)"
            " SELECT worker_id, version, region, aspect, value, effective_on, recorded_at FROM json_to_recordset(CAST(:d AS json))"
            " AS t(worker_id uuid, version int, region text, aspect text, value text, effective_on date, recorded_at timestamptz)"
            " ON CONFLICT DO NOTHING",
            d=doc(history),
        )
    if erased:
        await tx.run(
            "WITH gone AS (DELETE FROM person_history WHERE worker_id = ANY(CAST(:w AS uuid[])))"
            " DELETE FROM person WHERE worker_id = ANY(CAST(:w AS uuid[]))",
            w=list(erased),
        )


async def keep_rights(tx: Tx, credentials: Rows, history: Rows) -> None:
    """Upsert credentials (the newest of the batch), add verdicts and consents."""
    if credentials:
        await tx.run(
            "INSERT INTO credential (credential_id, worker_id, region, credential, class_, valid_from, valid_until)"
            " SELECT credential_id, worker_id, region, credential, class_, valid_from, valid_until"
            " FROM json_to_recordset(CAST(:d AS json)) AS t(credential_id uuid, worker_id uuid, region text, credential text,"
            " class_ text, valid_from date, valid_until date) ORDER BY credential_id"
            " ON CONFLICT (credential_id) DO UPDATE SET class_ = excluded.class_, valid_from = excluded.valid_from,"
            " valid_until = excluded.valid_until",
            d=doc(credentials),
        )
    if history:
        await tx.run(
            "INSERT INTO right_history (aggregate_id, version, worker_id, region, aspect, value, why, effective_on, recorded_at)"
            " SELECT aggregate_id, version, worker_id, region, aspect, value, why, effective_on, recorded_at"
            " FROM json_to_recordset(CAST(:d AS json)) AS t(aggregate_id uuid, version int, worker_id uuid, region text, aspect text,"
            " value text, why text, effective_on date, recorded_at timestamptz) ON CONFLICT DO NOTHING",
            d=doc(history),
        )


async def keep_chunks(tx: Tx, table: str, chunks: Rows) -> None:
    """Store chunks of a seal (`roll_chunk` or `capacity_chunk`)."""
    if not chunks:
        return
    assert table in ("roll_chunk", "capacity_chunk")
    await tx.run(
        f"INSERT INTO {table} (seal_id, chunk, region, chunks, as_of, pins) SELECT seal_id, chunk, region, chunks, as_of, pins"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(seal_id uuid, chunk int, region text, chunks int, as_of timestamptz, pins text)"
        " ON CONFLICT DO NOTHING",
        d=doc(chunks),
    )
