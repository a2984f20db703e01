"""Kafka doors: neighbours' facts in, our own words on."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from services.notify import usecases
from services.notify.domain import ContactStep, OfferStep, PersonStep, Placed, Step
from shared.db import Tx
from shared.events import placement, registry
from shared.privacy import BoxKeys, Contact, Unreadable, Vault
from shared.subscriptions import Heard, Outcome, Subscription, reaction


@reaction("notify.people", registry.WorkerRegistered, registry.WorkerProfileCorrected, registry.WorkerMerged, registry.WorkerErased)
async def people(tx: Tx, heard: Sequence[Heard]) -> list[Outcome]:
    """Who belongs to which agency, and who is gone."""
    return await usecases.know_people(tx, [_person(one) for one in heard])


def _person(one: Heard) -> PersonStep:
    match one.fact:
        case registry.WorkerRegistered() as fact:
            return PersonStep(fact.worker_id, fact.region, one.cause, agency=fact.agency, worker_number=fact.worker_number)
        case registry.WorkerProfileCorrected() as fact:
            return PersonStep(fact.worker_id, fact.region, one.cause, agency=fact.agency)
        case registry.WorkerMerged() as fact:
            return PersonStep(fact.worker_id, fact.region, one.cause, gone="merged")
        case _:
            return PersonStep(one.fact.aggregate_id, one.fact.region, one.cause, gone="erased")


@reaction("notify.offers", placement.OfferMade, placement.OfferExpired, placement.OfferWithdrawn)
async def offers(tx: Tx, heard: Sequence[Heard]) -> list[Outcome]:
    """Ask about offers; tell what became of them."""
    return await usecases.follow_offers(tx, [_offer(one) for one in heard])


def _offer(one: Heard) -> OfferStep:
    match one.fact:
        case placement.OfferMade() as fact:
            details = {
                "vendor_name": fact.vendor_name,
                "agency": fact.agency,
                "job": fact.job,
                "site": fact.site,
                "wage": fact.wage,
                "starts_on": fact.starts_on.isoformat(),
                "answer_by": fact.answer_by.isoformat(),
            }
            return OfferStep(Step.MADE, fact.offer_id, fact.worker_id, fact.region, one.cause, fact.agency, fact.answer_by, details=details)
        case placement.OfferWithdrawn() as fact:
            return OfferStep(Step.WITHDRAWN, fact.offer_id, fact.worker_id, fact.region, one.cause, reason=fact.reason)
        case fact:
            assert isinstance(fact, placement.OfferExpired)
            return OfferStep(Step.EXPIRED, fact.offer_id, fact.worker_id, fact.region, one.cause)


@reaction("notify.placements", placement.PlacementConfirmed)
async def placements(tx: Tx, heard: Sequence[Heard]) -> list[Outcome]:
    """Tell people that they have the seat."""
    return await usecases.tell_placed(tx, [_placed(one) for one in heard])


def _placed(one: Heard) -> Placed:
    fact = one.fact
    assert isinstance(fact, placement.PlacementConfirmed)
    details = {"agency": fact.agency, "job": fact.job, "starts_on": fact.starts_on.isoformat()}
    return Placed(fact.placement_id, fact.offer_id, fact.worker_id, fact.region, one.cause, details)


def subscriptions(keys: BoxKeys, vault: Vault) -> tuple[Subscription, ...]:
    """All doors; the one of the contacts needs the keys that open them."""

    async def gone(tx: Tx, contact_ids: Sequence[UUID]) -> None:
        await usecases.drop_contacts(tx, contact_ids)

    @reaction("notify.contacts", registry.ContactChanged, gone=gone)
    async def contacts(tx: Tx, heard: Sequence[Heard]) -> list[Outcome]:
        """Open sealed contacts and keep them sealed with keys of our own."""
        # A tenth of a millisecond each: a whole batch would hold up the heartbeats.
        steps = await asyncio.to_thread(lambda: [_contact(keys, one) for one in heard])
        return await usecases.keep_contacts(tx, vault, steps)

    return people, contacts, offers, placements


def _contact(keys: BoxKeys, one: Heard) -> ContactStep:
    fact = one.fact
    assert isinstance(fact, registry.ContactChanged)
    try:
        contact = Contact.open(keys, fact.sealed, fact.worker_id)
    except Unreadable:
        contact = None
    return ContactStep(fact.contact_id, fact.worker_id, fact.region, one.cause, contact)
