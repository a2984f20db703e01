"""What the front desk decides: questions and their terms, answers, evidence that a person was reached, when to write to people.

Pure: frozen values in; new values, facts or a refusal out.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from shared.errors import Refused
from shared.events import Cause
from shared.events.notify import AnswerReceived, QuestionClosed
from shared.privacy import Contact
from shared.regulation import Window


class Matter(StrEnum):
    """What a question is about."""

    OFFER = "offer"
    PREFERENCE = "preference"


class QuestionState(StrEnum):
    """`open` until one of the others, each for good."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Says(StrEnum):
    """An answer: yes, no, no to the scheme as a whole, or a list of job families."""

    YES = "yes"
    NO = "no"
    NO_SCHEME = "no_scheme"
    FAMILIES = "families"


class Evidence(StrEnum):
    """How we know that a person was reached; opening a link or a mail server's 250 are none."""

    VISIT = "visit"
    SLIP = "slip"
    ANSWERED = "answered"
    RECEIPT = "receipt"


class MessageState(StrEnum):
    """`queued` waits for its time; `sending` is in somebody's hand; `unknown` may have gone out and is never sent again by itself.

    `listed` has no address and is on the agency's printed list.
    """

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    FAILED = "failed"
    LISTED = "listed"


class Channel(StrEnum):
    """How a message goes. `sms` has its place and no provider yet."""

    MAIL = "mail"
    SMS = "sms"
    PRINTED = "printed"


class Template(StrEnum):
    """The messages there are."""

    OFFER = "offer"
    REMINDER = "reminder"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    PLACED = "placed"


BAD_NEWS: Final = frozenset({Template.WITHDRAWN, Template.EXPIRED})
"""Never on a Friday afternoon: nobody could be asked before Monday."""

ABOUT_OPEN_QUESTION: Final = frozenset({Template.OFFER, Template.REMINDER})
"""Messages that make sense only while their question is open."""

REASONS: Final = ("wage", "distance", "other_job", "hours", "health", "family", "other")
"""Why a person says no, as far as they wish to say."""


@dataclass(frozen=True, slots=True)
class Question:
    """A question to one person. `due` is the first instant after the local day `answer_by`."""

    id: UUID
    region: str
    agency: str
    worker_id: UUID
    matter: str
    about: UUID
    answer_by: date
    due: datetime
    state: QuestionState
    asked_at: datetime
    details: Mapping[str, Any]
    says: str = ""
    reached: str = ""
    reached_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came in at the front desk, with both clocks."""

    says: str
    reasons: tuple[str, ...]
    families: tuple[str, ...]
    channel: str
    received_at: datetime
    received_wall: datetime


def term(answer_by: date, zone: ZoneInfo) -> datetime:
    """The first instant that is too late: the end of the local day `answer_by`."""
    return datetime.combine(answer_by + timedelta(days=1), time(), zone)


def reminder_at(answer_by: date, days: int, opens: time, zone: ZoneInfo) -> datetime:
    """When to remind: so many days before the last day, as soon as people may be written to."""
    return datetime.combine(answer_by - timedelta(days=days), opens, zone)


def answer(question: Question, given: Answer, day: date) -> tuple[Question, AnswerReceived | None]:
    """Take an answer. The same answer again changes nothing; another one is refused.

    Refusals: `already-answered`, `question-closed`, `offer-withdrawn`, `too-late`, `bad-answer`.
    """
    if given.says not in {Says.YES, Says.NO, Says.NO_SCHEME} or (given.says == Says.YES and given.reasons):
        raise Refused("bad-answer", "An offer is answered with yes, no or no_scheme; reasons go with a no.", status=422)
    if question.state is QuestionState.ANSWERED:
        if question.says == given.says:
            return question, None
        raise Refused("already-answered", "This question has its answer; it was not changed.")
    if question.state is QuestionState.WITHDRAWN:
        raise Refused("offer-withdrawn", "The offer was withdrawn before the answer came.")
    if question.state is QuestionState.CLOSED:
        raise Refused("question-closed", "The term passed and the question was closed.")
    if given.received_at >= question.due:
        raise Refused("too-late", "The last day to answer has passed.")
    changed = replace(question, state=QuestionState.ANSWERED, says=given.says)
    return changed, _received(question, given, day)


def _received(question: Question, given: Answer, day: date) -> AnswerReceived:
    return AnswerReceived(
        region=question.region,
        effective_on=day,
        question_id=question.id,
        worker_id=question.worker_id,
        matter=question.matter,
        about=question.about,
        says=given.says,
        reasons=given.reasons,
        families=given.families,
        channel=given.channel,
        received_at=given.received_at,
        received_wall=given.received_wall,
    )


def preference(question_id: UUID, region: str, worker_id: UUID, given: Answer, day: date) -> AnswerReceived:
    """The families a person is willing to work in, told at the desk without having been asked. Refusal: `no-families`."""
    if not given.families or len(set(given.families)) != len(given.families):
        raise Refused("no-families", "Name at least one job family, each once.", status=422, field="families")
    return AnswerReceived(
        region=region,
        effective_on=day,
        question_id=question_id,
        worker_id=worker_id,
        matter=Matter.PREFERENCE,
        about=worker_id,
        says=Says.FAMILIES,
        reasons=(),
        families=given.families,
        channel=given.channel,
        received_at=given.received_at,
        received_wall=given.received_wall,
    )


def reached(question: Question, evidence: str, at: datetime) -> Question:
    """Remember how the person was reached; the first evidence stands. Refusal: `question-closed`."""
    if question.state is not QuestionState.OPEN:
        raise Refused("question-closed", "The question is no longer open.")
    return question if question.reached else replace(question, reached=evidence, reached_at=at)


def visited(question: Question, evidence: str, visited_on: date, today: date, zone: ZoneInfo) -> Question:
    """A visit or signed slip, recorded by an officer; it cannot lie before the question or in the future. Refusal: `visit-date`."""
    if not question.asked_at.astimezone(zone).date() <= visited_on <= today:
        raise Refused("visit-date", "A visit lies between the day of the question and today.", status=422, field="visited_on")
    return reached(question, evidence, datetime.combine(visited_on, time(12), zone))


def close(question: Question, now: datetime, day: date) -> tuple[Question, QuestionClosed | None]:
    """At the term: closed when there is evidence that the person was reached; without it the question stays open."""
    if question.state is not QuestionState.OPEN or now < question.due or not question.reached or question.reached_at is None:
        return question, None
    closed = QuestionClosed(
        region=question.region,
        effective_on=day,
        question_id=question.id,
        worker_id=question.worker_id,
        matter=question.matter,
        about=question.about,
        evidence=question.reached,
        reached_at=question.reached_at,
    )
    return replace(question, state=QuestionState.CLOSED), closed


def token_hash(token: str) -> bytes:
    """What is kept of an answer link's token. The token has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def _at(text: str) -> time:
    return time.fromisoformat(text)


