"""Who is known, how they are reached, and who is gone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from services.notify import domain, store
from services.notify.domain import ContactStep, PersonStep, QuestionState, Template
from services.notify.usecases.common import ELSEWHERE, deliver, fail, message_row, stop_timers
from shared.db import Tx
from shared.ids import derived_id
from shared.privacy import Vault
from shared.subscriptions import APPLIED, Outcome, parked, refused


async def know_people(tx: Tx, steps: Sequence[PersonStep]) -> list[Outcome]:
    """Remember who belongs to which agency; destroy what is held of people who are gone."""
    known = await store.people.lock(tx, ((step.worker_id, step.region) for step in steps), {})
    outcomes: list[Outcome] = []
    profiles: dict[UUID, dict[str, object]] = {}
    gone: dict[UUID, PersonStep] = {}
    for step in steps:
        person = known[step.worker_id]
        if person.region != step.region:
            outcomes.append(parked(ELSEWHERE))
        elif person.gone or step.worker_id in gone:
            outcomes.append(refused("person-gone"))
        else:
            if step.gone:
                gone[step.worker_id] = step
            else:
                number = step.worker_number or str(profiles.get(step.worker_id, {}).get("worker_number", ""))
                profiles[step.worker_id] = {"worker_id": step.worker_id, "agency": step.agency, "worker_number": number}
            outcomes.append(APPLIED)
    if profiles:
        await store.people.save_profiles(tx, list(profiles.values()))
    if gone:
        await _forget(tx, gone)
    return outcomes


async def _forget(tx: Tx, gone: Mapping[UUID, PersonStep]) -> None:
    questions = await store.questions.lock_open_of(tx, gone)
    await store.questions.save(tx, (replace(question, state=QuestionState.WITHDRAWN) for question in questions.values()))
    await stop_timers(tx, questions)
    dropped = await store.messages.drop_waiting(tx, gone, "person_gone")
    fail(tx, dropped, {row["id"]: gone[row["worker_id"]].cause for row in dropped})
    await store.people.destroy(tx, [{"worker_id": key, "gone": step.gone} for key, step in gone.items()])


async def keep_contacts(tx: Tx, vault: Vault, steps: Sequence[ContactStep]) -> list[Outcome]:
    """Seal the newest contact of each person; people who can now be written to get their open questions by mail."""
    readable = [step for step in steps if step.contact is not None]
    fresh = {step.worker_id: vault.new_key(step.worker_id)[0] for step in readable}
    known = await store.people.lock(tx, ((step.worker_id, step.region) for step in readable), fresh)
    outcomes: list[Outcome] = []
    rows: dict[UUID, dict[str, object]] = {}
    for step in steps:
        person = known.get(step.worker_id)
        if step.contact is None or person is None:
            outcomes.append(parked("sealed-to-another-key"))
        elif person.region != step.region:
            outcomes.append(parked(ELSEWHERE))
        elif person.gone or person.wrapped is None:
            outcomes.append(refused("person-gone"))
        else:
            key = vault.open_key(person.wrapped, person.worker_id)
            rows[step.worker_id] = {
                "worker_id": step.worker_id,
                "contact_id": step.contact_id,
                "region": step.region,
                "mail": bool(step.contact.email),
                "phone": bool(step.contact.phone),
                "sealed": key.seal(step.contact.encode(), "contact").hex(),
            }
            outcomes.append(APPLIED)
    if rows:
        await store.people.save_contacts(tx, list(rows.values()))
        await _mail_open_questions(tx, [key for key, row in rows.items() if row["mail"]])
    return outcomes


async def _mail_open_questions(tx: Tx, workers: Sequence[UUID]) -> None:
    if not workers:
        return
    questions = await store.questions.lock_open_of(tx, workers)
    mailed = await store.messages.mailed(tx, questions)
    wanted = [question for key, question in questions.items() if key not in mailed and question.matter == domain.Matter.OFFER]
    messages = [
        message_row(
            question.region, question.worker_id, derived_id("offer", question.id), Template.OFFER, True, question.id, question.details
        )
        for question in wanted
    ]
    if await store.messages.add(tx, messages):
        await deliver(tx, {question.region for question in wanted})


async def drop_contacts(tx: Tx, contact_ids: Sequence[UUID]) -> None:
    """The registry deleted these contacts."""
    await store.people.drop_contacts(tx, contact_ids)
