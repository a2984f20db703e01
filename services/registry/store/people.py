"""People and workers: found by keyed index, locked in id order, written as sets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy.engine import RowMapping

from services.registry.domain.people import Profile
from services.registry.store.standings import BY_REGION, KEY, VALUES
from services.registry.store.vault import Sealed
from shared.db import LostRace, Tx, doc

IDS = "(SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"
TEXTS = "(SELECT value FROM json_array_elements_text(CAST(:texts AS json)))"


def ids_doc(ids: Iterable[UUID]) -> str:
    """Ids, each once and in order, for `IDS`."""
    return doc(sorted({str(one) for one in ids}))


@dataclass(frozen=True, slots=True)
class Known:
    """A person the vault holds, with the worker of the region."""

    person_id: UUID
    worker_id: UUID
    region: str
    nik_entry: str
    name_entry: str
    content_mac: str
    contact_mac: str
    wrapped: bytes
    worker_number: str
    gone: str
    profile: Profile


_PROFILE = "w.agency, w.job_family, w.kecamatan, w.service_start, w.service_end, w.selection_code"


def profile(row: RowMapping) -> Profile:
    """The profile columns of a worker."""
    return Profile(row["agency"], row["job_family"], row["kecamatan"], row["service_start"], row["service_end"], row["selection_code"])


async def known(tx: Tx, entries: Sequence[str]) -> dict[str, Known]:
    """The people held under these index entries, in any region, their workers locked in id order."""
    rows = await tx.rows(
        "SELECT p.id AS person_id, w.id AS worker_id, p.region, p.nik_entry, p.name_entry, p.content_mac, p.contact_mac, p.wrapped,"
        f" w.worker_number, w.gone, {_PROFILE} FROM person p JOIN worker w ON w.person_id = p.id"
        f" WHERE p.nik_entry IN {TEXTS} ORDER BY w.id FOR UPDATE",
        texts=doc(entries),
    )
    return {
        row["nik_entry"]: Known(
            row["person_id"],
            row["worker_id"],
            row["region"],
            row["nik_entry"],
            row["name_entry"],
            row["content_mac"],
            row["contact_mac"],
            row["wrapped"],
            row["worker_number"],
            row["gone"],
            profile(row),
        )
        for row in rows
    }


async def suppressed(tx: Tx, entries: Sequence[str]) -> set[str]:
    """Which of these entries belong to erased people."""
    rows = await tx.rows(f"SELECT entry FROM suppressed WHERE entry IN {TEXTS}", texts=doc(entries))
    return {row["entry"] for row in rows}


@dataclass(frozen=True, slots=True)
class Holder:
    """Whom a row of a file is about, after merges: the worker, and where it is held."""

    worker_id: UUID
    person_id: UUID
    region: str
    job_family: str


async def holders(tx: Tx, entries: Sequence[str], numbers: Sequence[str]) -> dict[str, Holder]:
    """The workers behind index entries and worker numbers, each under the text it was asked by; a merged one stands for its
    survivor. The workers are locked in id order."""
    rows = await tx.rows(
        "WITH asked AS (SELECT p.nik_entry AS by, w.id FROM person p JOIN worker w ON w.person_id = p.id"
        f" WHERE p.nik_entry IN {TEXTS} UNION ALL SELECT w.worker_number, w.id FROM worker w"
        " WHERE w.worker_number IN (SELECT value FROM json_array_elements_text(CAST(:numbers AS json))) AND w.person_id IS NOT NULL)"
        " SELECT a.by, s.id, s.person_id, s.region, s.job_family FROM asked a JOIN worker w ON w.id = a.id"
        " JOIN worker s ON s.id = coalesce(w.merged_into, w.id) WHERE s.person_id IS NOT NULL ORDER BY s.id FOR UPDATE OF s",
        texts=doc(entries),
        numbers=doc(numbers),
    )
    return {row["by"]: Holder(row["id"], row["person_id"], row["region"], row["job_family"]) for row in rows}


async def add_people(tx: Tx, region: str, people: Sequence[tuple[UUID, Sealed]]) -> None:
    """New people. Another transaction that took one of the NIKs meanwhile makes the whole attempt repeat."""
    if people:
        added = await tx.run(
            "INSERT INTO person (id, region, nik_entry, name_entry, words, content_mac, contact_mac, wrapped, sealed, recorded_at,"
            " changed_at) SELECT id, :region, nik_entry, name_entry, words, content_mac, contact_mac, decode(wrapped, 'base64'),"
            " decode(sealed, 'base64'), :at, :at FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, nik_entry text,"
            " name_entry text, words text[], content_mac text, contact_mac text, wrapped text, sealed text) ORDER BY nik_entry"
            " ON CONFLICT (nik_entry) DO NOTHING",
            d=doc([_sealed(person, sealed) for person, sealed in people]),
            region=region,
            at=tx.stamp.business,
        )
        if added != len(people):
            raise LostRace


async def reseal_people(tx: Tx, people: Sequence[tuple[UUID, Sealed]]) -> None:
    """People whose identity changed."""
    if people:
        await tx.run(
            "UPDATE person p SET nik_entry = t.nik_entry, name_entry = t.name_entry, words = t.words, content_mac = t.content_mac,"
            " contact_mac = t.contact_mac, sealed = decode(t.sealed, 'base64'), wrapped = decode(t.wrapped, 'base64'),"
            " changed_at = :at FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, nik_entry text, name_entry text, words text[],"
            " content_mac text, contact_mac text, wrapped text, sealed text) WHERE p.id = t.id",
            d=doc([_sealed(person, sealed) for person, sealed in people]),
            at=tx.stamp.business,
        )


def _sealed(person: UUID, s: Sealed) -> dict[str, Any]:
    return {
        "id": person,
        "nik_entry": s.nik_entry,
        "name_entry": s.name_entry,
        "words": s.words,
        "content_mac": s.content_mac,
        "contact_mac": s.contact_mac,
        "wrapped": s.wrapped,
        "sealed": s.sealed,
    }


@dataclass(frozen=True, slots=True)
class NewWorker:
    """A worker to be written."""

    id: UUID
    person_id: UUID
    number: str
    profile: Profile
    barred: bool


async def add_workers(tx: Tx, region: str, workers: Sequence[NewWorker]) -> None:
    """New workers. A worker number that is taken already makes the whole attempt repeat, with other numbers."""
    if workers:
        added = await tx.run(
            "INSERT INTO worker (id, region, person_id, worker_number, agency, job_family, kecamatan, service_start, service_end,"
            " selection_code, barred, version, gone, recorded_at) SELECT id, :region, person_id, number, agency, job_family, kecamatan,"
            " service_start, service_end, selection_code, barred, 1, '', :at FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid,"
            " person_id uuid, number text, agency text, job_family text, kecamatan text, service_start date, service_end date,"
            " selection_code text, barred boolean) ORDER BY number ON CONFLICT (worker_number) DO NOTHING",
            d=doc([{"id": w.id, "person_id": w.person_id, "number": w.number, "barred": w.barred, **_profile(w.profile)} for w in workers]),
            region=region,
            at=tx.stamp.business,
        )
        if added != len(workers):
            raise LostRace


async def correct_workers(tx: Tx, workers: Sequence[tuple[UUID, Profile]]) -> None:
    """Workers whose profile changed."""
    if workers:
        await tx.run(
            "UPDATE worker w SET agency = t.agency, job_family = t.job_family, kecamatan = t.kecamatan,"
            " service_start = t.service_start, service_end = t.service_end, selection_code = t.selection_code,"
            " version = version + 1 FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, agency text, job_family text,"
            " kecamatan text, service_start date, service_end date, selection_code text) WHERE w.id = t.id",
            d=doc([{"id": worker, **_profile(p)} for worker, p in workers]),
        )


async def touch(tx: Tx, worker_id: UUID) -> None:
    """The record of a worker changed."""
    await tx.run("UPDATE worker SET version = version + 1 WHERE id = :id", id=worker_id)


def _profile(p: Profile) -> dict[str, Any]:
    return {
        "agency": p.agency,
        "job_family": p.job_family,
        "kecamatan": p.kecamatan,
        "service_start": p.service_start,
        "service_end": p.service_end,
        "selection_code": p.selection_code,
    }


async def sealed(tx: Tx, person_ids: Iterable[UUID]) -> dict[UUID, tuple[bytes, bytes]]:
    """The wrapped key and the ciphertext of each person."""
    rows = await tx.rows(f"SELECT id, wrapped, sealed FROM person WHERE id IN {IDS}", ids=ids_doc(person_ids))
    return {row["id"]: (row["wrapped"], row["sealed"]) for row in rows}


async def one(tx: Tx, worker_id: UUID, *, lock: bool = False) -> RowMapping | None:
    """A worker with its person, within the caller's regions."""
    return await tx.one(
        f"SELECT w.id, w.region, w.person_id, w.worker_number, {_PROFILE}, w.barred, w.version, w.merged_into, w.gone, w.recorded_at,"
        " p.wrapped, p.sealed FROM worker w LEFT JOIN person p ON p.id = w.person_id WHERE w.id = :id"
        + (" FOR UPDATE OF w" if lock else ""),
        id=worker_id,
    )