def opens(window: Window) -> time:
    """When the sending window opens."""
    return _at(window.opens)


def may_write(window: Window, local: datetime, *, bad_news: bool = False) -> bool:
    """Whether people may be written to at this local time: in the window, not in the Friday prayer, no bad news after it."""
    now = local.timetz().replace(tzinfo=None)
    if not _at(window.opens) <= now < _at(window.closes):
        return False
    if local.weekday() != 4 or now < _at(window.friday_from):
        return True
    return not bad_news and now >= _at(window.friday_until)


def may_write_next(window: Window, local: datetime, *, bad_news: bool = False) -> datetime:
    """The first local time from `local` on at which people may be written to."""
    days = [local.date() + timedelta(days=n) for n in range(3)]
    edges = [datetime.combine(day, _at(text), local.tzinfo) for day in days for text in (window.opens, window.friday_until)]
    for moment in (local, *sorted(edges)):
        if moment >= local and may_write(window, moment, bad_news=bad_news):
            return moment
    raise Refused("rule-missing", "the sending window never opens", rule="sending_window")


class Step(StrEnum):
    """What happened to an offer, as far as the front desk is concerned."""

    MADE = "made"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class OfferStep:
    """One step of one offer. `details` hold what a letter says about the seat: codes, dates, money, the employer's name."""

    step: Step
    offer_id: UUID
    worker_id: UUID
    region: str
    cause: Cause
    agency: str = ""
    answer_by: date | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """Somebody has the seat."""

    placement_id: UUID
    offer_id: UUID
    worker_id: UUID
    region: str
    cause: Cause
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PersonStep:
    """What the registry says of a worker: the agency, or that the person is `gone` (`erased`, `merged`)."""

    worker_id: UUID
    region: str
    cause: Cause
    agency: str = ""
    worker_number: str = ""
    gone: str = ""


@dataclass(frozen=True, slots=True)
class ContactStep:
    """A contact that was opened; None when it does not open with our key."""

    contact_id: UUID
    worker_id: UUID
    region: str
    cause: Cause
    contact: Contact | None


UNTOLD: Final = frozenset({"erased", "exited", "left", "merged", "consent_withdrawn", "died"})
"""Reasons for a withdrawal that the person decided or that concern somebody who is gone: nobody is written to."""


def tells_withdrawal(question: Question, reason: str, told: bool) -> bool:
    """Whether a withdrawal is told: only to somebody who knew of the offer, had not said no, and did not cause it."""
    return told and reason not in UNTOLD and question.says not in {Says.NO, Says.NO_SCHEME}


@dataclass(frozen=True, slots=True)
class Letter:
    """All that the words of one message depend on. `link` is the answer link, empty in messages that ask nothing."""

    template: str
    region: str
    contact: Contact
    details: Mapping[str, Any]
    link: str
    day: date


@dataclass(frozen=True, slots=True)
class Written:
    """A letter in words."""

    subject: str
    text: str
    html: str
    language: str


@dataclass(frozen=True, slots=True)
class Sending:
    """A letter in hand: to whom it goes, under which id."""

    message_id: UUID
    to: str
    written: Written
    attempts: int


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a letter: `sent`, `failed` (with a reason), `unknown`, or back to `queued`, at once or after a pause."""

    message_id: UUID
    state: MessageState
    reason: str = ""
    again_after: timedelta | None = None


def pause(attempts: int) -> timedelta:
    """How long to wait (by the wall clock) before a letter that a server did not take is tried again."""
    return timedelta(seconds=min(300, 2 ** min(attempts, 9)))
