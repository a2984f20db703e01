"""Doors of long work: deliveries."""

from collections.abc import Mapping
from typing import Any

from services.notify import usecases
from services.notify.channels import Mail, Texts
from services.notify.delivery import deliver
from shared.jobs import Handler, JobRun
from shared.privacy import Vault


def jobs(*, vault: Vault, texts: Texts, mail: Mail, public_url: str) -> Mapping[str, Handler]:
    """The kinds of work there are."""

    async def work(run: JobRun) -> dict[str, Any]:
        return await deliver(run, vault=vault, texts=texts, mail=mail, public_url=public_url)

    return {usecases.DELIVER: work}