async def lock(tx: Tx, ids: Iterable[UUID]) -> Sequence[RowMapping]:
    """These workers, locked in id order."""
    return await tx.rows(
        f"SELECT id, region, person_id, gone, service_start FROM worker WHERE id IN {IDS} ORDER BY id FOR UPDATE", ids=ids_doc(ids)
    )


async def facts_of(tx: Tx, worker_id: UUID) -> RowMapping | None:
    """What else is recorded of one worker, as JSON texts: consent, eligibility, credentials, placement."""
    return await tx.one(
        "SELECT (SELECT row_to_json(c)::text FROM (SELECT given, channel, effective_on FROM consent WHERE worker_id = :id) c) AS consent,"
        " (SELECT row_to_json(e)::text FROM (SELECT verdict, reasons, since FROM eligibility WHERE worker_id = :id) e) AS eligibility,"
        " (SELECT coalesce(json_agg(c ORDER BY c.credential, c.class), '[]')::text FROM (SELECT credential, class_ AS class, valid_from,"
        " valid_until, expired FROM credential WHERE worker_id = :id) c) AS credentials,"
        " (SELECT row_to_json(p)::text FROM (SELECT placement_id, vendor_id, contract_id, lot_id, agency, job, state, starts_on,"
        " ended_on, reason FROM placement WHERE worker_id = :id ORDER BY (state <> 'ended') DESC, starts_on DESC NULLS LAST LIMIT 1) p)"
        " AS placement",
        id=worker_id,
    )


