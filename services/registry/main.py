"""Wiring only; nothing runs at import. Started as `python -m services.registry.main`."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from fastapi import FastAPI

from services.registry import api, imports
from services.registry.jobs import jobs
from services.registry.settings import RegistrySettings
from services.registry.subscribers import SUBSCRIPTIONS
from services.registry.timers import DAILY, TIMERS
from services.registry.usecases.people import reseal_contacts
from shared.db import Tx
from shared.relay import Reseal
from shared.serve import serve
from shared.service import Rooms, Service, build_service


def create_app() -> FastAPI:
    """The registry as an application."""
    settings = RegistrySettings()  # type: ignore[call-arg]  # from the environment

    @asynccontextmanager
    async def resources(_service: Service) -> AsyncIterator[Mapping[str, Any]]:
        yield {"safe": settings.safe()}

    return build_service(
        Rooms(
            "registry",
            settings,
            routers=(api.router, imports.router),
            subscriptions=SUBSCRIPTIONS,
            timers=TIMERS,
            jobs=jobs,
            daily=DAILY,
            lifespan=resources,
            reseal=_reseal,
            about="People, decrees and the balance. Vault of identities.",
        )
    )


def _reseal(service: Service) -> Reseal:
    async def fresh(contact_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        async def work(tx: Tx) -> dict[UUID, str]:
            return await reseal_contacts(tx, service.extra["safe"], contact_ids)

        return await service.db.attempt("worker", service.scope, "contacts.reseal", work)

    return fresh


if __name__ == "__main__":
    serve(create_app)
