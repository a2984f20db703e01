"""HTTP doors of the front desk: answers, visits and preferences at the desk; questions, tasks, messages, the printed list."""

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse, Response

from services.notify import schemas, store, usecases
from services.notify.channels import Texts
from services.notify.domain import Answer
from services.notify.schemas import (
    AnswerIn,
    MessageCounts,
    MessageOut,
    PreferenceIn,
    PreferenceOut,
    PrintedOut,
    QuestionOut,
    TaskOut,
    VisitIn,
)
from shared.db import Tx
from shared.errors import Invalid
from shared.http import Call, CallDep, Page, PagingDep
from shared.privacy import Contact, Vault

router = APIRouter(prefix="/v1")

Region = Annotated[str, Query(pattern=r"^\d\d\.\d\d$", description="Kode wilayah; may be left out by callers of one region.")]
Agency = Annotated[str, Query(max_length=40, pattern=r"^[a-z0-9_]*$")]


def _region(call: Call, given: str) -> str:
    if given:
        return given
    if len(call.scope.regions) == 1:
        return next(iter(call.scope.regions))
    raise Invalid([("region", "missing", "is required")])


def _given(tx: Tx, says: str, reasons: list[str], families: list[str], channel: str) -> Answer:
    return Answer(says, tuple(reasons), tuple(families), channel, tx.stamp.business, tx.stamp.wall)


@router.post("/desk/answers", status_code=200, response_model=QuestionOut)
async def desk_answer(call: CallDep, body: AnswerIn) -> Response:
    """Take an answer in the person's presence or from a signed slip."""

    async def work(tx: Tx) -> QuestionOut:
        given = _given(tx, body.says, body.reasons, body.families, body.channel)
        return QuestionOut.of(await usecases.answer_at_desk(tx, question_id=body.question_id, offer_id=body.offer_id, given=given))

    return await call.write("notify.desk_answer", "answer.write", work)


@router.post("/desk/preferences", status_code=201, response_model=PreferenceOut)
async def desk_preference(call: CallDep, body: PreferenceIn) -> Response:
    """Take the job families a person is willing to work in, in order."""

    async def work(tx: Tx) -> PreferenceOut:
        question_id = await usecases.prefer(tx, body.worker_id, _given(tx, "families", [], body.families, "desk"))
        return PreferenceOut(question_id=question_id, worker_id=body.worker_id, families=body.families)

    return await call.write("notify.desk_preference", "preference.write", work, status=201)


@router.post("/desk/visits", status_code=201, response_model=QuestionOut)
async def desk_visit(call: CallDep, body: VisitIn) -> Response:
    """Record that an officer was there; met in person after the term, the question is closed at once."""

    async def work(tx: Tx) -> QuestionOut:
        visited = await usecases.visit(tx, body.question_id, visited_on=body.visited_on, evidence=body.evidence, met=body.met)
        return QuestionOut.of(visited)

    return await call.write("notify.visit", "visit.write", work, status=201)


@router.get("/questions", response_model=Page[QuestionOut])
async def questions(
    call: CallDep,
    paging: PagingDep,
    region: Region = "",
    agency: Agency = "",
    state: Literal["", "open", "answered", "closed", "withdrawn"] = "",
    worker_id: UUID | None = None,
    offer_id: UUID | None = None,
) -> Page[QuestionOut]:
    """Questions in the order they were asked."""
    where = _region(call, region)

    async def work(tx: Tx) -> Any:
        return await store.questions.listed(
            tx,
            where,
            agencies=usecases.reach(tx, where, agency),
            state=state,
            worker_id=worker_id,
            offer_id=offer_id,
            after=paging.after(datetime, UUID),
            limit=paging.limit,
        )

    rows = await call.read("notify.questions", "desk.read", work)
    return paging.page(rows, lambda q: (q.asked_at, q.id), QuestionOut.of)


@router.get("/questions/{question_id}", response_model=QuestionOut)
async def question(call: CallDep, question_id: UUID) -> QuestionOut:
    """One question."""

    async def work(tx: Tx) -> QuestionOut:
        return QuestionOut.of(await usecases.find_question(tx, question_id))

    return await call.read("notify.question", "desk.read", work)


