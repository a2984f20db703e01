"""The probes and the metrics, on a port of their own: `/livez`, `/readyz`, `/version`, `/metrics`."""

import asyncio
import json
import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from shared.db import transient
from shared.logs import kind, logger

if TYPE_CHECKING:
    from shared.service import Service

STUCK_FAILURES = 30
log = logger("system")


class SystemDoors:
    """A small ASGI application. `/livez` is progress and never asks the database or the broker; `/readyz` is dependencies."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._begun = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path, method = scope["path"], scope["method"]
        if method not in ("GET", "HEAD"):
            await _send(send, 405, b"", "text/plain")
        elif path == "/livez":
            await self._live(send)
        elif path == "/readyz":
            await self._ready(send)
        elif path == "/version":
            await self._version(send)
        elif path == "/metrics":
            await self._metrics(send)
        else:
            await _send(send, 404, b"", "text/plain")

    async def _live(self, send: Send) -> None:
        # Answering at all shows that the loop turns; a task that only ever fails shows that the process does not.
        stuck = [task.name for task in self._service.tasks if task.failures >= STUCK_FAILURES]
        await _json(send, 503 if stuck else 200, {"live": not stuck, "stuck": stuck})

    async def _ready(self, send: Send) -> None:
        found = await self._service.readiness()
        body = {"ready": found.ready, "missing": found.missing, "degraded": found.degraded, "roles": sorted(self._service.settings.roles)}
        await _json(send, 200 if found.ready else 503, body)

    async def _version(self, send: Send) -> None:
        service = self._service
        now = service.clock.now()
        await _json(
            send,
            200,
            {
                "service": service.name,
                "version": service.version,
                "installation": service.settings.installation,
                "environment": service.settings.environment,
                "simulated_time": service.clock.simulated,
                "business_time": now.business.isoformat(),
            },
        )

    async def _metrics(self, send: Send) -> None:
        try:
            async with asyncio.timeout(5):
                await self._service.sample()
        except Exception as error:
            if not transient(error):
                raise
            # Old figures with a gap in `jembatan_ready` are better than no metrics while the database is away.
            log.warning("metrics not sampled", error=kind(error))
            await _send(send, 503, b"# the database is away\n", "text/plain")
            return
        await _send(send, 200, generate_latest(), CONTENT_TYPE_LATEST)


async def _json(send: Send, status: int, body: dict[str, Any]) -> None:
    await _send(send, status, json.dumps(body).encode(), "application/json")


async def _send(send: Send, status: int, body: bytes, media: str) -> None:
    headers = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
