"""Questions about offers, their ends, and what people are told of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from services.notify import domain, metrics, store
from services.notify.domain import MessageState, OfferStep, Placed, Question, QuestionState, Step, Template
from services.notify.store.people import Person
from services.notify.usecases.common import ELSEWHERE, REMINDER, TERM, deliver, fail, has_mail, message_row, packs_of, stop_timers, tell
from shared import timers
from shared.db import Tx
from shared.events import Cause
from shared.events.notify import QuestionAsked
from shared.ids import derived_id
from shared.regulation import Pack, rules
from shared.subscriptions import APPLIED, Outcome, parked, refused
from shared.timers import Timer


async def follow_offers(tx: Tx, steps: Sequence[OfferStep]) -> list[Outcome]:
    """Ask about new offers; close the questions of offers that ended, and tell those who knew of them."""
    people = await store.people.lock(tx, ((step.worker_id, step.region) for step in steps), {})
    held = await store.questions.lock_offers(tx, {step.offer_id for step in steps})
    packs = await packs_of(tx, {step.region for step in steps})
    day = tx.stamp.day
    before = dict(held)
    asked: dict[UUID, OfferStep] = {}
    ended: dict[UUID, OfferStep] = {}
    outcomes: list[Outcome] = []
    for step in steps:
        person, question = people.get(step.worker_id), held.get(step.offer_id)
        outcome = _follow(step, person, question)
        outcomes.append(outcome)
        if outcome is not APPLIED:
            continue
        if step.step is Step.MADE:
            assert step.answer_by is not None
            zone = rules.timezone(packs[step.region], day)
            held[step.offer_id] = Question(
                id=derived_id("question", "offer", step.offer_id),
                region=step.region,
                agency=(person.agency if person else "") or step.agency,
                worker_id=step.worker_id,
                matter=domain.Matter.OFFER,
                about=step.offer_id,
                answer_by=step.answer_by,
                due=domain.term(step.answer_by, zone),
                state=QuestionState.OPEN,
                asked_at=tx.stamp.business,
                details=step.details,
            )
            asked[step.offer_id] = step
        else:
            assert question is not None
            ended[step.offer_id] = step
            if question.state is QuestionState.OPEN:
                state = QuestionState.WITHDRAWN if step.step is Step.WITHDRAWN else QuestionState.CLOSED
                held[step.offer_id] = replace(question, state=state)
    await _ask(tx, {offer: held[offer] for offer in asked}, asked, people, packs)
    changed = [question for offer, question in held.items() if offer not in asked and question is not before[offer]]
    await store.questions.save(tx, changed)
    await _end(tx, ended, held, people, asked)
    return outcomes


def _follow(step: OfferStep, person: Person | None, question: Question | None) -> Outcome:
    if (person is not None and person.region != step.region) or (question is not None and question.region != step.region):
        return parked(ELSEWHERE)
    if step.step is Step.MADE:
        if person is not None and person.gone:
            return refused("person-gone")
        return refused("asked-already") if question is not None else APPLIED
    return refused("question-unknown") if question is None else APPLIED


async def _ask(
    tx: Tx, questions: Mapping[UUID, Question], steps: Mapping[UUID, OfferStep], people: Mapping[UUID, Person], packs: Mapping[str, Pack]
) -> None:
    if not questions:
        return
    await store.questions.add(tx, list(questions.values()))
    messages, reminders, terms = [], [], []
    for offer_id, question in questions.items():
        cause = steps[offer_id].cause
        mail = has_mail(people, question.worker_id)
        message = message_row(
            question.region, question.worker_id, derived_id("offer", question.id), Template.OFFER, mail, question.id, question.details
        )
        messages.append(message)
        tx.emit(
            QuestionAsked(
                region=question.region,
                effective_on=tx.stamp.day,
                question_id=question.id,
                worker_id=question.worker_id,
                matter=question.matter,
                about=question.about,
                answer_by=question.answer_by,
                channels=(message["channel"],),
            ),
            cause=cause,
        )
        if not mail:
            fail(tx, [message], {message["id"]: cause})
        # An offer that ended within the same batch needs no timer.
        if question.state is QuestionState.OPEN:
            terms.append(Timer(question.id, question.due, question.region))
            pack = packs[question.region]
            remind = _reminder(pack, question, tx.stamp.day)
            if mail and remind.due > tx.stamp.business:
                reminders.append(remind)
    await store.messages.add(tx, messages)
    await timers.schedule(tx, TERM, terms)
    await timers.schedule(tx, REMINDER, reminders)
    await deliver(tx, {message["region"] for message in messages if message["state"] == MessageState.QUEUED})
    metrics.QUESTIONS.labels("asked").inc(len(questions))


def _reminder(pack: Pack, question: Question, day: date) -> Timer:
    opens = domain.opens(rules.sending_window(pack, day))
    due = domain.reminder_at(question.answer_by, rules.reminder_days(pack, day), opens, rules.timezone(pack, day))
    return Timer(question.id, due, question.region)


async def _end(
    tx: Tx, steps: Mapping[UUID, OfferStep], held: Mapping[UUID, Question], people: Mapping[UUID, Person], asked: Iterable[UUID]
) -> None:
    if not steps:
        return
    questions = {offer: held[offer] for offer in steps}
    by_question = {question.id: steps[offer] for offer, question in questions.items()}
    # Asked and ended within one batch: nobody can have seen it.
    told = await store.messages.told(tx, by_question) - {held[offer].id for offer in asked}
    taken_back = await store.messages.take_back(tx, {key: step.step.value for key, step in by_question.items()})
    fail(tx, taken_back, {row["id"]: by_question[row["question_id"]].cause for row in taken_back})
    await stop_timers(tx, by_question)
    messages = []
    for offer, question in questions.items():
        step = steps[offer]
        template = Template.WITHDRAWN if step.step is Step.WITHDRAWN else Template.EXPIRED
        if domain.tells_withdrawal(question, step.reason, question.id in told):
            details = {**question.details, "reason": step.reason}
            mail = has_mail(people, question.worker_id)
            messages.append(message_row(question.region, question.worker_id, step.cause.event_id, template, mail, question.id, details))
    await tell(tx, messages, {derived: step.cause for derived, step in _causes(messages, steps.values()).items()})


def _causes(messages: Iterable[Mapping[str, Any]], steps: Iterable[OfferStep]) -> dict[UUID, OfferStep]:
    by_event = {step.cause.event_id: step for step in steps}
    return {message["id"]: by_event[message["cause_id"]] for message in messages}


async def tell_placed(tx: Tx, placed: Sequence[Placed]) -> list[Outcome]:
    """Tell people that they have the seat."""
    people = await store.people.known(tx, {one.worker_id for one in placed})
    questions = await store.questions.about_offers(tx, {one.offer_id for one in placed})
    outcomes: list[Outcome] = []
    messages: list[dict[str, Any]] = []
    causes: dict[UUID, Cause] = {}
    for one in placed:
        person, question = people.get(one.worker_id), questions.get(one.offer_id)
        if (person is not None and person.region != one.region) or (question is not None and question.region != one.region):
            outcomes.append(parked(ELSEWHERE))
            continue
        if person is not None and person.gone:
            outcomes.append(refused("person-gone"))
            continue
        details = {**(question.details if question else {}), **one.details}
        mail = has_mail(people, one.worker_id)
        message = message_row(
            one.region, one.worker_id, one.cause.event_id, Template.PLACED, mail, question.id if question else None, details
        )
        messages.append(message)
        causes[message["id"]] = one.cause
        outcomes.append(APPLIED)
    await tell(tx, messages, causes)
    return outcomes
