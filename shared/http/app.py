"""The application behind the doors: problems for every error, a trace, a metric and a log line for every request."""

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse, JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import metrics, tracing
from shared.errors import Problem
from shared.http import docs, problems
from shared.http.upload import BodyLimit
from shared.logs import kind, logger, where

if TYPE_CHECKING:
    from shared.service import Service

log = logger("http")


class _Edge:
    """The outermost layer: trace in and out, metrics, security headers, and an answer whatever happens inside."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        header = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), "")
        started = time.perf_counter()
        status = 0

        with tracing.span(tracing.from_outside(header)) as trace:

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    headers = list(message.get("headers", []))
                    names = {name for name, _ in headers}
                    headers.append((b"traceparent", trace.header.encode()))
                    headers.append((b"x-content-type-options", b"nosniff"))
                    if b"cache-control" not in names:
                        headers.append((b"cache-control", b"no-store"))
                    if b"referrer-policy" not in names:
                        headers.append((b"referrer-policy", b"no-referrer"))
                    message = {**message, "headers": headers}
                await send(message)

            try:
                await self._app(scope, receive, sending)
            except Exception as error:
                # The last place before the socket: every failure becomes a problem.
                problem = problems.of_failure(error)
                level = log.warning if problem.status == 503 else log.error
                level("request failed", status=problem.status, error=kind(error), where=where(error))
                if status:
                    # Half an answer is out: closing the connection is the only honest end.
                    raise
                await problems.answer(problem)(scope, receive, sending)
            finally:
                self._count(scope, status, time.perf_counter() - started)

    @staticmethod
    def _count(scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path_format", None) or getattr(scope.get("route"), "path", None) or "none"
        method = scope["method"] if scope["method"] in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS") else "other"
        metrics.HTTP_REQUESTS.labels(method, route, str(status or 500)).inc()
        metrics.HTTP_SECONDS.labels(method, route).observe(seconds)
        log.debug("answered", method=method, route=route, status=status, seconds=round(seconds, 4))


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    if error.status >= 500:
        log.warning("answer refused for now", slug=error.slug)
    return problems.answer(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problems.answer(problems.of_validation(error))


async def _http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problems.answer(problems.of_http(error), error.headers)


def _describe(app: FastAPI, description: str) -> dict[str, Any]:
    """The OpenAPI document with our problems in place of FastAPI's own, and the header that makes a POST repeatable."""
    if app.openapi_schema:
        return app.openapi_schema
    document = get_openapi(title=app.title, version=app.version, description=description, routes=app.routes)
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Problem"] = problems.SCHEMA
    content = {problems.MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for item in document.get("paths", {}).values():
        for method, operation in item.items():
            responses = operation.setdefault("responses", {})
            responses.pop("422", None)
            responses["4XX"] = {"description": "Refused; `type` says why.", "content": content}
            responses["5XX"] = {"description": "Not now, or our mistake.", "content": content}
            if method == "post":
                operation.setdefault("parameters", []).append(
                    {
                        "name": "Idempotency-Key",
                        "in": "header",
                        "required": False,
                        "description": "The same key and body get the same answer, done once.",
                        "schema": {"type": "string", "maxLength": 200},
                    }
                )
    app.openapi_schema = document
    return document


def http_app(
    service: "Service",
    routers: Iterable[APIRouter],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    version: str,
    about: str,
) -> FastAPI:
    """The FastAPI application of a service; `app.state.service` is the service."""
    app = FastAPI(
        title=f"Jembatan {service.name}",
        version=version,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        exception_handlers={Problem: _problem, RequestValidationError: _invalid, HTTPException: _http},
    )
    app.state.service = service
    for router in routers:
        app.include_router(router)

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> JSONResponse:
        return JSONResponse(_describe(app, about))

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(
            docs.page(_describe(app, about)),
            headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        )

    app.add_middleware(BodyLimit)
    app.add_middleware(_Edge)
    return app
