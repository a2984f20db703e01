"""What several use cases share: messages as rows, their failure as a fact, deliveries, timers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from services.notify import store
from services.notify.domain import (
    Channel,
    MessageState,
    Template,
)
from services.notify.store.people import Person
from shared import jobs, timers
from shared.db import Tx
from shared.events import Cause
from shared.events.notify import MessageFailed
from shared.ids import derived_id
from shared.regulation import Pack

TERM = "question.term"
REMINDER = "question.reminder"
WINDOW = "messages.window"
DELIVER = "messages.deliver"
ELSEWHERE = "region-mismatch"


def has_mail(people: Mapping[UUID, Person], worker_id: UUID) -> bool:
    person = people.get(worker_id)
    return person is not None and person.mail


def message_row(
    region: str, worker_id: UUID, cause: UUID, template: Template, mail: bool, question_id: UUID | None, details: Mapping[str, Any]
) -> dict[str, Any]:
    channel = Channel.MAIL if mail else Channel.PRINTED
    return {
        "id": derived_id("message", cause, worker_id, channel),
        "region": region,
        "worker_id": worker_id,
        "cause_id": cause,
        "template": template,
        "channel": channel,
        "state": MessageState.QUEUED if mail else MessageState.LISTED,
        "reason": "" if mail else "no_address",
        "question_id": question_id,
        "details": json.dumps({**details}),
    }


async def tell(tx: Tx, messages: Sequence[Mapping[str, Any]], causes: Mapping[UUID, Cause]) -> None:
    if not messages:
        return
    new = await store.messages.add(tx, messages)
    fail(tx, [message for message in messages if message["id"] in new and message["state"] == MessageState.LISTED], causes)
    await deliver(tx, {message["region"] for message in messages if message["state"] == MessageState.QUEUED})


def fail(tx: Tx, messages: Iterable[Mapping[str, Any]], causes: Mapping[UUID, Cause]) -> None:
    """Say that these messages do not arrive; a listed one is handed over on paper instead."""
    for message in messages:
        tx.emit(
            MessageFailed(
                region=message["region"],
                effective_on=tx.stamp.day,
                message_id=message["id"],
                worker_id=message["worker_id"],
                channel=message["channel"],
                reason=message["reason"],
            ),
            cause=causes.get(message["id"]),
        )


async def deliver(tx: Tx, regions: Iterable[str]) -> None:
    for region in sorted(regions):
        await jobs.enqueue(tx, DELIVER, region, {})


async def stop_timers(tx: Tx, question_ids: Iterable[UUID]) -> None:
    ids = list(question_ids)
    await timers.cancel(tx, TERM, ids)
    await timers.cancel(tx, REMINDER, ids)


async def packs_of(tx: Tx, regions: Iterable[str]) -> dict[str, Pack]:
    return {region: await tx.pack(region) for region in sorted(regions)}


def reach(tx: Tx, region: str, agency: str) -> tuple[str, ...]:
    """The agencies a list is narrowed to: the one asked for, else the caller's; empty means the whole region."""
    tx.scope.require("desk.read", region, agency=agency or None)
    return (agency,) if agency else tuple(sorted(tx.scope.agencies))