@router.get("/tasks", response_model=Page[TaskOut])
async def tasks(
    call: CallDep, paging: PagingDep, region: Region = "", agency: Agency = "", state: Literal["open", "done"] = "open"
) -> Page[TaskOut]:
    """People an agency must reach."""
    where = _region(call, region)

    async def work(tx: Tx) -> Any:
        return await store.questions.tasks(
            tx,
            where,
            agencies=usecases.reach(tx, where, agency),
            state=state,
            after=paging.after(date, UUID),
            limit=paging.limit,
        )

    rows = await call.read("notify.tasks", "desk.read", work)
    return paging.page(rows, lambda row: (row["opened_on"], row["question_id"]), TaskOut.of)


@router.get("/messages", response_model=Page[MessageOut])
async def messages(
    call: CallDep,
    paging: PagingDep,
    region: Region = "",
    agency: Agency = "",
    state: Literal["", "queued", "sending", "sent", "unknown", "failed", "listed"] = "",
    template: Literal["", "offer", "reminder", "withdrawn", "expired", "placed"] = "",
    worker_id: UUID | None = None,
    question_id: UUID | None = None,
) -> Page[MessageOut]:
    """What became of messages."""
    where = _region(call, region)

    async def work(tx: Tx) -> Any:
        return await store.messages.listed(
            tx,
            where,
            agencies=usecases.reach(tx, where, agency),
            state=state,
            template=template,
            worker_id=worker_id,
            question_id=question_id,
            after=paging.after(datetime, UUID),
            limit=paging.limit,
        )

    rows = await call.read("notify.messages", "desk.read", work)
    return paging.page(rows, lambda row: (row["created_at"], row["id"]), lambda row: MessageOut(**row))


@router.get("/messages/counts", response_model=MessageCounts)
async def message_counts(call: CallDep, region: Region = "") -> MessageCounts:
    """How many messages are in which state."""
    where = _region(call, region)

    async def work(tx: Tx) -> Any:
        tx.scope.require("desk.read", where)
        return await store.messages.counts(tx, where)

    rows = await call.read("notify.message_counts", "desk.read", work)
    states = dict.fromkeys(store.messages.states(), 0)
    for row in rows:
        states[row["state"]] += row["n"]
    return MessageCounts(region=where, states=states, counts=rows)


@router.get("/printed-list", response_model=Page[PrintedOut], responses={200: {"content": {"text/html": {}}}})
async def printed_list(
    call: CallDep,
    paging: PagingDep,
    purpose: schemas.Purpose,
    region: Region = "",
    agency: Agency = "",
    only_open: Annotated[bool, Query(alias="open", description="Only what is still to be handed over.")] = False,
    form: Annotated[Literal["json", "html"], Query(alias="format")] = "json",
) -> Any:
    """What the agency hands over itself: to people without an address, or whose mail was refused or may not have arrived.

    Names are shown, so the read is noted with its purpose. `format=html` is a page to print.
    """
    where = _region(call, region)
    vault: Vault = call.service.extra["vault"]
    texts: Texts = call.service.extra["texts"]

    async def work(tx: Tx) -> list[tuple[dict[str, Any], PrintedOut]]:
        rows = await usecases.print_list(
            tx, vault, where, agency=agency, only_open=only_open, purpose=purpose, after=paging.after(datetime, UUID), limit=paging.limit
        )
        pack = await tx.pack(where)
        return [
            (dict(row), _printed(row, held, texts.line(row["template"], usecases.details(row), pack, tx.stamp.day))) for row, held in rows
        ]

    found = await call.read("notify.printed_list", "desk.read", work)
    page = paging.page(found, lambda pair: (pair[0]["created_at"], pair[0]["id"]), lambda pair: pair[1])
    if form == "html":
        rows = [item.model_dump(mode="json") for item in page.items]
        body = texts.printed("id", where, agency, call.service.clock.now().day, rows)
        return HTMLResponse(body, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"})
    return page


def _printed(row: Any, held: Contact | None, line: str) -> PrintedOut:
    return PrintedOut(
        message_id=row["id"],
        template=row["template"],
        reason=row["reason"],
        agency=row["agency"],
        worker_id=row["worker_id"],
        worker_number=row["worker_number"],
        address_form=held.address_form if held else "",
        name=held.name if held else "",
        phone=held.phone if held else "",
        line=line,
        question_id=row["question_id"],
        offer_id=row["about"],
        answer_by=row["answer_by"],
        open=row["open"],
    )
