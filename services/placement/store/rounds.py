"""Rounds: their frozen world, what the run gave, and the files of the run folder."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final
from uuid import UUID

from sqlalchemy.engine import RowMapping

from shared.db import Tx, doc

SHOWN: Final = (
    "id, region, number, state, roll_seal_id, capacity_seal_id, starts_on, answer_by, commitment, instance_hash, run_sha256, pack,"
    " people, lots, seats, placed, unplaced, opened_at, drawn_at, computed_at, signed_at, closed_at, problem"
)
_ALL: Final = f"{SHOWN}, second, rules, opener, drawer, signer"
WAITS_SHOWN: Final = 20
"""Ids named per kind of missing thing."""

# Who looks for a seat on :starts, as known now. The same rule freezes a round and decides who may still be offered a seat.
SEEKING: Final = """
h AS (
    SELECT worker_id,
           (array_agg(aspect ORDER BY effective_on DESC, version DESC) FILTER (WHERE aspect IN ('stop', 'recall')))[1] AS service,
           max(effective_on) FILTER (WHERE aspect = 'recall') AS recalled_on,
           (array_agg(value ORDER BY effective_on DESC, version DESC) FILTER (WHERE aspect = 'proposal'))[1] AS proposal
    FROM person_history WHERE region = :region AND effective_on <= :starts GROUP BY worker_id
), gone AS (
    SELECT DISTINCT worker_id FROM person_history WHERE region = :region AND aspect IN ('exit', 'left', 'merged')
), r AS (
    SELECT worker_id,
           (array_agg(value ORDER BY effective_on DESC, recorded_at DESC, version DESC) FILTER (WHERE aspect = 'verdict'))[1] AS verdict,
           (array_agg(value ORDER BY effective_on DESC, recorded_at DESC, version DESC) FILTER (WHERE aspect = 'consent'))[1] AS consent
    FROM right_history WHERE region = :region AND effective_on <= :starts GROUP BY worker_id
), seeking AS (
    SELECT p.*, s.last_agency, s.last_job, s.last_reason
    FROM person p LEFT JOIN h USING (worker_id) LEFT JOIN r USING (worker_id) LEFT JOIN seat s USING (worker_id)
    WHERE p.region = :region AND p.worker_id NOT IN (SELECT worker_id FROM gone)
      AND (coalesce(h.service = 'stop', false)
           OR coalesce(p.service_end <= :starts AND (h.recalled_on IS NULL OR h.recalled_on <= p.service_end), false))
      AND coalesce(h.proposal, '') IN ('', 'withdrawn')
      AND coalesce(r.verdict, 'eligible') = 'eligible' AND coalesce(r.consent, 'yes') = 'yes'
      AND coalesce(s.barred, '') = '' AND s.offer_id IS NULL AND s.placement_id IS NULL
)
"""


async def missing(
    tx: Tx, region: str, roll: UUID, capacity: UUID, *, people: Sequence[str], rights: Sequence[str], supply: Sequence[str]
) -> list[tuple[str, str, str]]:
    """What keeps the world from being whole: (field, code, text) each; empty when a round may open.

    Every id of both seals must have been heard at its version by every consumer of its topic, and nothing of the region
    may be parked or rebuilding. Worker transactions only.
    """
    found: list[tuple[str, str, str]] = []
    for table, seal, name in (("roll_chunk", roll, "roll"), ("capacity_chunk", capacity, "capacity")):
        row = await tx.one(
            f"SELECT count(*) AS n, coalesce(max(chunks), 0) AS chunks, bool_and(region = :region) AS ours FROM {table} WHERE seal_id = :s",
            s=seal,
            region=region,
        )
        assert row is not None
        if not row["n"] or not row["ours"]:
            found.append((name, "seal-unknown", "this seal has not arrived"))
        elif row["n"] < row["chunks"]:
            found.append((name, "seal-incomplete", f"{row['n']} of {row['chunks']} chunks have arrived"))
    rows = await tx.rows(
        "WITH pins AS (SELECT 'roll' AS kind, pins FROM roll_chunk WHERE seal_id = :roll"
        " UNION ALL SELECT 'capacity', pins FROM capacity_chunk WHERE seal_id = :capacity),"
        " pin AS (SELECT kind, CAST(e ->> 0 AS uuid) AS id, CAST(e ->> 1 AS int) AS v"
        "         FROM pins, json_array_elements(CAST(pins AS json)) e),"
        " got AS (SELECT kind, id,"
        "   count(p.version) FILTER (WHERE p.consumer = ANY(CAST(:people AS text[])) AND p.version >= v) AS people,"
        "   count(p.version) FILTER (WHERE p.consumer = ANY(CAST(:rights AS text[])) AND p.version >= v) AS rights,"
        "   count(p.version) FILTER (WHERE p.consumer = ANY(CAST(:supply AS text[])) AND p.version >= v) AS supply"
        "   FROM pin LEFT JOIN position p ON p.aggregate_id = pin.id GROUP BY kind, id)"
        " SELECT kind, count(*) AS n, (array_agg(CAST(id AS text) ORDER BY id))[1:CAST(:shown AS int)] AS ids FROM got"
        " WHERE (kind = 'roll' AND people < cardinality(CAST(:people AS text[])) AND rights < cardinality(CAST(:rights AS text[])))"
        "    OR (kind = 'capacity' AND supply < cardinality(CAST(:supply AS text[]))) GROUP BY kind ORDER BY kind",
        roll=roll,
        capacity=capacity,
        people=list(people),
        rights=list(rights),
        supply=list(supply),
        shown=WAITS_SHOWN,
    )
    for row in rows:
        what = "people" if row["kind"] == "roll" else "contracts"
        found.append((what, "behind", f"{row['n']} not heard yet at the sealed version: {', '.join(row['ids'])}"))
    rows = await tx.rows(
        "SELECT consumer, count(*) AS n FROM parked WHERE state = 'waiting' AND region = :region GROUP BY consumer ORDER BY consumer",
        region=region,
    )
    found += [("parked", "parked", f"{row['n']} records of the region wait in {row['consumer']}") for row in rows]
    rows = await tx.rows("SELECT name FROM consumer WHERE state = 'rebuilding' ORDER BY name")
    found += [("rebuilding", "rebuilding", f"{row['name']} is being rebuilt") for row in rows]
    return found


async def insert(tx: Tx, row: Mapping[str, Any]) -> int:
    """Write a draft; returns its number in the region."""
    found = await tx.one(
        "INSERT INTO round (id, region, number, state, roll_seal_id, capacity_seal_id, starts_on, answer_by, commitment, second, rules,"
        " instance_hash, run_sha256, pack, people, lots, seats, placed, unplaced, opener, drawer, signer, opened_at, problem)"
        " SELECT :id, :region, 1 + coalesce((SELECT max(number) FROM round WHERE region = :region), 0), 'draft', :roll, :capacity,"
        " :starts_on, :answer_by, :commitment, '', :rules, '', '', :pack, 0, 0, 0, 0, 0, :opener, '', '', :at, '' RETURNING number",
        **row,
    )
    assert found is not None
    return int(found["number"])


async def unsigned(tx: Tx, region: str) -> UUID | None:
    """The round of the region that is not signed yet: there is at most one."""
    row = await tx.one("SELECT id FROM round WHERE region = :region AND state IN ('draft', 'frozen', 'drawn', 'computed')", region=region)
    return None if row is None else row["id"]


async def exclude(tx: Tx, round_id: UUID, region: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note who is left out by name."""
    if rows:
        await tx.run(
            "INSERT INTO round_exclusion (round_id, worker_id, region, reason) SELECT :round, worker_id, :region, reason"
            " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, reason text) ON CONFLICT DO NOTHING",
            round=round_id,
            region=region,
            d=doc(rows),
        )


