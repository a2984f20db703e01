"""Facts that the front desk decides: what was asked, what was answered, what was sent."""

from datetime import date, datetime
from uuid import UUID

from .base import Fact, Stream, fact

INTERNAL = Stream("notify", "internal")
EVENTS = Stream("notify", "events")


@fact("question.asked", INTERNAL, "question", id="question_id", key="worker_id")
class QuestionAsked(Fact, frozen=True, kw_only=True):
    """A question is open until the end of the local day `answer_by`; `about` is the offer's id for `matter` = `offer`."""

    question_id: UUID
    worker_id: UUID
    matter: str
    about: UUID
    answer_by: date
    channels: tuple[str, ...]


@fact("answer.received", INTERNAL, "question", id="question_id", key="worker_id")
class AnswerReceived(Fact, frozen=True, kw_only=True):
    """An answer at the front desk. `received_at` (business time) decides whether it was in time; `received_wall` is wall time."""

    question_id: UUID
    worker_id: UUID
    matter: str
    about: UUID
    says: str
    reasons: tuple[str, ...]
    families: tuple[str, ...]
    channel: str
    received_at: datetime
    received_wall: datetime


@fact("question.closed", INTERNAL, "question", id="question_id", key="worker_id")
class QuestionClosed(Fact, frozen=True, kw_only=True):
    """The term passed. `evidence` says how the person was reached (`visit`, `receipt`, `answered`, `slip`)."""

    question_id: UUID
    worker_id: UUID
    matter: str
    about: UUID
    evidence: str
    reached_at: datetime


@fact("message.sent", INTERNAL, "message", id="message_id", key="worker_id")
class MessageSent(Fact, frozen=True, kw_only=True):
    """A provider took the message over."""

    message_id: UUID
    worker_id: UUID
    template: str
    channel: str


@fact("message.delivered", INTERNAL, "message", id="message_id", key="worker_id")
class MessageDelivered(Fact, frozen=True, kw_only=True):
    """A provider's receipt says that it arrived."""

    message_id: UUID
    worker_id: UUID
    channel: str


@fact("message.failed", INTERNAL, "message", id="message_id", key="worker_id")
class MessageFailed(Fact, frozen=True, kw_only=True):
    """It did not and will not arrive; `reason` is a code (`no_address`: on the agency's printed list)."""

    message_id: UUID
    worker_id: UUID
    channel: str
    reason: str


@fact("complaint.filed", INTERNAL, "complaint", id="complaint_id", key="worker_id")
class ComplaintFiled(Fact, frozen=True, kw_only=True):
    """A worker complains (wage, insurance, hours, harassment, ...); the text stays in notify's vault."""

    complaint_id: UUID
    worker_id: UUID
    category: str
