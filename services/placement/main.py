"""Wiring of placement: `python -m services.placement.main`."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import FastAPI

from shared.serve import serve
from shared.service import Rooms, Service, build_service

from . import __doc__ as about
from .api import ROUTERS
from .jobs import jobs
from .settings import Settings
from .subscribers import SUBSCRIPTIONS
from .timers import TIMERS
from .usecases.pool import matching
from .usecases.rounds import Lottery
from .usecases.signing import Signer


@contextlib.asynccontextmanager
async def _own(service: Service) -> AsyncIterator[Mapping[str, Any]]:
    settings = service.settings
    assert isinstance(settings, Settings)
    # Only rounds (jobs) and explanations (doors) are computed; a relay of its own needs no second process.
    async with matching(settings.matching_workers, warm=bool(settings.roles & {"api", "jobs"})) as pool:
        yield {"matching": pool, "lottery": Lottery(settings.mac), "signer": Signer(settings.signing_pem)}


def create_app() -> FastAPI:
    """The service with its doors; nothing runs before its lifespan."""
    return build_service(
        Rooms(
            name="placement",
            settings=Settings.read(),
            routers=ROUTERS,
            subscriptions=SUBSCRIPTIONS,
            timers=TIMERS,
            jobs=jobs,
            lifespan=_own,
            about=about or "",
        )
    )


if __name__ == "__main__":
    serve(create_app)
