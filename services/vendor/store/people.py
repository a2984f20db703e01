"""The vendor's side of people: accepted offers and seats (projections), work agreements, rosters, cases."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from services.vendor.domain import AcceptedOffer, Agreement, Case, Signed
from shared.db import Tx, doc

_IDS = "(SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"


def _offer(row: Any) -> AcceptedOffer:
    return AcceptedOffer(
        offer_id=row["offer_id"],
        region=row["region"],
        worker_id=row["worker_id"],
        contract_id=row["contract_id"],
        lot_id=row["lot_id"],
        vendor_id=row["vendor_id"],
        terms=row["offered_terms"],
        starts_on=row["offered_start"],
        withdrawn=bool(row["withdrawn"]),
    )


_OFFER = (
    "SELECT a.offer_id, a.region, a.worker_id, a.contract_id, a.lot_id, a.vendor_id, a.terms AS offered_terms,"
    " a.starts_on AS offered_start, a.withdrawn FROM accepted_offer a"
)


_ERASURE = "1447382596, 1"
"""Advisory lock between erasing people and writing about people: what is written later sees who was erased before."""


async def about_people(tx: Tx) -> None:
    """Taken by whoever writes rows about people; an erasure waits for them, and they for it."""
    await tx.run(f"SELECT pg_advisory_xact_lock_shared({_ERASURE})")


# --- accepted offers (projection) ---


async def regions_of(tx: Tx, table: str, key: str, ids: Sequence[UUID]) -> dict[UUID, str]:
    """The region of each row that is there, to find an event of another region."""
    found = await tx.rows(f"SELECT {key} AS id, region FROM {table} WHERE {key} IN {_IDS}", ids=doc(list(set(ids))))
    return {row["id"]: row["region"] for row in found}


async def put_accepted(tx: Tx, offers: Sequence[AcceptedOffer]) -> None:
    """Accepted offers; one that is there stays as it is, and of an erased person nothing is kept (a rebuild tells all again)."""
    if not offers:
        return
    await tx.run(
        "INSERT INTO accepted_offer (offer_id, region, worker_id, contract_id, lot_id, vendor_id, terms, starts_on, withdrawn)"
        " SELECT offer_id, region, worker_id, contract_id, lot_id, vendor_id, terms, starts_on, ''"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(offer_id uuid, region text, worker_id uuid, contract_id uuid, lot_id uuid,"
        " vendor_id uuid, terms int, starts_on date)"
        " WHERE NOT EXISTS (SELECT 1 FROM gone g WHERE g.worker_id = t.worker_id AND g.why = 'erased')"
        " ORDER BY offer_id ON CONFLICT DO NOTHING",
        d=doc(offers),
    )


async def withdraw_accepted(tx: Tx, reasons: Mapping[UUID, str]) -> None:
    """Accepted offers that were withdrawn afterwards; others are none of ours."""
    if not reasons:
        return
    await tx.run(
        "UPDATE accepted_offer a SET withdrawn = t.reason FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, reason text)"
        " WHERE a.offer_id = t.id",
        d=doc([{"id": offer, "reason": reason} for offer, reason in reasons.items()]),
    )


async def load_offers(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, AcceptedOffer]:
    """Accepted offers by id, locked in id order, so that two agreements of one offer see each other."""
    found = await tx.rows(f"{_OFFER} WHERE a.offer_id IN {_IDS} ORDER BY a.offer_id FOR UPDATE", ids=doc(list(set(ids))))
    return {row["offer_id"]: _offer(row) for row in found}


async def list_offers(tx: Tx, region: str, state: str | None, vendor: UUID, after: UUID | None, limit: int) -> Sequence[Any]:
    """A page of a vendor's accepted offers with the terms to sign, and one more."""
    return await tx.rows(
        "SELECT * FROM (SELECT a.offer_id, a.worker_id, a.contract_id, a.lot_id, a.terms, a.starts_on, l.agency, l.job, l.site, l.wage,"
        " c.number AS contract_number, c.ends_on AS contract_ends_on, CASE WHEN w.id IS NOT NULL THEN 'signed'"
        " WHEN a.withdrawn <> '' OR g.worker_id IS NOT NULL THEN 'withdrawn' ELSE 'to_sign' END AS state"
        " FROM accepted_offer a JOIN contract c ON c.id = a.contract_id AND c.region = a.region JOIN lot l ON l.id = a.lot_id"
        " LEFT JOIN work_agreement w ON w.offer_id = a.offer_id LEFT JOIN gone g ON g.worker_id = a.worker_id"
        " WHERE a.region = :region AND a.vendor_id = :vendor AND c.vendor_id = :vendor"
        " AND (CAST(:after AS uuid) IS NULL OR a.offer_id > :after)) o"
        " WHERE CAST(:state AS text) IS NULL OR o.state = :state ORDER BY o.offer_id LIMIT :limit",
        region=region,
        state=state,
        vendor=vendor,
        after=after,
        limit=limit,
    )


