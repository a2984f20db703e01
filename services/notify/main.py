"""Wiring. Started as `python -m services.notify.main`; nothing runs at import."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from services.notify import api, pages
from services.notify.channels import Mail, Texts
from services.notify.delivery import jobs
from services.notify.settings import Settings
from services.notify.subscribers import subscriptions
from services.notify.timers import TIMERS
from shared.privacy import Vault
from shared.serve import serve
from shared.service import Rooms, Service, build_service


def create_app() -> FastAPI:
    """The front desk."""
    settings = Settings.read()
    keys, vault, texts = settings.box_keys, Vault(settings.key_ring), Texts()

    @asynccontextmanager
    async def resources(service: Service) -> AsyncIterator[Mapping[str, Any]]:
        """The vault's keys, the words, and the way to the mail server."""
        mail = Mail(settings.smtp_url.get_secret_value(), settings.mail_from, service.clock)
        yield {"vault": vault, "texts": texts, "mail": mail}

    return build_service(
        Rooms(
            "notify",
            settings,
            routers=(api.router, pages.router),
            subscriptions=subscriptions(keys, vault),
            timers=TIMERS,
            jobs=lambda service: jobs(vault=vault, texts=texts, mail=service.extra["mail"], public_url=settings.public_url),
            lifespan=resources,
            about="The front desk: questions to people, their answers, and letters.",
        )
    )


if __name__ == "__main__":
    serve(create_app)
