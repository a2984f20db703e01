"""Questions, answers, links, visits, tasks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from services.notify.domain import Question, QuestionState
from services.notify.store.people import IDS, Row, ids_doc, plain
from shared.db import Tx, doc

_COLUMNS = (
    "q.id, q.region, coalesce(nullif(p.agency, ''), q.agency) AS agency, q.worker_id, q.matter, q.about, q.answer_by, q.due, q.state,"
    " q.asked_at, q.details, q.says, q.reached, q.reached_at"
)
_FROM = "FROM question q LEFT JOIN person p USING (worker_id)"


def question(row: Mapping[str, Any]) -> Question:
    """The value of a row; the person's own agency stands before the agency of the seat."""
    values = dict(row) | {"state": QuestionState(row["state"]), "details": json.loads(row["details"])}
    return Question(**values)


async def lock(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Question]:
    """Questions by id, locked in id order."""
    rows = await tx.rows(f"SELECT {_COLUMNS} {_FROM} WHERE q.id IN {IDS} ORDER BY q.id FOR UPDATE OF q", ids=ids_doc(ids))
    return {row["id"]: question(dict(row)) for row in rows}


async def lock_offers(tx: Tx, offers: Iterable[UUID]) -> dict[UUID, Question]:
    """Questions about these offers, by offer, locked in id order."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE q.matter = 'offer' AND q.about IN {IDS} ORDER BY q.id FOR UPDATE OF q", ids=ids_doc(offers)
    )
    return {row["about"]: question(dict(row)) for row in rows}


async def lock_open_of(tx: Tx, worker_ids: Iterable[UUID]) -> dict[UUID, Question]:
    """The open questions of these people, by id, locked in id order."""
    rows = await tx.rows(
        f"SELECT {_COLUMNS} {_FROM} WHERE q.worker_id IN {IDS} AND q.state = 'open' ORDER BY q.id FOR UPDATE OF q",
        ids=ids_doc(worker_ids),
    )
    return {row["id"]: question(dict(row)) for row in rows}


async def read(tx: Tx, ids: Iterable[UUID]) -> dict[UUID, Question]:
    """Questions by id, as they stand."""
    rows = await tx.rows(f"SELECT {_COLUMNS} {_FROM} WHERE q.id IN {IDS}", ids=ids_doc(ids))
    return {row["id"]: question(dict(row)) for row in rows}


async def about_offers(tx: Tx, offers: Iterable[UUID]) -> dict[UUID, Question]:
    """Questions about these offers, by offer, as they stand."""
    rows = await tx.rows(f"SELECT {_COLUMNS} {_FROM} WHERE q.matter = 'offer' AND q.about IN {IDS}", ids=ids_doc(offers))
    return {row["about"]: question(dict(row)) for row in rows}


async def find(tx: Tx, question_id: UUID) -> Question | None:
    """One question, within what the caller sees."""
    row = await tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE q.id = :id", id=question_id)
    return None if row is None else question(dict(row))


async def find_offer(tx: Tx, offer_id: UUID) -> Question | None:
    """The question about an offer."""
    row = await tx.one(f"SELECT {_COLUMNS} {_FROM} WHERE q.matter = 'offer' AND q.about = :id", id=offer_id)
    return None if row is None else question(dict(row))


async def find_link(tx: Tx, token_hash: bytes) -> Question | None:
    """The question an answer link leads to."""
    row = await tx.one(f"SELECT {_COLUMNS} {_FROM} JOIN link l ON l.question_id = q.id WHERE l.token_hash = :hash", hash=token_hash)
    return None if row is None else question(dict(row))


async def add(tx: Tx, questions: Sequence[Question]) -> None:
    """New questions."""
    await tx.run(
        "INSERT INTO question (id, region, agency, worker_id, matter, about, answer_by, due, state, asked_at, details, says, reached,"
        " reached_at) SELECT * FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, region text, agency text, worker_id uuid,"
        " matter text, about uuid, answer_by date, due timestamptz, state text, asked_at timestamptz, details text, says text,"
        " reached text, reached_at timestamptz)",
        d=doc(
            {
                "id": q.id,
                "region": q.region,
                "agency": q.agency,
                "worker_id": q.worker_id,
                "matter": q.matter,
                "about": q.about,
                "answer_by": q.answer_by,
                "due": q.due,
                "state": q.state,
                "asked_at": q.asked_at,
                "details": json.dumps(dict(q.details)),
                "says": q.says,
                "reached": q.reached,
                "reached_at": q.reached_at,
            }
            for q in questions
        ),
    )


async def save(tx: Tx, questions: Iterable[Question]) -> None:
    """State, answer and evidence of questions that were locked; the tasks of those no longer open are done."""
    changed = list(questions)
    if not changed:
        return
    await tx.run(
        "WITH t AS (SELECT * FROM json_to_recordset(CAST(:d AS json))"
        " AS t(id uuid, state text, says text, reached text, reached_at timestamptz)), done AS ("
        " UPDATE task k SET state = 'done', done_on = :day FROM t WHERE k.question_id = t.id AND t.state <> 'open' AND k.state = 'open')"
        " UPDATE question q SET state = t.state, says = t.says, reached = t.reached, reached_at = t.reached_at FROM t WHERE q.id = t.id",
        d=doc({"id": q.id, "state": q.state, "says": q.says, "reached": q.reached, "reached_at": q.reached_at} for q in changed),
        day=tx.stamp.day,
    )


async def add_answers(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Answers as they were received."""
    await tx.run(
        "INSERT INTO answer (question_id, region, worker_id, says, reasons, families, channel, actor, received_at, received_wall)"
        " SELECT question_id, region, worker_id, says, reasons, families, channel, :actor, received_at, received_wall"
        " FROM json_to_recordset(CAST(:d AS json)) AS t(question_id uuid, region text, worker_id uuid, says text, reasons text,"
        " families text, channel text, received_at timestamptz, received_wall timestamptz)",
        d=doc(rows),
        actor=tx.scope.actor,
    )


