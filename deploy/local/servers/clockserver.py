"""The one authority for business time in a demonstration: it stands still until somebody moves it.

`GET /now` -> `{"now": "2026-01-05T02:00:00+00:00"}`, for anybody. `PUT /now` with the same body and
`Authorization: Bearer <token>` moves it; backwards is refused (409).
"""

import hmac
import json
import secrets
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from deploy.local.servers.web import serving


class ClockServer:
    """An asynchronous context; inside it `url` answers."""

    def __init__(self, start: datetime, port: int = 0) -> None:
        """`start` must be aware."""
        if start.tzinfo is None:
            raise ValueError("business time needs a time zone")
        self.token = secrets.token_urlsafe(24)
        """What moves the clock over HTTP."""
        self.url = ""
        """Without a path: `<url>/now`."""
        self._now = start.astimezone(UTC)
        self._port = port
        self._stack = AsyncExitStack()

    @property
    def now(self) -> datetime:
        """Business time, in UTC."""
        return self._now

    def move(self, to: datetime) -> None:
        """Set business time. Raises ValueError for a time without a zone, or one before the present one."""
        if to.tzinfo is None:
            raise ValueError("business time needs a time zone")
        if to < self._now:
            raise ValueError(f"business time never runs backwards: it is {self._now.isoformat()}")
        self._now = to.astimezone(UTC)

    async def __aenter__(self) -> Self:
        routes = [Route("/now", self._get, methods=["GET"]), Route("/now", self._put, methods=["PUT"])]
        self.url = await self._stack.enter_async_context(serving(Starlette(routes=routes), self._port))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def _get(self, _: Request) -> Response:
        return JSONResponse({"now": self._now.isoformat()})

    async def _put(self, request: Request) -> Response:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {self.token}".encode()):
            return JSONResponse({"title": "this needs the clock's own token"}, 401)
        try:
            to = datetime.fromisoformat(json.loads(await request.body())["now"])
            if to.tzinfo is None:
                raise ValueError("business time needs a time zone")
        except (ValueError, KeyError, TypeError):
            return JSONResponse({"title": 'the body is {"now": "<ISO 8601 with a zone>"}'}, 422)
        try:
            self.move(to)
        except ValueError as error:
            return JSONResponse({"title": str(error)}, 409)
        return await self._get(request)
