"""Wiring of the vendor service: `python -m services.vendor.main`."""

from fastapi import FastAPI

from shared.serve import serve
from shared.service import Rooms, build_service

from . import __doc__ as about
from .api import ROUTERS
from .jobs import JOBS
from .settings import Settings
from .subscribers import SUBSCRIPTIONS
from .timers import TIMERS


def create_app() -> FastAPI:
    """The service with its doors; nothing runs before its lifespan."""
    return build_service(
        Rooms(
            name="vendor",
            settings=Settings.read(),
            routers=ROUTERS,
            subscriptions=SUBSCRIPTIONS,
            timers=TIMERS,
            jobs=JOBS,
            about=about or "",
        )
    )


if __name__ == "__main__":
    serve(create_app)