async def answered_since(tx: Tx, questions: Sequence[Question]) -> dict[UUID, datetime]:
    """For each question: when its person first answered anything at all after it was asked."""
    rows = await tx.rows(
        "SELECT t.id, min(a.received_at) AS at FROM json_to_recordset(CAST(:d AS json)) AS t(id uuid, worker_id uuid, asked timestamptz)"
        " JOIN answer a ON a.worker_id = t.worker_id AND a.received_at >= t.asked GROUP BY t.id",
        d=doc({"id": q.id, "worker_id": q.worker_id, "asked": q.asked_at} for q in questions),
    )
    return {row["id"]: row["at"] for row in rows}


async def add_links(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Answer links; `token_hash` in hexadecimal."""
    if rows:
        await tx.run(
            "INSERT INTO link (token_hash, region, question_id, made_at) SELECT decode(token_hash, 'hex'), region, question_id, :at"
            " FROM json_to_recordset(CAST(:d AS json)) AS t(token_hash text, region text, question_id uuid)",
            d=doc(rows),
            at=tx.stamp.business,
        )


async def add_visit(tx: Tx, *, id: UUID, question: Question, visited_on: date, evidence: str, met: bool) -> None:
    """What an officer recorded."""
    await tx.run(
        "INSERT INTO visit (id, region, question_id, visited_on, evidence, met, actor, recorded_at)"
        " VALUES (:id, :region, :question, :on, :evidence, :met, :actor, :at)",
        id=id,
        region=question.region,
        question=question.id,
        on=visited_on,
        evidence=evidence,
        met=met,
        actor=tx.scope.actor,
        at=tx.stamp.business,
    )


async def open_tasks(tx: Tx, questions: Sequence[Question]) -> int:
    """An agency must reach these people; returns how many tasks are new."""
    return await tx.run(
        "INSERT INTO task (question_id, region, worker_id, task, state, opened_on)"
        " SELECT question_id, region, worker_id, 'reach_person', 'open', :day FROM json_to_recordset(CAST(:d AS json))"
        " AS t(question_id uuid, region text, worker_id uuid) ON CONFLICT DO NOTHING",
        d=doc({"question_id": q.id, "region": q.region, "worker_id": q.worker_id} for q in questions),
        day=tx.stamp.day,
    )


_AGENCY = "coalesce(nullif(p.agency, ''), q.agency)"
_IN_AGENCIES = f"(:everywhere OR {_AGENCY} IN (SELECT value FROM json_array_elements_text(CAST(:agencies AS json))))"


async def listed(
    tx: Tx,
    region: str,
    *,
    agencies: Sequence[str],
    state: str,
    worker_id: UUID | None,
    offer_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Question]:
    """Questions of a region in the order they were asked; `agencies` empty means all."""
    where = ["q.region = :region", _IN_AGENCIES]
    params: dict[str, Any] = {"region": region, "agencies": doc(agencies), "everywhere": not agencies, "limit": limit + 1}
    for name, column, value in (("state", "q.state", state), ("worker", "q.worker_id", worker_id), ("offer", "q.about", offer_id)):
        if value:
            where.append(f"{column} = :{name}")
            params[name] = value
    if after:
        where.append("(q.asked_at, q.id) > (:at, :id)")
        params |= {"at": after[0], "id": after[1]}
    rows = await tx.rows(f"SELECT {_COLUMNS} {_FROM} WHERE {' AND '.join(where)} ORDER BY q.asked_at, q.id LIMIT :limit", **params)
    return [question(dict(row)) for row in rows]


async def tasks(tx: Tx, region: str, *, agencies: Sequence[str], state: str, after: tuple[date, UUID] | None, limit: int) -> list[Row]:
    """Tasks of a region, oldest first."""
    return await plain(
        tx,
        f"SELECT k.question_id, k.region, {_AGENCY} AS agency, k.worker_id, k.task, k.state, k.opened_on, k.done_on, q.about, q.answer_by"
        " FROM task k JOIN question q ON q.id = k.question_id LEFT JOIN person p ON p.worker_id = k.worker_id"
        f" WHERE k.region = :region AND k.state = :state AND {_IN_AGENCIES}"
        + (" AND (k.opened_on, k.question_id) > (:at, :id)" if after else "")
        + " ORDER BY k.opened_on, k.question_id LIMIT :limit",
        region=region,
        state=state,
        agencies=doc(agencies),
        everywhere=not agencies,
        limit=limit + 1,
        **({"at": after[0], "id": after[1]} if after else {}),
    )
