"""People and how they are reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.db import Tx, doc

IDS = "(SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)))"


Row = dict[str, Any]


async def plain(tx: Tx, sql: str, /, **params: Any) -> list[Row]:
    """The rows as plain dictionaries."""
    return [dict(row) for row in await tx.rows(sql, **params)]


def ids_doc(ids: Iterable[UUID]) -> str:
    """Ids, each once and in order, for `IDS`."""
    return doc(sorted({str(one) for one in ids}))


@dataclass(frozen=True, slots=True)
class Person:
    """What we hold of a worker besides the vault. `gone` is empty, `erased` or `merged`; `mail` says whether there is an address."""

    worker_id: UUID
    region: str
    agency: str
    gone: str
    wrapped: bytes | None
    mail: bool


async def known(tx: Tx, worker_ids: Iterable[UUID]) -> dict[UUID, Person]:
    """Those we know, by id."""
    rows = await tx.rows(
        "SELECT p.worker_id, p.region, p.agency, p.gone, p.wrapped, coalesce(c.mail, false) AS mail"
        f" FROM person p LEFT JOIN contact c USING (worker_id) WHERE p.worker_id IN {IDS}",
        ids=ids_doc(worker_ids),
    )
    return {row["worker_id"]: Person(**row) for row in rows}


async def lock(tx: Tx, workers: Iterable[tuple[UUID, str]], keys: dict[UUID, bytes]) -> dict[UUID, Person]:
    """Lock the rows in id order; people not known yet, or without a key, get the one given for them."""
    given = dict(workers)
    await tx.run(
        "INSERT INTO person (worker_id, region, agency, worker_number, gone, wrapped)"
        " SELECT worker_id, region, '', '', '', decode(wrapped, 'hex') FROM json_to_recordset(CAST(:d AS json))"
        " AS t(worker_id uuid, region text, wrapped text) ORDER BY worker_id"
        " ON CONFLICT (worker_id) DO UPDATE SET wrapped = coalesce(person.wrapped, excluded.wrapped) WHERE person.gone = ''",
        d=doc(
            {"worker_id": worker_id, "region": region, "wrapped": keys[worker_id].hex() if worker_id in keys else None}
            for worker_id, region in sorted(given.items())
        ),
    )
    rows = await tx.rows(
        "SELECT p.worker_id, p.region, p.agency, p.gone, p.wrapped, coalesce(c.mail, false) AS mail"
        f" FROM person p LEFT JOIN contact c USING (worker_id) WHERE p.worker_id IN {IDS} ORDER BY p.worker_id FOR UPDATE OF p",
        ids=ids_doc(given),
    )
    return {row["worker_id"]: Person(**row) for row in rows}


async def save_profiles(tx: Tx, rows: Sequence[dict[str, object]]) -> None:
    """Agency and worker number as the registry says them; a row with an empty number keeps the one before."""
    await tx.run(
        "UPDATE person p SET agency = t.agency, worker_number = coalesce(nullif(t.worker_number, ''), p.worker_number)"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, agency text, worker_number text)"
        " WHERE p.worker_id = t.worker_id AND p.gone = ''",
        d=doc(rows),
    )


async def save_contacts(tx: Tx, rows: Sequence[dict[str, object]]) -> None:
    """The newest contact of each person; `sealed` in hexadecimal."""
    await tx.run(
        "INSERT INTO contact (worker_id, contact_id, region, mail, phone, sealed, changed_at)"
        " SELECT worker_id, contact_id, region, mail, phone, decode(sealed, 'hex'), :at FROM json_to_recordset(CAST(:d AS json))"
        " AS t(worker_id uuid, contact_id uuid, region text, mail boolean, phone boolean, sealed text)"
        " ON CONFLICT (worker_id) DO UPDATE SET contact_id = excluded.contact_id, mail = excluded.mail, phone = excluded.phone,"
        " sealed = excluded.sealed, changed_at = excluded.changed_at",
        d=doc(rows),
        at=tx.stamp.business,
    )


async def drop_contacts(tx: Tx, contact_ids: Iterable[UUID]) -> None:
    """The registry took these back."""
    await tx.run(f"DELETE FROM contact WHERE contact_id IN {IDS}", ids=ids_doc(contact_ids))


async def destroy(tx: Tx, gone: Sequence[dict[str, object]]) -> None:
    """Everything personal of these people: contact, key (and with it every sealed letter), links. What stays is a bare id."""
    ids = doc([row["worker_id"] for row in gone])
    await tx.run(
        "UPDATE person p SET gone = t.gone, wrapped = NULL, agency = '', worker_number = ''"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(worker_id uuid, gone text) WHERE p.worker_id = t.worker_id",
        d=doc(gone),
    )
    await tx.run(f"DELETE FROM contact WHERE worker_id IN {IDS}", ids=ids)
    await tx.run(f"DELETE FROM link WHERE question_id IN (SELECT id FROM question WHERE worker_id IN {IDS})", ids=ids)
    await tx.run(f"UPDATE message SET sealed = NULL WHERE worker_id IN {IDS} AND sealed IS NOT NULL", ids=ids)


async def vault(tx: Tx, worker_ids: Iterable[UUID]) -> list[Row]:
    """Sealed contacts with the keys that open them."""
    return await plain(
        tx,
        "SELECT p.worker_id, p.worker_number, p.wrapped, c.sealed FROM person p JOIN contact c USING (worker_id)"
        f" WHERE p.worker_id IN {IDS} AND p.wrapped IS NOT NULL",
        ids=ids_doc(worker_ids),
    )
