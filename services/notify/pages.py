"""The answer page behind a link in a letter: readable without scripts, by any screen reader, in two languages.

Opening it changes nothing: previews of mail programs open links too. The token is in the path and nowhere else.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import parse_qs

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import ValidationError

from services.notify import usecases
from services.notify.channels import Texts
from services.notify.channels.texts import STYLE_HASH, locale_of
from services.notify.domain import Answer, Question, QuestionState, token_hash
from services.notify.schemas import LinkAnswerIn, QuestionOut
from shared.db import Tx
from shared.errors import Invalid, NotNow, Problem, Refused
from shared.http import Call, PublicCallDep
from shared.identity import Scope

router = APIRouter(include_in_schema=True)

LONGEST_FORM = 4096
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow",
}

Token = Annotated[str, Path(min_length=20, max_length=100, pattern=r"^[A-Za-z0-9_-]+$")]
Lang = Annotated[str, Query(max_length=5)]


def bearer(token: str) -> Scope:
    """Whoever holds the link: a pseudonym made from its hash, and no permission."""
    return Scope(actor=f"link:{token_hash(token).hex()[:24]}", roles=frozenset({"link"}))


@router.get("/a/{token}", response_class=HTMLResponse)
async def show(call: PublicCallDep, token: Token, lang: Lang = "id") -> Response:
    """The question, or what became of it. Changes nothing."""
    return await _shown(call, token, lang)


@router.post("/a/{token}", response_model=QuestionOut, responses={303: {"description": "Answered by form; see the page."}})
async def answer(call: PublicCallDep, request: Request, token: Token, lang: Lang = "id") -> Response:
    """The person's answer: a form (the page is shown again) or JSON."""
    form = request.headers.get("content-type", "").split(";")[0].strip() != "application/json"
    try:
        given = await _read(request, form)
        question = await call.service.db.attempt("worker", bearer(token), "notify.link_answer", lambda tx: _take(tx, token, given))
    except Problem as problem:
        if not form:
            raise
        return await _refused(call, token, lang, problem)
    if form:
        language = "?lang=en" if locale_of(lang) == "en" else ""
        return RedirectResponse(f"/a/{token}{language}", 303, headers=HEADERS)
    return Response(QuestionOut.of(question).model_dump_json(), media_type="application/json", headers={"Cache-Control": "no-store"})


async def _take(tx: Tx, token: str, given: LinkAnswerIn) -> Question:
    one = Answer(given.says, tuple(given.reasons), (), "link", tx.stamp.business, tx.stamp.wall)
    return await usecases.answer_by_link(tx, token, one)


async def _read(request: Request, form: bool) -> LinkAnswerIn:
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > LONGEST_FORM:
            raise Refused("bad-answer", "The answer cannot be read.", status=413)
    try:
        given: Any = _fields(body) if form else json.loads(body)
        return LinkAnswerIn.model_validate(given)
    except ValidationError as error:
        # a field that is none of ours may be named by anything, so by somebody's number
        fields = [str(e["loc"][0]) if e["loc"] and e["loc"][0] in LinkAnswerIn.model_fields else "body" for e in error.errors()]
        found = [(field, e["type"].replace("_", "-"), "is not valid") for field, e in zip(fields, error.errors(), strict=True)]
        raise Invalid(found, slug="bad-answer") from None
    except (ValueError, RecursionError):
        raise Invalid([("body", "malformed", "cannot be read")], slug="bad-answer") from None


def _fields(body: bytes) -> dict[str, Any]:
    fields = parse_qs(body.decode("ascii"), max_num_fields=20, strict_parsing=bool(body))
    says = fields.pop("says", [""])
    reasons = fields.pop("reasons", [])
    if len(says) != 1 or fields:
        raise ValueError("not our form")
    # A reason ticked under "no" and the button "yes" pressed: what counts is the button.
    return {"says": says[0], "reasons": [] if says[0] == "yes" else reasons}


async def _shown(call: Call, token: str, lang: str, *, refused: str = "", status: int = 200) -> HTMLResponse:
    texts: Texts = call.service.extra["texts"]

    async def work(tx: Tx) -> str:
        question = await usecases.question_of_link(tx, token)
        notice = refused or _notice(question, tx)
        pack = await tx.pack(question.region)
        return texts.page(question, pack, tx.stamp.day, lang, notice=notice, simulated=call.service.clock.simulated, path=f"/a/{token}")

    try:
        page = await call.service.db.attempt("worker", bearer(token), "notify.link_page", work)
    except (NotNow, Problem) as problem:
        return HTMLResponse(texts.no_page(lang, problem.slug), problem.status, headers=dict(HEADERS))
    return HTMLResponse(page, status, headers=dict(HEADERS))


def _notice(question: Question, tx: Tx) -> str:
    match question.state:
        case QuestionState.ANSWERED:
            return "answered"
        case QuestionState.WITHDRAWN:
            return "offer-withdrawn"
        case QuestionState.CLOSED:
            return "question-closed"
        case _:
            return "too-late" if tx.stamp.business >= question.due else ""


async def _refused(call: Call, token: str, lang: str, problem: Problem) -> HTMLResponse:
    if problem.slug in {"already-answered", "offer-withdrawn", "question-closed", "too-late"}:
        return await _shown(call, token, lang, refused=problem.slug, status=problem.status)
    texts: Texts = call.service.extra["texts"]
    return HTMLResponse(texts.no_page(lang, problem.slug), problem.status, headers=dict(HEADERS))