async def freeze(tx: Tx, round_id: UUID, region: str, starts_on: date, roll: UUID, capacity: UUID) -> RowMapping:
    """Copy the sealed world into the round; (people, lots, seats)."""
    await tx.run(
        "INSERT INTO round_lot (round_id, lot_id, region, ordinal, agency, job, kecamatan, wage, seats)"
        " SELECT :round, l.id, l.region, row_number() OVER (ORDER BY CAST(l.id AS text)) - 1, l.agency, l.job, l.kecamatan, l.wage,"
        " greatest(0, l.capacity - l.taken - l.released)"
        " FROM lot l JOIN contract c ON c.id = l.contract_id LEFT JOIN vendor v ON v.id = l.vendor_id"
        " WHERE l.region = :region AND l.open AND c.state = 'signed' AND c.starts_on <= :starts AND c.ends_on >= :starts"
        " AND NOT coalesce(v.debarred, false) AND l.contract_id IN (SELECT CAST(e ->> 0 AS uuid) FROM capacity_chunk k,"
        " json_array_elements(CAST(k.pins AS json)) e WHERE k.seal_id = :capacity)",
        round=round_id,
        region=region,
        starts=starts_on,
        capacity=capacity,
    )
    await tx.run(
        f"WITH {SEEKING}, pins AS (SELECT CAST(e ->> 0 AS uuid) AS id FROM roll_chunk k, json_array_elements(CAST(k.pins AS json)) e"
        " WHERE k.seal_id = :roll),"
        " held AS (SELECT worker_id, json_agg(json_build_array(credential, class_, valid_from, valid_until)"
        "   ORDER BY credential, class_, credential_id) AS list FROM credential WHERE region = :region GROUP BY worker_id)"
        " INSERT INTO round_person (round_id, worker_id, region, facts, edges, reason, kind, incumbent)"
        " SELECT :round, s.worker_id, s.region, CAST(json_build_object('id', s.worker_id, 'agency', s.agency, 'family', s.job_family,"
        " 'kecamatan', s.kecamatan, 'service_start', s.service_start,"
        " 'families', coalesce(CAST(f.families AS json), json_build_array(s.job_family)), 'credentials', coalesce(h.list, '[]'),"
        " 'carried', CASE WHEN s.last_reason = 'contract_ended' THEN json_build_array(json_build_array(s.last_agency, s.last_job))"
        "   ELSE '[]' END) AS text), '[]', '', '', false"
        " FROM seeking s LEFT JOIN preference f USING (worker_id) LEFT JOIN held h USING (worker_id)"
        " WHERE s.worker_id IN (SELECT id FROM pins)"
        " AND s.worker_id NOT IN (SELECT worker_id FROM round_exclusion WHERE round_id = :round)",
        round=round_id,
        region=region,
        starts=starts_on,
        roll=roll,
    )
    found = await tx.one(
        "UPDATE round SET people = (SELECT count(*) FROM round_person WHERE round_id = :round),"
        " lots = (SELECT count(*) FROM round_lot WHERE round_id = :round),"
        " seats = (SELECT coalesce(sum(seats), 0) FROM round_lot WHERE round_id = :round) WHERE id = :round RETURNING people, lots, seats",
        round=round_id,
    )
    assert found is not None
    return found


