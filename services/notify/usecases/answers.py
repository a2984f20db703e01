"""Answers by link and at the desk, visits, terms."""

import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from services.notify import domain, metrics, store
from services.notify.domain import (
    Answer,
    Question,
    QuestionState,
    Template,
)
from services.notify.usecases.common import (
    deliver,
    fail,
    has_mail,
    message_row,
    stop_timers,
)
from shared.db import Tx
from shared.errors import NotFound, Refused
from shared.events.notify import AnswerReceived
from shared.ids import derived_id, new_id
from shared.regulation import rules


async def question_of_link(tx: Tx, token: str) -> Question:
    """The question behind an answer link; changes nothing. Raises `NotFound`."""
    question = await store.questions.find_link(tx, domain.token_hash(token))
    if question is None:
        raise NotFound("link-unknown", "This link is not known, or it is no longer valid.")
    return question


async def answer_by_link(tx: Tx, token: str, given: Answer) -> Question:
    """The person's own answer. Raises what `domain.answer` refuses."""
    question = await question_of_link(tx, token)
    return (await receive(tx, [(question.id, given)]))[0]


async def answer_at_desk(tx: Tx, *, question_id: UUID | None, offer_id: UUID | None, given: Answer) -> Question:
    """An answer taken by an officer in the person's presence, or from a signed slip."""
    question = await _reachable(tx, "answer.write", question_id, offer_id)
    return (await receive(tx, [(question.id, given)]))[0]


async def _reachable(tx: Tx, permission: str, question_id: UUID | None, offer_id: UUID | None = None) -> Question:
    if question_id is not None:
        question = await store.questions.find(tx, question_id)
    elif offer_id is not None:
        question = await store.questions.find_offer(tx, offer_id)
    else:
        raise Refused("no-question", "Name the question or the offer.", status=422, field="question_id")
    if question is None:
        raise NotFound()
    tx.scope.require(permission, question.region, agency=question.agency)
    return question


async def receive(tx: Tx, answers: Sequence[tuple[UUID, Answer]]) -> list[Question]:
    """Take answers in their order. Raises the refusal of the first that is refused: an answer is a transaction of its own."""
    held = await store.questions.lock(tx, {key for key, _ in answers})
    facts: list[AnswerReceived] = []
    for key, given in answers:
        if key not in held:
            raise NotFound()
        held[key], fact = domain.answer(held[key], given, tx.stamp.day)
        if fact is not None:
            facts.append(fact)
    if facts:
        answered = {fact.question_id: held[fact.question_id] for fact in facts}
        await store.questions.save(tx, answered.values())
        await _record(tx, facts)
        await stop_timers(tx, answered)
        taken_back = await store.messages.take_back(tx, dict.fromkeys(answered, "answered"))
        fail(tx, taken_back, {})
    return [held[key] for key, _ in answers]


async def _record(tx: Tx, facts: Sequence[AnswerReceived]) -> None:
    await store.questions.add_answers(
        tx,
        [
            {
                "question_id": fact.question_id,
                "region": fact.region,
                "worker_id": fact.worker_id,
                "says": fact.says,
                "reasons": json.dumps(fact.reasons),
                "families": json.dumps(fact.families),
                "channel": fact.channel,
                "received_at": fact.received_at,
                "received_wall": fact.received_wall,
            }
            for fact in facts
        ],
    )
    for fact in facts:
        tx.emit(fact)
        metrics.ANSWERS.labels(fact.matter, fact.says if fact.says in set(domain.Says) else "other", fact.channel).inc()


