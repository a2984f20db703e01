"""Contracts, lots, reductions; what a seal pins; obligations and findings."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from services.vendor.domain import Contract, Finding, Reduction
from shared.db import Tx, doc
from shared.events.vendor import Lot

from .vendors import rows

_CONTRACT = """
SELECT c.*,
       (SELECT coalesce(json_agg(json_build_object('lot_id', l.id, 'agency', l.agency, 'job', l.job, 'site', l.site,
               'kecamatan', l.kecamatan, 'seats', l.seats, 'covered_seats', l.covered_seats, 'wage', l.wage,
               'price_per_seat_month', l.price) ORDER BY l.ordinal), '[]') FROM lot l WHERE l.contract_id = c.id) AS lots,
       (SELECT coalesce(json_agg(n.line_id ORDER BY n.ordinal), '[]') FROM contract_line n WHERE n.contract_id = c.id) AS line_ids
FROM contract c
"""
_IDS = "(SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"


def _contract(row: Any) -> Contract:
    return Contract(
        id=row["id"],
        region=row["region"],
        vendor_id=row["vendor_id"],
        vendor_name=row["vendor_name"],
        number=row["number"],
        starts_on=row["starts_on"],
        ends_on=row["ends_on"],
        lots=tuple(rows(row["lots"], Lot)),
        line_ids=tuple(rows(row["line_ids"], UUID)),
        drafted_by=row["drafted_by"],
        obligation_incumbents=row["obligation_incumbents"],
        obligation_by=row["obligation_by"],
        transfer_clause=row["transfer_clause"],
        partial_cover=row["partial_cover"],
        successor_of=row["successor_of"],
        state=row["state"],
        terms=row["terms"],
        signed_on=row["signed_on"],
        signed_by=row["signed_by"],
        ending_on=row["ending_on"],
        ended_on=row["ended_on"],
        end_reason=row["end_reason"],
    )


async def insert_contract(tx: Tx, contract: Contract) -> bool:
    """Write a draft with its lots and lines; False when the region has a contract of that number."""
    written = await tx.run(
        "INSERT INTO contract (id, region, vendor_id, vendor_name, number, starts_on, ends_on, obligation_incumbents, obligation_by,"
        " transfer_clause, partial_cover, successor_of, drafted_by, state, terms, signed_on, signed_by, ending_on, ended_on, end_reason)"
        " VALUES (:id, :region, :vendor_id, :vendor_name, :number, :starts_on, :ends_on, :obligation_incumbents, :obligation_by,"
        " :transfer_clause, :partial_cover, :successor_of, :drafted_by, 'draft', 0, NULL, '', NULL, NULL, '') ON CONFLICT DO NOTHING",
        id=contract.id,
        region=contract.region,
        vendor_id=contract.vendor_id,
        vendor_name=contract.vendor_name,
        number=contract.number,
        starts_on=contract.starts_on,
        ends_on=contract.ends_on,
        obligation_incumbents=contract.obligation_incumbents,
        obligation_by=contract.obligation_by,
        transfer_clause=contract.transfer_clause,
        partial_cover=contract.partial_cover,
        successor_of=contract.successor_of,
        drafted_by=contract.drafted_by,
    )
    if not written:
        return False
    await tx.run(
        "INSERT INTO lot (id, contract_id, region, ordinal, agency, job, site, kecamatan, seats, covered_seats, wage, price)"
        " SELECT lot_id, :contract, :region, ordinal, agency, job, site, kecamatan, seats, covered_seats, wage, price_per_seat_month"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(lot_id uuid, ordinal int, agency text, job text, site text, kecamatan text,"
        " seats int, covered_seats int, wage bigint, price_per_seat_month bigint)",
        contract=contract.id,
        region=contract.region,
        d=doc([{**msgspec.structs.asdict(lot), "ordinal": n} for n, lot in enumerate(contract.lots)]),
    )
    await tx.run(
        "INSERT INTO contract_line (contract_id, line_id, region, ordinal)"
        " SELECT :contract, CAST(value AS uuid), :region, ordinality FROM json_array_elements_text(CAST(:ids AS json)) WITH ORDINALITY",
        contract=contract.id,
        region=contract.region,
        ids=doc(list(contract.line_ids)),
    )
    return True


async def load_contracts(tx: Tx, ids: Sequence[UUID], *, lock: bool = False) -> dict[UUID, Contract]:
    """Contracts by id; `lock` takes their rows in id order."""
    if not ids:
        return {}
    if lock:
        await tx.run(f"SELECT 1 FROM contract WHERE id IN {_IDS} ORDER BY id FOR UPDATE", ids=doc(list(set(ids))))
    found = await tx.rows(f"{_CONTRACT} WHERE c.id IN {_IDS}", ids=doc(list(set(ids))))
    return {row["id"]: _contract(row) for row in found}


async def save_contracts(tx: Tx, contracts: Sequence[Contract]) -> None:
    """Write the changed contracts and their lots, two statements."""
    if not contracts:
        return
    await tx.run(
        "UPDATE contract c SET state = t.state, terms = t.terms, signed_on = t.signed_on, signed_by = t.signed_by,"
        " ending_on = t.ending_on, ended_on = t.ended_on, end_reason = t.end_reason"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, state text, terms int, signed_on date, signed_by text, ending_on date,"
        " ended_on date, end_reason text) WHERE c.id = t.id",
        d=doc(
            [
                {
                    "id": contract.id,
                    "state": contract.state,
                    "terms": contract.terms,
                    "signed_on": contract.signed_on,
                    "signed_by": contract.signed_by,
                    "ending_on": contract.ending_on,
                    "ended_on": contract.ended_on,
                    "end_reason": contract.end_reason,
                }
                for contract in contracts
            ]
        ),
    )
    await tx.run(
        "UPDATE lot l SET seats = t.seats, covered_seats = t.covered_seats FROM json_to_recordset(CAST(:d AS json))"
        " AS t(lot_id uuid, seats int, covered_seats int) WHERE l.id = t.lot_id",
        d=doc([lot for contract in contracts for lot in contract.lots]),
    )


async def list_contracts(tx: Tx, region: str, state: str | None, vendor: UUID | None, after: UUID | None, limit: int) -> list[Contract]:
    """A page of the region's contracts (of one vendor) and one more."""
    found = await tx.rows(
        f"{_CONTRACT} WHERE c.region = :region AND (CAST(:after AS uuid) IS NULL OR c.id > :after)"
        " AND (CAST(:state AS text) IS NULL OR c.state = :state) AND (CAST(:vendor AS uuid) IS NULL OR c.vendor_id = :vendor)"
        " ORDER BY c.id LIMIT :limit",
        region=region,
        state=state,
        vendor=vendor,
        after=after,
        limit=limit,
    )
    return [_contract(row) for row in found]


