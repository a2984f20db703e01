"""Which rule pack counts in a region on a day, and the pack itself.

`pack_active` says it by hash, from the facts `rulepack.activated`; the compiled packs are mounted files named by hash. A pack
that is active and not at hand is *not now* (503 `pack-missing`); an older one is never taken in its place.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from shared.errors import NotNow
from shared.events import registry
from shared.logs import kind, logger
from shared.subscriptions import Heard, Subscription, projection

if TYPE_CHECKING:
    from shared.db import Tx

log = logger("packs")
# A pack's hash is its name: found sound once, it stays sound.
_sound: set[str] = set()


async def missing(tx: "Tx", folder: Path) -> list[str]:
    """Regions whose pack of today is not mounted or not sound: what keeps an `api` process from being ready."""
    from shared.regulation import load

    rows = await tx.rows(
        "SELECT DISTINCT ON (region) region, sha256 FROM pack_active WHERE from_day <= :day ORDER BY region, from_day DESC",
        day=tx.stamp.day,
    )
    wanted = {str(row["sha256"]) for row in rows} - _sound
    for sha256 in sorted(wanted):
        try:
            await asyncio.to_thread(load, folder, sha256)
        except (NotNow, OSError, ValueError) as error:
            log.error("rule pack not usable", sha256=sha256, error=kind(error))
        else:
            _sound.add(sha256)
    return sorted(str(row["region"]) for row in rows if row["sha256"] not in _sound)


async def remember(tx: "Tx", facts: Sequence[tuple[registry.RulepackActivated, UUID, datetime]]) -> None:
    """Write down what became active (fact, event id, time), the later fact winning on a day."""
    from shared.db import doc

    rows = {
        (fact.region, fact.effective_on): {
            "region": fact.region,
            "from_day": fact.effective_on,
            "sha256": fact.sha256,
            "event_id": event_id,
            "activated_at": at,
        }
        for fact, event_id, at in facts
    }
    await tx.run(
        "INSERT INTO pack_active (region, from_day, sha256, event_id, activated_at)"
        " SELECT region, from_day, sha256, event_id, activated_at FROM json_to_recordset(CAST(:d AS json))"
        " AS t(region text, from_day date, sha256 text, event_id uuid, activated_at timestamptz)"
        " ON CONFLICT (region, from_day) DO UPDATE"
        " SET sha256 = excluded.sha256, event_id = excluded.event_id, activated_at = excluded.activated_at"
        " WHERE pack_active.activated_at <= excluded.activated_at",
        d=doc(rows.values()),
    )


async def activate(tx: "Tx", fact: registry.RulepackActivated) -> None:
    """For the registry, which decides it and does not hear itself: emit the fact and count by it from this commit on."""
    await remember(tx, [(fact, tx.emit(fact), tx.stamp.wall)])


def subscription(service: str) -> Subscription:
    """The machine's own subscription in the other services: which pack counts where from when."""

    @projection(f"{service}.packs", registry.RulepackActivated, tables=("pack_active",))
    async def packs(tx: "Tx", heard: Sequence[Heard]) -> None:
        await remember(tx, [(one.fact, one.id, one.time) for one in heard if isinstance(one.fact, registry.RulepackActivated)])

    return packs
