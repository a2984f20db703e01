"""Wiring."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import time
from typing import Any

from fastapi import FastAPI

from shared.serve import serve
from shared.service import Rooms, Service, build_service
from shared.settings import Settings
from tests.support.toy import api
from tests.support.toy.jobs import JOBS
from tests.support.toy.subscribers import SUBSCRIPTIONS
from tests.support.toy.timers import timers


@asynccontextmanager
async def resources(_service: Service) -> AsyncIterator[Mapping[str, Any]]:
    """Something of the service's own."""
    fired: list[int] = []
    yield {"fired": fired}


def create_app() -> FastAPI:
    """The toy."""
    return build_service(
        Rooms(
            "vendor",
            Settings.read(),
            routers=(api.router, api.public),
            subscriptions=SUBSCRIPTIONS,
            timers=timers,
            jobs=JOBS,
            daily={"midnight": time(0, 0)},
            lifespan=resources,
            about="A toy.",
        )
    )


if __name__ == "__main__":
    serve(create_app)