# --- seats (projection) ---


async def put_seats(tx: Tx, seats: Sequence[Mapping[str, object]]) -> None:
    """New placements; of an erased person nothing is kept."""
    if not seats:
        return
    await tx.run(
        "INSERT INTO seat (placement_id, region, worker_id, contract_id, lot_id, vendor_id, incumbent, state, starts_on, ended_on,"
        " end_reason) SELECT placement_id, region, worker_id, contract_id, lot_id, vendor_id, incumbent, 'confirmed', starts_on, NULL, ''"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(placement_id uuid, region text, worker_id uuid, contract_id uuid, lot_id uuid,"
        " vendor_id uuid, incumbent boolean, starts_on date)"
        " WHERE NOT EXISTS (SELECT 1 FROM gone g WHERE g.worker_id = t.worker_id AND g.why = 'erased')"
        " ORDER BY placement_id ON CONFLICT DO NOTHING",
        d=doc(seats),
    )


async def change_seats(tx: Tx, changes: Sequence[Mapping[str, object]]) -> None:
    """What became of placements: state, another contract, an end. Absent fields stay."""
    if not changes:
        return
    await tx.run(
        "UPDATE seat s SET state = coalesce(t.state, s.state), contract_id = coalesce(t.contract_id, s.contract_id),"
        " lot_id = coalesce(t.lot_id, s.lot_id), vendor_id = coalesce(t.vendor_id, s.vendor_id),"
        " ended_on = coalesce(t.ended_on, s.ended_on), end_reason = coalesce(t.end_reason, s.end_reason)"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(placement_id uuid, state text, contract_id uuid, lot_id uuid, vendor_id uuid,"
        " ended_on date, end_reason text) WHERE s.placement_id = t.placement_id",
        d=doc(changes),
    )


# --- who is gone ---


async def put_gone(tx: Tx, rows: Sequence[Mapping[str, object]]) -> None:
    """People whom no vendor hires any more; erased outranks everything else."""
    if not rows:
        return
    await tx.run(
        "INSERT INTO gone (worker_id, region, why, effective_on) SELECT worker_id, region, why, effective_on"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, region text, why text, effective_on date) ORDER BY worker_id"
        " ON CONFLICT (worker_id) DO UPDATE SET why = excluded.why, effective_on = excluded.effective_on WHERE gone.why <> 'erased'",
        d=doc(rows),
    )


async def forget_people(tx: Tx, ids: Sequence[UUID]) -> None:
    """Delete what is held of erased people: offers, seats, agreements, roster entries, cases about them."""
    if not ids:
        return
    await tx.run(f"SELECT pg_advisory_xact_lock({_ERASURE})")
    await tx.run(
        "WITH w AS (SELECT CAST(value AS uuid) AS id FROM json_array_elements_text(CAST(:ids AS json))),"
        " a AS (DELETE FROM accepted_offer USING w WHERE worker_id = w.id),"
        " s AS (DELETE FROM seat USING w WHERE worker_id = w.id),"
        " g AS (DELETE FROM work_agreement USING w WHERE worker_id = w.id),"
        " c AS (DELETE FROM case_file USING w WHERE worker_id = w.id)"
        " DELETE FROM roster_entry USING w WHERE worker_id = w.id",
        ids=doc(list(set(ids))),
    )


async def gone(tx: Tx, ids: Sequence[UUID]) -> frozenset[UUID]:
    """Which of these people are gone."""
    found = await tx.rows(f"SELECT worker_id FROM gone WHERE worker_id IN {_IDS}", ids=doc(list(set(ids))))
    return frozenset(row["worker_id"] for row in found)


# --- work agreements ---


async def load_signed(tx: Tx, offers: Sequence[UUID]) -> dict[UUID, Signed]:
    """The work agreements of these offers."""
    found = await tx.rows(
        "SELECT w.*, a.withdrawn, a.terms AS offered_terms, a.starts_on AS offered_start FROM work_agreement w"
        f" JOIN accepted_offer a ON a.offer_id = w.offer_id WHERE w.offer_id IN {_IDS}",
        ids=doc(list(set(offers))),
    )
    return {
        row["offer_id"]: Signed(
            row["id"],
            _offer(row),
            Agreement(row["offer_id"], row["number"], row["agreement"], row["wage"], row["starts_on"], row["ends_on"]),
        )
        for row in found
    }


async def used_numbers(tx: Tx, vendor_id: UUID, numbers: Sequence[str]) -> dict[str, UUID]:
    """Which of the numbers the vendor has used, and for which offer."""
    found = await tx.rows(
        "SELECT number, offer_id FROM work_agreement WHERE vendor_id = :vendor"
        " AND number IN (SELECT value FROM json_array_elements_text(CAST(:d AS json)))",
        vendor=vendor_id,
        d=doc(list(set(numbers))),
    )
    return {row["number"]: row["offer_id"] for row in found}


async def insert_agreements(tx: Tx, signed: Sequence[Signed]) -> int:
    """Write new work agreements; how many were new."""
    if not signed:
        return 0
    return await tx.run(
        "INSERT INTO work_agreement (id, region, offer_id, worker_id, contract_id, lot_id, vendor_id, terms, agreement, number, wage,"
        " starts_on, ends_on, recorded_at) SELECT id, region, offer_id, worker_id, contract_id, lot_id, vendor_id, terms, agreement,"
        " number, wage, starts_on, ends_on, :at FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text, offer_id uuid,"
        " worker_id uuid, contract_id uuid, lot_id uuid, vendor_id uuid, terms int, agreement text, number text, wage bigint,"
        " starts_on date, ends_on date) ON CONFLICT DO NOTHING",
        at=tx.stamp.wall,
        d=doc(
            [
                {
                    "id": one.id,
                    "region": one.offer.region,
                    "offer_id": one.offer.offer_id,
                    "worker_id": one.offer.worker_id,
                    "contract_id": one.offer.contract_id,
                    "lot_id": one.offer.lot_id,
                    "vendor_id": one.offer.vendor_id,
                    "terms": one.offer.terms,
                    "agreement": one.agreement.agreement,
                    "number": one.agreement.number,
                    "wage": one.agreement.wage,
                    "starts_on": one.agreement.starts_on,
                    "ends_on": one.agreement.ends_on,
                }
                for one in signed
            ]
        ),
    )


async def list_agreements(tx: Tx, region: str, vendor: UUID | None, contract: UUID | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """A page of work agreements and one more."""
    return await tx.rows(
        "SELECT id, offer_id, worker_id, contract_id, lot_id, vendor_id, terms, agreement, number, wage, starts_on, ends_on"
        " FROM work_agreement WHERE region = :region AND (CAST(:after AS uuid) IS NULL OR id > :after)"
        " AND (CAST(:vendor AS uuid) IS NULL OR vendor_id = :vendor) AND (CAST(:contract AS uuid) IS NULL OR contract_id = :contract)"
        " ORDER BY id LIMIT :limit",
        region=region,
        vendor=vendor,
        contract=contract,
        after=after,
        limit=limit,
    )


# --- rosters ---


async def put_roster(
    tx: Tx, roster_id: UUID, region: str, contract_id: UUID, vendor_id: UUID, month: date, people: Sequence[tuple[UUID, UUID]]
) -> None:
    """A month's roster; reported again, it is replaced as a whole. People are pairs of worker and lot."""
    await tx.run(
        "INSERT INTO roster (id, region, contract_id, vendor_id, month, people, reported_at)"
        " VALUES (:id, :region, :contract, :vendor, :month, :people, :at)"
        " ON CONFLICT (id) DO UPDATE SET people = excluded.people, reported_at = excluded.reported_at",
        id=roster_id,
        region=region,
        contract=contract_id,
        vendor=vendor_id,
        month=month,
        people=len(people),
        at=tx.stamp.wall,
    )
    await tx.run("DELETE FROM roster_entry WHERE roster_id = :id", id=roster_id)
    await tx.run(
        "INSERT INTO roster_entry (roster_id, worker_id, region, lot_id) SELECT :id, worker_id, :region, lot_id"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, lot_id uuid)"
        " WHERE NOT EXISTS (SELECT 1 FROM gone g WHERE g.worker_id = t.worker_id AND g.why = 'erased')",
        id=roster_id,
        region=region,
        d=doc([{"worker_id": worker, "lot_id": lot} for worker, lot in people]),
    )


async def list_rosters(tx: Tx, region: str, vendor: UUID | None, month: date | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """A page of rosters and one more."""
    return await tx.rows(
        "SELECT id, contract_id, vendor_id, month, people, reported_at FROM roster WHERE region = :region"
        " AND (CAST(:after AS uuid) IS NULL OR id > :after) AND (CAST(:vendor AS uuid) IS NULL OR vendor_id = :vendor)"
        " AND (CAST(:month AS date) IS NULL OR month = :month) ORDER BY id LIMIT :limit",
        region=region,
        vendor=vendor,
        month=month,
        after=after,
        limit=limit,
    )


async def region_of_roster(tx: Tx, roster_id: UUID) -> str | None:
    """Where a roster belongs."""
    row = await tx.one("SELECT region FROM roster WHERE id = :id", id=roster_id)
    return None if row is None else str(row["region"])


async def roster_people(tx: Tx, roster_id: UUID, vendor: UUID | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """A page of the people on a roster and one more."""
    return await tx.rows(
        "SELECT e.worker_id, e.lot_id FROM roster_entry e JOIN roster r ON r.id = e.roster_id WHERE e.roster_id = :id"
        " AND (CAST(:vendor AS uuid) IS NULL OR r.vendor_id = :vendor)"
        " AND (CAST(:after AS uuid) IS NULL OR e.worker_id > :after) ORDER BY e.worker_id LIMIT :limit",
        id=roster_id,
        vendor=vendor,
        after=after,
        limit=limit,
    )


# --- cases ---


async def insert_cases(tx: Tx, cases: Sequence[Case]) -> set[UUID]:
    """Write new cases; the ids of those that were not there yet."""
    if not cases:
        return set()
    found = await tx.rows(
        "INSERT INTO case_file (id, region, kind, rule, vendor_id, worker_id, contract_id, offer_id, state, outcome, opened_at,"
        " decided_by) SELECT id, region, kind, rule, vendor_id, worker_id, contract_id, offer_id, state, outcome, :at, ''"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text, kind text, rule text, vendor_id uuid, worker_id uuid,"
        " contract_id uuid, offer_id uuid, state text, outcome text) ORDER BY id ON CONFLICT DO NOTHING RETURNING id",
        at=tx.stamp.wall,
        d=doc(cases),
    )
    return {row["id"] for row in found}


_CASE = "SELECT id, region, kind, rule, vendor_id, worker_id, contract_id, offer_id, state, outcome FROM case_file"


async def lock_case(tx: Tx, case_id: UUID) -> Case | None:
    """One case, its row taken."""
    row = await tx.one(f"{_CASE} WHERE id = :id FOR UPDATE", id=case_id)
    return None if row is None else Case(**row)


async def decide_case(tx: Tx, case_id: UUID, outcome: str) -> None:
    """Write a decision; a finding behind the case is closed with it."""
    await tx.run(
        "WITH f AS (UPDATE finding SET state = 'closed' WHERE id = :id)"
        " UPDATE case_file SET state = 'decided', outcome = :outcome, decided_by = :by WHERE id = :id",
        id=case_id,
        outcome=outcome,
        by=tx.scope.actor,
    )


async def list_cases(tx: Tx, region: str, state: str | None, vendor: UUID | None, after: UUID | None, limit: int) -> list[Case]:
    """A page of cases and one more."""
    found = await tx.rows(
        f"{_CASE} WHERE region = :region AND (CAST(:after AS uuid) IS NULL OR id > :after)"
        " AND (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:vendor AS uuid) IS NULL OR vendor_id = :vendor)"
        " ORDER BY id LIMIT :limit",
        region=region,
        state=state,
        vendor=vendor,
        after=after,
        limit=limit,
    )
    return [Case(**row) for row in found]
