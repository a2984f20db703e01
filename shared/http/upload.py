"""Bodies by the stream, never whole in memory, and never longer than allowed."""

from collections.abc import AsyncIterator

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

USUAL_LIMIT = 2 * 1024 * 1024
_LIMIT = "jembatan.body_limit"


class BodyLimit:
    """Answers 413 as soon as a body is longer than its door allows: 2 MiB, unless the door streams and says more."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        promised = int(declared) if declared.isdigit() else 0
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            limit = scope.get(_LIMIT, USUAL_LIMIT)
            if promised > limit:
                raise HTTPException(413)
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise HTTPException(413)
            return message

        await self._app(scope, limited, send)


async def stream(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body's chunks as they come; a body over `limit` bytes ends in 413, however it was announced."""
    request.scope[_LIMIT] = limit
    async for chunk in request.stream():
        if chunk:
            yield chunk
