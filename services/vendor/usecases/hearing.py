"""What is done with what neighbours tell: sets folded in order, written with a constant number of statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from services.vendor.domain import AcceptedOffer
from services.vendor.store import people as store
from shared.db import Tx


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody whom no vendor hires any more, and why."""

    worker_id: UUID
    region: str
    why: str
    on: date


@dataclass(frozen=True, slots=True)
class SeatChange:
    """What a fact says of a placement: fields that change, or (`new`) all of them."""

    placement_id: UUID
    fields: Mapping[str, object]
    new: bool = False


async def leave(tx: Tx, left: Sequence[Left]) -> None:
    """Remember who is gone (the last word counts, erased before all) and delete what is held of erased people."""
    erased = {one.worker_id for one in left if one.why == "erased"}
    last = {one.worker_id: one for one in left if one.worker_id not in erased or one.why == "erased"}
    await store.put_gone(
        tx,
        [{"worker_id": one.worker_id, "region": one.region, "why": one.why, "effective_on": one.on} for one in last.values()],
    )
    await store.forget_people(tx, sorted(erased))


async def accept(tx: Tx, accepted: Sequence[AcceptedOffer], withdrawn: Mapping[UUID, str]) -> None:
    """Accepted offers, then those of them that were withdrawn: an offer is never accepted after its withdrawal."""
    await store.about_people(tx)
    await store.put_accepted(tx, accepted)
    await store.withdraw_accepted(tx, withdrawn)


async def seat(tx: Tx, changes: Sequence[SeatChange]) -> None:
    """New placements first, then what became of them: a placement's first fact is its confirmation."""
    new = [{"placement_id": one.placement_id, **one.fields} for one in changes if one.new]
    folded: dict[UUID, dict[str, object]] = {}
    for one in changes:
        if not one.new:
            folded.setdefault(one.placement_id, {"placement_id": one.placement_id}).update(one.fields)
    await store.about_people(tx)
    await store.put_seats(tx, new)
    await store.change_seats(tx, list(folded.values()))
