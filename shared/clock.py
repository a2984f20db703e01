"""The two clocks. Wall time for tokens, leases and time-outs; business time for deadlines, validity and days.

They are equal, unless a setting names a simulation clock (a demonstration, a training, a what-if), which
production refuses.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import structlog

WIB = ZoneInfo("Asia/Jakarta")
"""Western Indonesian Time: the local dates of every region whose rule pack says nothing else."""

POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Stamp:
    """One instant on both clocks, each aware and in UTC."""

    wall: datetime
    business: datetime

    def __post_init__(self) -> None:
        if self.wall.tzinfo is None or self.business.tzinfo is None:
            raise ValueError("a stamp needs aware times")

    @property
    def day(self) -> date:
        """The business day in WIB: the day deadlines, validity and rule packs are judged on."""
        return self.business.astimezone(WIB).date()


class Clock(Protocol):
    """What tells the time. `simulated` is shown wherever a reader could take the time for the real one."""

    @property
    def simulated(self) -> bool: ...

    def now(self) -> Stamp: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


class SystemClock:
    """Both clocks are the computer's."""

    simulated = False

    def now(self) -> Stamp:
        wall = datetime.now(UTC)
        return Stamp(wall, wall)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


class FollowedClock:
    """Business time as a clock server tells it (`GET <url>/now` -> `{"now": "<ISO 8601>"}`), wall time as it is.

    Between two answers, and while the server is away, business time stands still: it never runs ahead of its
    authority. `start` returns once the first answer is in.
    """

    simulated = True

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + "/now"
        self._business: datetime | None = None
        self._task: asyncio.Task[None] | None = None
        self._known = asyncio.Event()

    def now(self) -> Stamp:
        if self._business is None:
            raise RuntimeError("the followed clock was not started")
        return Stamp(datetime.now(UTC), self._business)

    async def start(self) -> None:
        self._task = asyncio.create_task(self._follow(), name="clock")
        known = asyncio.create_task(self._known.wait())
        await asyncio.wait({known, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if not self._known.is_set():
            known.cancel()
            await self._task

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _follow(self) -> None:
        import httpx2

        log = structlog.get_logger("jembatan.clock")
        away = False
        async with httpx2.AsyncClient(timeout=5) as client:
            while True:
                try:
                    answer = await client.get(self._url)
                    answer.raise_for_status()
                    told = datetime.fromisoformat(answer.json()["now"])
                    if told.tzinfo is None:
                        raise ValueError("the clock server tells a time without a zone")
                    self._business = told.astimezone(UTC)
                    self._known.set()
                    away = False
                except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
                    if not away:
                        log.warning("clock server not heard", error=type(error).__name__)
                    away = True
                await asyncio.sleep(POLL_SECONDS)


class SetClock:
    """A clock that is set by hand, for tests and what-if calculations."""

    simulated = True

    def __init__(self, business: datetime) -> None:
        self._business = business.astimezone(UTC)

    def now(self) -> Stamp:
        return Stamp(datetime.now(UTC), self._business)

    def move(self, to: datetime | date) -> None:
        """Set business time; a bare date means 09:00 WIB of that day."""
        if isinstance(to, datetime):
            self._business = to.astimezone(UTC)
        else:
            self._business = datetime(to.year, to.month, to.day, 9, tzinfo=WIB).astimezone(UTC)

    async def start(self) -> None:
        """Nothing to start."""

    async def stop(self) -> None:
        """Nothing to stop."""


def clock_for(url: str, environment: str) -> Clock:
    """The clock the settings ask for. A production installation never runs on simulated time."""
    if not url:
        return SystemClock()
    if environment == "production":
        raise RuntimeError("JEMBATAN_CLOCK_URL names a simulation clock; production keeps real time: unset it")
    return FollowedClock(url)
