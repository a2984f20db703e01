"""Kafka doors: what the registry hears of its neighbours."""

from collections.abc import Sequence
from typing import Any

from services.registry import store
from services.registry.domain import neighbours
from services.registry.usecases.people import Said, record_consents
from shared.clock import WIB
from shared.db import Tx
from shared.events.notify import AnswerReceived
from shared.events.placement import (
    OfferAccepted,
    OfferExpired,
    OfferWithdrawn,
    PlacementCarriedOver,
    PlacementConfirmed,
    PlacementDisputeClosed,
    PlacementDisputed,
    PlacementEnded,
    PlacementStarted,
)
from shared.subscriptions import APPLIED, Heard, Outcome, parked, projection, reaction, refused

WORDS = {"no_scheme": False, "scheme": True}
"""Answers that are about the scheme as a whole; all others are about one offer and none of the registry's business."""


@projection(
    "registry.placements",
    PlacementConfirmed,
    PlacementStarted,
    PlacementDisputed,
    PlacementDisputeClosed,
    PlacementCarriedOver,
    PlacementEnded,
    tables=("placement",),
)
async def placements(tx: Tx, heard: Sequence[Heard]) -> None:
    """Where people are placed."""
    facts: list[Any] = [one.fact for one in heard]
    held = await store.books.seats(tx, {fact.placement_id for fact in facts})
    for fact in facts:
        seat = neighbours.seated(held.get(fact.placement_id), fact)
        if seat is not None:
            held[fact.placement_id] = seat
    await store.books.save_seats(tx, held.values())


@projection("registry.engagements", OfferAccepted, OfferWithdrawn, OfferExpired, tables=("engagement",))
async def engagements(tx: Tx, heard: Sequence[Heard]) -> None:
    """Whose offers people accepted: these vendors may know who they are."""
    facts: list[Any] = [one.fact for one in heard]
    held = await store.books.engagements(tx, {fact.offer_id for fact in facts})
    for fact in facts:
        offer = neighbours.engaged(held.get(fact.offer_id), fact)
        if offer is not None:
            held[fact.offer_id] = offer
    await store.books.save_engagements(tx, held.values())


@reaction("registry.answers", AnswerReceived)
async def answers(tx: Tx, heard: Sequence[Heard]) -> list[Outcome]:
    """A no (or a new yes) to the scheme as a whole, given at the front desk, is the person's consent changed."""
    said: dict[int, Said] = {}
    for number, one in enumerate(heard):
        fact = one.fact
        assert isinstance(fact, AnswerReceived)
        if fact.says in WORDS:
            day = fact.received_at.astimezone(WIB).date()
            said[number] = Said(fact.worker_id, fact.region, WORDS[fact.says], fact.channel, day, one.cause)
    outcomes = dict(zip(said, await record_consents(tx, list(said.values())), strict=True)) if said else {}
    return [_outcome(outcomes.get(number, "changed")) for number in range(len(heard))]


def _outcome(word: str) -> Outcome:
    if word == "other-region":
        return parked("other-region")
    return refused(word) if word == "unknown-worker" else APPLIED


SUBSCRIPTIONS = (placements, engagements, answers)