async def search(
    tx: Tx,
    region: str,
    *,
    agencies: frozenset[str],
    words: Sequence[Sequence[str]],
    keys: Sequence[str] | None,
    on: date,
    after: str,
    limit: int,
) -> Sequence[RowMapping]:
    """Workers by number, at most `limit` + 1 after a number; `words`: for each word the entries it may have; `keys`: the groups of
    standings they may be in. Each row carries its folded standings."""
    wanted = "".join(f" AND p.words && ARRAY(SELECT value FROM json_array_elements_text(CAST(:w{n} AS json)))" for n in range(len(words)))
    return await tx.rows(
        f"WITH {BY_REGION} SELECT w.id, w.person_id, w.worker_number, {_PROFILE}, p.wrapped, p.sealed, {VALUES}"
        " FROM worker w JOIN person p ON p.id = w.person_id LEFT JOIN folded f ON f.worker_id = w.id"
        " WHERE w.region = :region AND w.gone = '' AND w.worker_number > :after"
        " AND (:all_agencies OR w.agency IN (SELECT value FROM json_array_elements_text(CAST(:agencies AS json))))"
        f" AND (:all_keys OR {KEY} IN (SELECT value FROM json_array_elements_text(CAST(:keys AS json)))){wanted}"
        " ORDER BY w.worker_number LIMIT :limit",
        region=region,
        on=on,
        as_of=tx.stamp.business,
        after=after,
        all_agencies=not agencies,
        agencies=doc(sorted(agencies)),
        all_keys=keys is None,
        keys=doc(list(keys or ())),
        limit=limit + 1,
        **{f"w{n}": doc(list(entries)) for n, entries in enumerate(words)},
    )


