"""Whatever comes up about seats: one load, one pure pass, one save."""

from collections.abc import Sequence

from services.placement import metrics, store
from services.placement.domain import matters as m
from shared.db import Tx
from shared.errors import NotFound, Refused
from shared.identity import Scope


async def settle(tx: Tx, scope: Scope, matters: Sequence[m.Matter]) -> list[str]:
    """Apply the matters in order. One slug each: "" for what counted, else why the domain refused it."""
    if not matters:
        return []
    assert scope.everywhere or all(scope.covers(matter.region) for matter in matters)
    world = await store.load(tx, matters)
    slugs = world.settle(matters)
    await store.save(tx, world)
    for fact, _ in world.facts:
        metrics.count(fact.kind.type)
    return slugs


async def decide(tx: Tx, scope: Scope, matter: m.Matter) -> None:
    """One decision of an officer: it counts, or it is refused with its reason."""
    (slug,) = await settle(tx, scope, [matter])
    if slug.endswith("-unknown"):
        raise NotFound
    if slug:
        raise Refused(slug, "The state of things does not allow it; read it again.", rule="lifecycle")
