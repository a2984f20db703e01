"""The hands of the scenario: officers with tokens, a clock, a mail box, and the patience to wait until all is quiet.

Everything goes through public doors: HTTP with tokens, mail read from the sink, links posted as a person would.
"""

import asyncio
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx2

WIB = ZoneInfo("Asia/Jakarta")
SERVICES = ("registry", "vendor", "placement", "notify")
RETRIED = frozenset({429, 502, 503, 504})
SERIES = re.compile(r"^(\w+)(?:\{([^}]*)\})? ([-+0-9.eE]+|NaN)$", re.MULTILINE)


class Place(Protocol):
    """What a running installation offers: addresses, tokens, the clock and the mail."""

    def url(self, service: str) -> str: ...
    def metrics_urls(self, service: str) -> Sequence[str]: ...
    def mint(
        self,
        issuer: str,
        subject: str,
        roles: Sequence[str],
        regions: Sequence[str],
        agencies: Sequence[str] = (),
        vendor: UUID | None = None,
    ) -> str: ...
    def move_clock(self, to: datetime) -> None: ...
    def business_now(self) -> datetime: ...
    def mails(self, to: str) -> Sequence[Any]: ...


class Refusal(Exception):
    """An answer of the 4xx kind, with its problem document."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('type', '')} {problem.get('detail', '')} {problem.get('errors', '')}")
        self.status = status
        self.problem = dict(problem)

    @property
    def slug(self) -> str:
        """Last part of the problem's type."""
        return str(self.problem.get("type", "")).rsplit("/", 1)[-1]


class NotQuiet(Exception):
    """The installation did not come to rest in time; the message names what still moves."""


@dataclass(slots=True)
class Driver:
    """Calls doors and waits. One per run; `patience` is the longest wait for quiet in seconds (a time-out, not a measure)."""

    place: Place
    patience: float = 120.0
    client: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=60, limits=httpx2.Limits(max_connections=16)))
    retries: int = 0

    async def close(self) -> None:
        """Close the connections."""
        await self.client.aclose()

    async def call(self, method: str, url: str, token: str = "", **options: Any) -> httpx2.Response:
        """One request, repeated with the same Idempotency-Key while the installation is away. Raises `Refusal` for a 4xx."""
        headers = dict(options.pop("headers", {}))
        if token:
            headers["authorization"] = f"Bearer {token}"
        if method == "POST":
            headers.setdefault("idempotency-key", secrets.token_hex(16))
        for attempt in range(60):
            try:
                answer = await self.client.request(method, url, headers=headers, **options)
            except (httpx2.TransportError, OSError):
                if attempt == 59:
                    raise
                self.retries += 1
                await asyncio.sleep(min(1.0, 0.1 * (attempt + 1)))
                continue
            running = answer.status_code == 409 and "idempotency" in answer.text
            if answer.status_code in RETRIED or running or (answer.status_code == 500 and attempt < 3):
                self.retries += 1
                await asyncio.sleep(min(1.0, 0.1 * (attempt + 1)))
                continue
            if answer.status_code >= 400:
                try:
                    problem = answer.json()
                except ValueError:
                    problem = {"detail": answer.text[:500]}
                raise Refusal(answer.status_code, problem)
            return answer
        raise Refusal(answer.status_code, {"detail": f"still {answer.status_code} after 60 tries", "type": "unavailable"})

    async def advance(self, to: date, hour: int = 9) -> None:
        """Move business time to an hour (WIB) of a day, once all is quiet; then wait until what became due has happened."""
        await self.quiet()
        instant = datetime.combine(to, time(hour), WIB)
        if instant > self.place.business_now():
            self.place.move_clock(instant)
            await self.quiet()

    async def quiet(self) -> None:
        """Wait until nothing is under way: logs sent, lags zero, timers fired, jobs done, in two readings in a row."""
        calm, deadline, last = 0, asyncio.get_running_loop().time() + self.patience, ""
        while calm < 2:
            moving = await self.moving()
            calm = 0 if moving else calm + 1
            last = moving or last
            if calm < 2:
                if asyncio.get_running_loop().time() > deadline:
                    raise NotQuiet(last)
                await asyncio.sleep(0.15)

    async def moving(self) -> str:
        """What still moves, or an empty text. Read from the services' own metrics."""
        urls = [(service, url) for service in SERVICES for url in self.place.metrics_urls(service)]
        return "; ".join(filter(None, await asyncio.gather(*(self._moving(service, url) for service, url in urls))))

    async def _moving(self, service: str, url: str) -> str:
        try:
            answer = await self.client.get(f"{url}/metrics")
            answer.raise_for_status()
        except (httpx2.HTTPError, OSError) as error:
            return f"{service}: {type(error).__name__}"
        found: dict[str, float] = {}
        for name, labels, value in SERIES.findall(answer.text):
            if name in MOVING and float(value) != 0:
                found[f"{name}{{{labels}}}"] = float(value)
            if name == "jembatan_business_time_seconds" and abs(float(value) - self.place.business_now().timestamp()) > 1:
                found[name] = float(value)
        return f"{service}: {found}" if found else ""

    async def pages(self, url: str, token: str, **params: Any) -> AsyncIterator[dict[str, Any]]:
        """Every item of a paged list."""
        cursor: str | None = None
        while True:
            answer = await self.call("GET", url, token, params={**params, "limit": 500, **({"cursor": cursor} if cursor else {})})
            body = answer.json()
            for item in body["items"]:
                yield item
            cursor = body.get("next")
            if not cursor:
                return

    async def until(self, what: str, ready: Callable[[], Awaitable[Any]]) -> Any:
        """Poll until `ready` answers something true. Raises `NotQuiet` when it does not within the patience."""
        deadline = asyncio.get_running_loop().time() + self.patience
        while True:
            if found := await ready():
                return found
            if asyncio.get_running_loop().time() > deadline:
                raise NotQuiet(f"waited in vain for {what}")
            await asyncio.sleep(0.15)


MOVING = frozenset(
    {
        "jembatan_pending",
        "jembatan_lag",
        "jembatan_timers_due",
        "jembatan_jobs_open",
        "jembatan_gaps",
        "jembatan_away",
    }
)
"""Gauges that are zero when nothing is under way."""


def after(day: date, days: int) -> date:
    """A later day."""
    return day + timedelta(days=days)