async def prefer(tx: Tx, worker_id: UUID, given: Answer) -> UUID:
    """Job families a person wants, told at the desk. Refusals: `no-families`, `unknown-family`, `person-gone`."""
    person = (await store.people.known(tx, [worker_id])).get(worker_id)
    if person is None:
        raise NotFound()
    tx.scope.require("preference.write", person.region, agency=person.agency or None)
    if person.gone:
        raise Refused("person-gone", "The data of this person are destroyed.")
    pack = await tx.pack(person.region)
    families = {job.family for job in rules.jobs(pack, tx.stamp.day).values()}
    if not set(given.families) <= families:
        raise Refused("unknown-family", "A job family is not in the region's catalogue.", status=422, field="families")
    question_id = new_id()
    fact = domain.preference(question_id, person.region, worker_id, given, tx.stamp.day)
    await store.questions.add(
        tx,
        [
            Question(
                id=question_id,
                region=person.region,
                agency=person.agency,
                worker_id=worker_id,
                matter=domain.Matter.PREFERENCE,
                about=worker_id,
                answer_by=tx.stamp.day,
                due=tx.stamp.business,
                state=QuestionState.ANSWERED,
                asked_at=tx.stamp.business,
                details={},
                says=domain.Says.FAMILIES,
            )
        ],
    )
    await _record(tx, [fact])
    return question_id


async def visit(tx: Tx, question_id: UUID, *, visited_on: date, evidence: str, met: bool) -> Question:
    """An officer was there. Met in person after the term, the question is closed at once. Refusals: `visit-date`, `question-closed`."""
    await _reachable(tx, "visit.write", question_id)
    question = (await store.questions.lock(tx, [question_id]))[question_id]
    pack = await tx.pack(question.region)
    zone = rules.timezone(pack, tx.stamp.day)
    changed = domain.visited(question, evidence, visited_on, tx.stamp.business.astimezone(zone).date(), zone)
    await store.questions.add_visit(tx, id=new_id(), question=question, visited_on=visited_on, evidence=evidence, met=met)
    tx.note("visit.recorded", question.id, question.region)
    if not met:
        return question
    closed, fact = domain.close(changed, tx.stamp.business, tx.stamp.day)
    await store.questions.save(tx, [closed])
    if fact is not None:
        tx.emit(fact)
        metrics.QUESTIONS.labels("closed").inc()
    return closed


async def end_terms(tx: Tx, question_ids: Sequence[UUID]) -> None:
    """The term passed: closed where there is evidence that the person was reached, else a task for the agency."""
    held = await store.questions.lock(tx, question_ids)
    waiting = [question for question in held.values() if question.state is QuestionState.OPEN]
    if not waiting:
        return
    answered = await store.questions.answered_since(tx, waiting)
    closed, unreached = [], []
    for question in waiting:
        if question.id in answered:
            question = domain.reached(question, domain.Evidence.ANSWERED, answered[question.id])
        question, fact = domain.close(question, tx.stamp.business, tx.stamp.day)
        if fact is None:
            unreached.append(question)
        else:
            closed.append(question)
            tx.emit(fact)
    await store.questions.save(tx, closed)
    metrics.QUESTIONS.labels("closed").inc(len(closed))
    if unreached:
        metrics.TASKS.inc(await store.questions.open_tasks(tx, unreached))


async def remind(tx: Tx, question_ids: Sequence[UUID]) -> None:
    """Remind those who were written to and have not answered."""
    held = await store.questions.lock(tx, question_ids)
    told = await store.messages.told(tx, held)
    people = await store.people.known(tx, {question.worker_id for question in held.values()})
    messages = [
        message_row(question.region, question.worker_id, derived_id("reminder", key), Template.REMINDER, True, key, question.details)
        for key, question in held.items()
        if question.state is QuestionState.OPEN and key in told and has_mail(people, question.worker_id)
    ]
    if await store.messages.add(tx, messages):
        await deliver(tx, {message["region"] for message in messages})


async def find_question(tx: Tx, question_id: UUID) -> Question:
    """One question of the caller's. Raises `NotFound`."""
    question = await store.questions.find(tx, question_id)
    if question is None or not tx.scope.covers(question.region) or not tx.scope.covers_agency(question.agency):
        raise NotFound()
    return question