async def get(tx: Tx, round_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """The round, all of it."""
    return await tx.one(f"SELECT {_ALL} FROM round WHERE id = :id{' FOR UPDATE' if lock else ''}", id=round_id)


async def listed(tx: Tx, region: str, state: str, after: tuple[Any, ...] | None, limit: int) -> Sequence[RowMapping]:
    """Rounds of a region, newest first."""
    return await tx.rows(
        f"SELECT {SHOWN} FROM round WHERE region = :region AND (:state = '' OR state = :state)"
        " AND (CAST(:after AS int) IS NULL OR number < CAST(:after AS int)) ORDER BY number DESC LIMIT :limit",
        region=region,
        state=state,
        after=after[0] if after else None,
        limit=limit,
    )


async def lots(tx: Tx, round_id: UUID) -> Sequence[RowMapping]:
    """The frozen lots in the order of the instance."""
    return await tx.rows(
        "SELECT lot_id, agency, job, kecamatan, wage, seats FROM round_lot WHERE round_id = :r ORDER BY ordinal", r=round_id
    )


async def facts(tx: Tx, round_id: UUID) -> list[str]:
    """The frozen people, one JSON document each, in id order."""
    rows = await tx.rows("SELECT facts FROM round_person WHERE round_id = :r AND facts <> '{}' ORDER BY worker_id", r=round_id)
    return [row["facts"] for row in rows]


async def wishes(tx: Tx, round_id: UUID) -> list[tuple[str, str]]:
    """Worker id and possible seats (JSON), in id order."""
    rows = await tx.rows("SELECT worker_id, edges FROM round_person WHERE round_id = :r ORDER BY worker_id", r=round_id)
    return [(str(row["worker_id"]), row["edges"]) for row in rows]


async def keep_edges(tx: Tx, round_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store people's possible seats and the reason of who has none."""
    await tx.run(
        "UPDATE round_person p SET edges = t.edges, reason = t.reason FROM json_to_recordset(CAST(:d AS json))"
        " AS t(worker_id uuid, edges text, reason text) WHERE p.round_id = :r AND p.worker_id = t.worker_id",
        r=round_id,
        d=doc(rows),
    )


async def keep_result(tx: Tx, round_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store who the run seats where."""
    await tx.run(
        "UPDATE round_person p SET lot_id = t.lot_id, kind = t.kind, incumbent = t.incumbent FROM json_to_recordset(CAST(:d AS json))"
        " AS t(worker_id uuid, lot_id uuid, kind text, incumbent boolean) WHERE p.round_id = :r AND p.worker_id = t.worker_id",
        r=round_id,
        d=doc(rows),
    )


async def update(tx: Tx, round_id: UUID, **columns: Any) -> None:
    """Set columns of a round that the caller holds locked."""
    sets = ", ".join(f"{name} = :{name}" for name in columns)
    await tx.run(f"UPDATE round SET {sets} WHERE id = :round_id", round_id=round_id, **columns)


async def seated(tx: Tx, round_id: UUID) -> Sequence[RowMapping]:
    """Whom the run seats, and whether it is the person's own work."""
    return await tx.rows(
        "SELECT worker_id, lot_id, incumbent FROM round_person WHERE round_id = :r AND lot_id IS NOT NULL ORDER BY worker_id", r=round_id
    )


async def tell_waiting(tx: Tx, round_id: UUID, day: date) -> int:
    """Who got no offer waits with the run's reason; a person's own no or silence stays the reason while a seat was possible."""
    return await tx.run(
        "INSERT INTO course (worker_id, region, value, effective_on, recorded_at)"
        " SELECT p.worker_id, p.region, p.reason, :day, :at FROM round_person p LEFT JOIN seat s USING (worker_id)"
        " LEFT JOIN LATERAL (SELECT value FROM course c WHERE c.worker_id = p.worker_id ORDER BY effective_on DESC, seq DESC LIMIT 1)"
        " was ON true"
        " WHERE p.round_id = :r AND s.offer_id IS NULL AND s.placement_id IS NULL AND p.reason <> ''"
        " AND (p.reason <> 'no_seat' OR coalesce(was.value, '') NOT IN ('declined_offer', 'no_answer', 'placed'))"
        " ORDER BY p.worker_id",
        r=round_id,
        day=day,
        at=tx.stamp.wall,
    )


async def newest_signed(tx: Tx, region: str) -> RowMapping | None:
    """The round by whose frozen world a free seat goes on."""
    return await tx.one(f"SELECT {_ALL} FROM round WHERE region = :region AND state = 'signed' ORDER BY number DESC LIMIT 1", region=region)


async def free_lots(tx: Tx, round_id: UUID, day: date) -> Sequence[RowMapping]:
    """Frozen lots with the seats that are free in them now."""
    return await tx.rows(
        "SELECT f.ordinal, f.lot_id, CASE WHEN l.open AND c.state = 'signed' AND NOT coalesce(v.debarred, false) AND c.ends_on >= :day"
        " THEN greatest(0, l.capacity - l.taken - l.released) ELSE 0 END AS seats"
        " FROM round_lot f JOIN lot l ON l.id = f.lot_id JOIN contract c ON c.id = l.contract_id LEFT JOIN vendor v ON v.id = l.vendor_id"
        " WHERE f.round_id = :r ORDER BY f.ordinal",
        r=round_id,
        day=day,
    )


async def still_seeking(tx: Tx, round_id: UUID, region: str, day: date) -> Sequence[RowMapping]:
    """Frozen people who look for a seat today, with the lots they were offered in this round already."""
    return await tx.rows(
        f"WITH {SEEKING} SELECT p.worker_id, p.edges, coalesce((SELECT CAST(json_agg(l.ordinal) AS text) FROM offer o JOIN round_lot l"
        "  ON l.round_id = o.round_id AND l.lot_id = o.lot_id WHERE o.round_id = :r AND o.worker_id = p.worker_id), '[]') AS tried"
        " FROM round_person p JOIN seeking s USING (worker_id) WHERE p.round_id = :r AND p.edges <> '[]' ORDER BY p.worker_id",
        r=round_id,
        region=region,
        starts=day,
    )


async def idle(tx: Tx, region: str) -> Sequence[RowMapping]:
    """Signed rounds of the region without an offer that is open or accepted; locked."""
    return await tx.rows(
        "SELECT id FROM round r WHERE region = :region AND state = 'signed' AND NOT EXISTS (SELECT 1 FROM offer o"
        " WHERE o.round_id = r.id AND o.state IN ('open', 'accepted')) ORDER BY id FOR UPDATE",
        region=region,
    )


async def close(tx: Tx, ids: Sequence[UUID]) -> None:
    """Close these rounds."""
    await tx.run(
        "UPDATE round SET state = 'closed', closed_at = :at WHERE id = ANY(CAST(:ids AS uuid[]))", ids=list(ids), at=tx.stamp.business
    )


async def person(tx: Tx, round_id: UUID, worker_id: UUID) -> RowMapping | None:
    """One person of a round."""
    return await tx.one(
        "SELECT worker_id, region, facts, edges, reason, lot_id, kind FROM round_person WHERE round_id = :r AND worker_id = :w",
        r=round_id,
        w=worker_id,
    )


async def keep_files(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Note files of the run folder."""
    await tx.run(
        "INSERT INTO round_file (round_id, name, region, public, media, sha256, size, file_id)"
        " SELECT round_id, name, region, public, media, sha256, size, file_id FROM json_to_recordset(CAST(:d AS json))"
        " AS t(round_id uuid, name text, region text, public boolean, media text, sha256 text, size int, file_id uuid)"
        " ON CONFLICT (round_id, name) DO UPDATE SET sha256 = excluded.sha256, size = excluded.size, file_id = excluded.file_id",
        d=doc(rows),
    )


async def files(tx: Tx, round_id: UUID, *, public: bool) -> Sequence[RowMapping]:
    """Files of a round, by audience."""
    return await tx.rows(
        "SELECT name, region, media, sha256, size, file_id FROM round_file WHERE round_id = :r AND public = :public ORDER BY name",
        r=round_id,
        public=public,
    )


async def file(tx: Tx, round_id: UUID, name: str, *, public: bool) -> RowMapping | None:
    """One file of a round."""
    return await tx.one(
        "SELECT name, region, media, sha256, size, file_id FROM round_file WHERE round_id = :r AND name = :name AND public = :public",
        r=round_id,
        name=name,
        public=public,
    )