async def committed(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, int]:
    """What each contract holds on its lines, out of the ledger."""
    if not ids:
        return {}
    found = await tx.rows(
        "SELECT contract_id, CAST(sum(amount) AS bigint) AS amount FROM ledger"
        f" WHERE account = 'committed' AND contract_id IN {_IDS} GROUP BY contract_id",
        ids=doc(list(set(ids))),
    )
    return {row["contract_id"]: int(row["amount"]) for row in found}


async def insert_reduction(tx: Tx, reduction: Reduction, reason: str) -> None:
    """Write a request for seats."""
    await tx.run(
        "INSERT INTO reduction (id, region, contract_id, lot_id, asked, released, reason, requested_by, requested_at)"
        " VALUES (:id, :region, :contract, :lot, :asked, 0, :reason, :by, :at)",
        id=reduction.id,
        region=reduction.region,
        contract=reduction.contract_id,
        lot=reduction.lot_id,
        asked=reduction.asked,
        reason=reason,
        by=tx.scope.actor,
        at=tx.stamp.wall,
    )


async def load_reductions(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, Reduction]:
    """Requests by id, locked in id order."""
    found = await tx.rows(
        f"SELECT id, region, contract_id, lot_id, asked, released FROM reduction WHERE id IN {_IDS} ORDER BY id FOR UPDATE",
        ids=doc(list(set(ids))),
    )
    return {row["id"]: Reduction(**row) for row in found}


async def save_reductions(tx: Tx, reductions: Sequence[Reduction]) -> None:
    """Write how many seats were given back."""
    await tx.run(
        "UPDATE reduction r SET released = t.released FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, released int)"
        " WHERE r.id = t.id",
        d=doc(reductions),
    )


async def list_reductions(tx: Tx, contract_id: UUID) -> list[Reduction]:
    """All requests of a contract."""
    found = await tx.rows(
        "SELECT id, region, contract_id, lot_id, asked, released FROM reduction WHERE contract_id = :contract ORDER BY id",
        contract=contract_id,
    )
    return [Reduction(**row) for row in found]


async def asked_back(tx: Tx, lot_id: UUID) -> int:
    """Seats of a lot that are asked for and not given back yet."""
    row = await tx.one("SELECT coalesce(sum(asked - released), 0) AS n FROM reduction WHERE lot_id = :lot", lot=lot_id)
    return int(row["n"]) if row is not None else 0