async def identities(
    tx: Tx, region: str, *, ids: Sequence[UUID], numbers: Sequence[str], entries: Sequence[str], vendor: UUID | None
) -> Sequence[RowMapping]:
    """The people of the region asked for by any key; for a vendor only those who accepted its offer or are placed with it."""
    own = (
        " AND (EXISTS (SELECT 1 FROM engagement e WHERE e.worker_id = w.id AND e.vendor_id = :vendor AND e.state = 'accepted')"
        " OR EXISTS (SELECT 1 FROM placement l WHERE l.worker_id = w.id AND l.vendor_id = :vendor AND l.state <> 'ended'))"
    )
    return await tx.rows(
        "SELECT w.id, w.region, w.worker_number, w.person_id, p.wrapped, p.sealed FROM worker w JOIN person p ON p.id = w.person_id"
        f" WHERE w.region = :region AND (w.id IN {IDS} OR p.nik_entry IN {TEXTS}"
        " OR w.worker_number IN (SELECT value FROM json_array_elements_text(CAST(:numbers AS json))))"
        + (own if vendor is not None else "")
        + " ORDER BY w.worker_number",
        region=region,
        ids=ids_doc(ids),
        numbers=doc(numbers),
        texts=doc(entries),
        **({"vendor": vendor} if vendor is not None else {}),
    )


async def by_contacts(tx: Tx, contact_ids: Sequence[UUID]) -> Sequence[RowMapping]:
    """The living people behind contact aggregates: their events are keyed by the worker."""
    return await tx.rows(
        "SELECT DISTINCT e.aggregate_id AS contact_id, w.id, w.worker_number, w.person_id, p.wrapped, p.sealed FROM event e"
        " JOIN worker w ON w.id = e.key JOIN person p ON p.id = w.person_id"
        f" WHERE e.aggregate_id IN {IDS} AND e.aggregate = 'contact' AND w.gone = ''",
        ids=ids_doc(contact_ids),
    )


async def erase(tx: Tx, worker_id: UUID, person_id: UUID) -> None:
    """Destroy the key and the ciphertext, and whatever else is held of the person; the worker stays as a number in the books."""
    await tx.run(
        "WITH p AS (DELETE FROM person WHERE id = :person RETURNING nik_entry, region),"
        " r AS (DELETE FROM reject WHERE nik_entry IN (SELECT nik_entry FROM p)),"
        " c AS (DELETE FROM credential WHERE worker_id = :worker), s AS (DELETE FROM selection WHERE worker_id = :worker),"
        " i AS (DELETE FROM insurance WHERE worker_id = :worker), h AS (DELETE FROM honorarium WHERE worker_id = :worker),"
        " e AS (DELETE FROM eligibility WHERE worker_id = :worker), n AS (DELETE FROM consent WHERE worker_id = :worker)"
        " INSERT INTO suppressed (entry, region, recorded_at) SELECT nik_entry, region, :at FROM p ON CONFLICT DO NOTHING",
        person=person_id,
        worker=worker_id,
        at=tx.stamp.business,
    )
    await tx.run(
        "WITH o AS (DELETE FROM audit_opening WHERE audit_id IN (SELECT id FROM audit WHERE aggregate_id = :worker))"
        " UPDATE worker SET person_id = NULL, agency = '', job_family = '', kecamatan = '', selection_code = '', gone = 'erased',"
        " version = version + 1 WHERE id = :worker",
        worker=worker_id,
    )
