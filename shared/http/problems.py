"""Every error as problem+json (RFC 9457), with a stable `type`, and never with a value that came in.

The texts of libraries quote input ("found `x` at 1", "Key (nik)=(...) already exists"): none of them is passed on. What
is said of a field is chosen here by the kind of error.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core._pydantic_core import list_all_errors
from starlette.exceptions import HTTPException

from shared import tracing
from shared.errors import FieldError, Invalid, NotNow, Problem, title

TYPE = "https://jembatan.example/problems/"
MEDIA = "application/problem+json"

_BY_STATUS = {
    400: "malformed",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    412: "changed-meanwhile",
    413: "too-large",
    415: "media-type",
    422: "invalid",
    428: "condition-required",
    429: "too-many-requests",
    500: "internal",
    503: "not-now",
}
_TEXTS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this body",
    "json_invalid": "is not JSON",
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "uuid_type": "must be a UUID",
    "uuid_parsing": "must be a UUID",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "datetime_parsing": "must be an ISO 8601 time",
    "datetime_from_date_parsing": "must be an ISO 8601 time",
    "timezone_aware": "must name its time zone",
    "string_pattern_mismatch": "has not the required form",
    "none_required": "must be absent",
}
_WITH_LIMIT = {
    "string_too_long": ("max_length", "may have at most {} characters"),
    "string_too_short": ("min_length", "must have at least {} characters"),
    "too_long": ("max_length", "may have at most {} items"),
    "too_short": ("min_length", "must have at least {} items"),
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "literal_error": ("expected", "must be one of {}"),
    "enum": ("expected", "must be one of {}"),
}
_NAME = re.compile(r"^(?:[a-z_-]{1,40}[0-9]{0,3}|[A-Z][a-z]+(?:-[A-Z][a-z]+)+)$")
_BUILT_IN = frozenset(str(error["type"]) for error in list_all_errors())
_WHERE = ("body", "query", "path", "header", "cookie")
# SQLSTATE classes that pass by themselves: connection, rollback, resources, not in state, operator intervention.
_TRANSIENT = ("08", "40", "53", "55", "57")


def _path(loc: Sequence[Any]) -> str:
    parts = list(loc[1:] if loc and loc[0] in _WHERE else loc)
    shown = [str(part) if isinstance(part, int) or _NAME.match(str(part)) else "?" for part in parts]
    return ".".join(shown) or (str(loc[0]) if loc else "body")


def _text(error: Mapping[str, Any]) -> str:
    kind = str(error.get("type", ""))
    if kind in _TEXTS:
        return _TEXTS[kind]
    if kind in _WITH_LIMIT:
        name, text = _WITH_LIMIT[kind]
        return text.format((error.get("ctx") or {}).get(name, "the limit"))
    if kind.startswith("date"):
        return "must be an ISO 8601 date"
    # A kind pydantic does not know is one of our own validators', whose texts are ours.
    return str(error.get("msg", "is not valid")) if kind not in _BUILT_IN else "is not valid"


def of_validation(error: RequestValidationError) -> Invalid:
    """FastAPI's own 422 in our words: paths and kinds, no input."""
    found = [FieldError(_path(e.get("loc", ())), str(e.get("type", "invalid")).replace("_", "-"), _text(e)) for e in error.errors()]
    if any(e.get("type") == "json_invalid" for e in error.errors()):
        return Invalid([FieldError("body", "json-invalid", "is not JSON")], slug="malformed", status=400)
    return Invalid(found[:100])


def of_http(error: HTTPException) -> Problem:
    """Starlette's errors (404, 405, 400 and the like) in our words."""
    return Problem(_BY_STATUS.get(error.status_code, f"http-{error.status_code}"), status=error.status_code)


def _sqlstate(error: BaseException | None) -> str:
    for _ in range(5):
        if error is None:
            return ""
        state = getattr(error, "sqlstate", None) or getattr(getattr(error, "orig", None), "sqlstate", None)
        if isinstance(state, str):
            return state
        error = error.__cause__ or error.__context__
    return ""


def of_failure(error: BaseException) -> Problem:
    """An unexpected error: 503 when it passes by itself (database away, lost races, time-outs), else 500."""
    if isinstance(error, Problem):
        return error
    if _sqlstate(error)[:2] in _TRANSIENT or isinstance(error, TimeoutError | OSError):
        return NotNow("not-now", "Something this answer needs is away for the moment; try again.", retry_after=2)
    if type(error).__module__.startswith(("sqlalchemy", "asyncpg")) and type(error).__name__ in (
        "InterfaceError",
        "TimeoutError",
        "InternalClientError",
        "ConnectionDoesNotExistError",
    ):
        return NotNow("not-now", "The database is away for the moment; try again.", retry_after=2)
    return Problem("internal", "Our mistake; the trace id finds it in the logs.", status=500)


def document(problem: Problem) -> dict[str, Any]:
    """The problem as its JSON document."""
    body: dict[str, Any] = {"type": TYPE + problem.slug, "title": title(problem.slug), "status": problem.status}
    if problem.detail:
        body["detail"] = problem.detail
    if problem.rule:
        body["rule"] = problem.rule
    if problem.article:
        body["article"] = problem.article
    if problem.errors:
        body["errors"] = [{"field": e.field, "code": e.code, "text": e.text} for e in problem.errors]
    body["trace_id"] = tracing.trace_id()
    return body


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """The problem as an answer."""
    extra = dict(headers or {})
    extra["Cache-Control"] = "no-store"
    if isinstance(problem, NotNow) or problem.status == 503:
        extra.setdefault("Retry-After", str(getattr(problem, "retry_after", 0) or 2))
    if problem.status == 401:
        extra.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(document(problem), problem.status, headers=extra, media_type=MEDIA)


SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "RFC 9457; `type` is stable, texts are not.",
    "type": "object",
    "required": ["type", "title", "status", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rule": {"type": "string", "description": "The rule that refuses."},
        "article": {"type": "string", "description": "The law and article the rule stands on."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "code", "text"],
                "properties": {"field": {"type": "string"}, "code": {"type": "string"}, "text": {"type": "string"}},
            },
        },
        "trace_id": {"type": "string"},
    },
}