async def pinned(tx: Tx, region: str) -> list[tuple[UUID, int]]:
    """Every signed or ended contract of the region with its version, in one snapshot."""
    found = await tx.rows(
        "SELECT c.id, max(e.version) AS version FROM contract c JOIN event e ON e.aggregate_id = c.id"
        " WHERE c.region = :region AND c.state <> 'draft' GROUP BY c.id ORDER BY c.id",
        region=region,
    )
    return [(row["id"], int(row["version"])) for row in found]


async def due_obligations(tx: Tx, ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many people accepted an offer of each contract and are not signed (who is gone does not count)."""
    found = await tx.rows(
        "SELECT a.contract_id, count(*) AS n FROM accepted_offer a LEFT JOIN work_agreement w ON w.offer_id = a.offer_id"
        " LEFT JOIN gone g ON g.worker_id = a.worker_id"
        f" WHERE a.contract_id IN {_IDS} AND w.id IS NULL AND g.worker_id IS NULL AND a.withdrawn = '' GROUP BY a.contract_id",
        ids=doc(list(set(ids))),
    )
    return {row["contract_id"]: int(row["n"]) for row in found}


async def list_obligations(tx: Tx, region: str, vendor: UUID | None, after: UUID | None, limit: int) -> Sequence[Any]:
    """Signed contracts with what their vendors owe in hiring and what they did, and one row more."""
    return await tx.rows(
        "SELECT c.id AS contract_id, c.vendor_id, c.number, c.obligation_by, c.obligation_incumbents,"
        " (SELECT CAST(coalesce(sum(l.seats), 0) AS int) FROM lot l WHERE l.contract_id = c.id) AS seats,"
        " (SELECT count(*) FROM accepted_offer a LEFT JOIN gone g ON g.worker_id = a.worker_id"
        "  WHERE a.contract_id = c.id AND a.withdrawn = '' AND g.worker_id IS NULL) AS accepted,"
        " (SELECT count(*) FROM accepted_offer a LEFT JOIN gone g ON g.worker_id = a.worker_id"
        "  LEFT JOIN work_agreement w ON w.offer_id = a.offer_id"
        "  WHERE a.contract_id = c.id AND a.withdrawn = '' AND g.worker_id IS NULL AND w.id IS NULL) AS unsigned,"
        " (SELECT count(*) FROM work_agreement w WHERE w.contract_id = c.id) AS agreements,"
        " (SELECT count(*) FROM seat s WHERE s.contract_id = c.id AND s.state <> 'ended') AS headcount,"
        " (SELECT count(*) FROM seat s WHERE s.contract_id = c.id AND s.state <> 'ended' AND s.incumbent) AS incumbents"
        " FROM contract c WHERE c.region = :region AND c.state = 'signed' AND (CAST(:after AS uuid) IS NULL OR c.id > :after)"
        " AND (CAST(:vendor AS uuid) IS NULL OR c.vendor_id = :vendor) ORDER BY c.id LIMIT :limit",
        region=region,
        vendor=vendor,
        after=after,
        limit=limit,
    )


async def insert_findings(tx: Tx, findings: Sequence[Finding]) -> set[UUID]:
    """Write new findings; the ids of those that were not there yet."""
    if not findings:
        return set()
    found = await tx.rows(
        "INSERT INTO finding (id, region, finding, contract_id, vendor_id, lot_id, rule, article, source, floor, wage,"
        " shortfall_per_seat, seats, shortfall, people, judged_on, state, pack)"
        " SELECT id, region, finding, contract_id, vendor_id, lot_id, rule, article, source, floor, wage, shortfall_per_seat, seats,"
        " shortfall, people, judged_on, state, pack FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text, finding text,"
        " contract_id uuid, vendor_id uuid, lot_id uuid, rule text, article text, source text, floor bigint, wage bigint,"
        " shortfall_per_seat bigint, seats int, shortfall bigint, people int, judged_on date, state text, pack text)"
        " ORDER BY id ON CONFLICT DO NOTHING RETURNING id",
        d=doc(findings),
    )
    return {row["id"] for row in found}


async def list_findings(
    tx: Tx, region: str, state: str | None, vendor: UUID | None, contract: UUID | None, after: UUID | None, limit: int
) -> list[Finding]:
    """A page of findings and one more."""
    found = await tx.rows(
        "SELECT * FROM finding WHERE region = :region AND (CAST(:after AS uuid) IS NULL OR id > :after)"
        " AND (CAST(:state AS text) IS NULL OR state = :state) AND (CAST(:vendor AS uuid) IS NULL OR vendor_id = :vendor)"
        " AND (CAST(:contract AS uuid) IS NULL OR contract_id = :contract) ORDER BY id LIMIT :limit",
        region=region,
        state=state,
        vendor=vendor,
        contract=contract,
        after=after,
        limit=limit,
    )
    return [Finding(**row) for row in found]
