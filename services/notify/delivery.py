"""The door through which letters leave: claimed and committed before they are sent, and never sent twice by themselves.

A letter is taken into hand (written, sealed, `sending`) in one transaction; sent while no transaction is open; and its result
recorded in another. Whoever ends in between leaves it in hand, and whoever comes next calls it `unknown`.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from services.notify import usecases
from services.notify.channels import Mail, Texts
from services.notify.domain import Sending, Sent
from shared.jobs import Handler, JobRun
from shared.privacy import Vault

NAP = 0.2
LONGEST_NAP = 30.0
LAST_MOMENT = 2.0


class Stopping(Exception):
    """The process ends; the job is taken up by the next one."""


async def deliver(run: JobRun, *, vault: Vault, texts: Texts, mail: Mail, public_url: str) -> dict[str, Any]:
    """Send what waits in the region, until nothing waits that may go out now."""
    counts: Counter[str] = Counter()
    async with run.step() as tx:
        counts["unknown"] += await usecases.give_up_hand(tx, run.region, run.id)
    while True:
        if run.stopping:
            raise Stopping
        async with run.step() as tx:
            claimed = await usecases.claim(tx, run.region, run.id, vault, texts.write, public_url)
        if claimed.letters:
            await _send(run, mail, claimed.letters, counts)
        elif claimed.wait is not None:
            await _nap(run, min(claimed.wait.total_seconds(), LONGEST_NAP))
        elif not claimed.taken:
            return dict(counts)


async def _send(run: JobRun, mail: Mail, letters: Sequence[Sending], counts: Counter[str]) -> None:
    """Send and record. Cancelled meanwhile, the letter on the wire gets a moment to end and the others go back."""
    sending = asyncio.create_task(mail.send(letters, lambda: run.stopping))
    try:
        results = await asyncio.shield(sending)
    except asyncio.CancelledError:
        run.stopping = True
        done, _ = await asyncio.wait({sending}, timeout=LAST_MOMENT)
        if done:
            await _record(run, sending.result(), counts)
        else:
            sending.cancel()
        raise
    await _record(run, results, counts)


async def _record(run: JobRun, results: Sequence[Sent], counts: Counter[str]) -> None:
    counts.update(result.state.value for result in results)
    async with run.step() as tx:
        await usecases.settle(tx, run.id, results)
        await run.save(tx, progress=dict(counts))


def jobs(*, vault: Vault, texts: Texts, mail: Mail, public_url: str) -> Mapping[str, Handler]:
    """Deliveries as durable work."""

    async def work(run: JobRun) -> dict[str, Any]:
        return await deliver(run, vault=vault, texts=texts, mail=mail, public_url=public_url)

    return {usecases.DELIVER: work}


async def _nap(run: JobRun, seconds: float) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while not run.stopping and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - the job has a flag, no event
        await asyncio.sleep(NAP)
