"""HTTP bodies, made from the domain's values."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from services.notify.domain import REASONS, Question
from shared.http import Body, bad

Code = Annotated[str, Field(pattern=r"^[a-z0-9_]{1,40}$")]
Reason = Annotated[str, Field(pattern=f"^({'|'.join(REASONS)})$")]
Purpose = Literal["work_agreement", "payroll", "bpjs", "desk", "case", "correction", "audit"]


class AnswerIn(Body):
    """An answer taken at the desk, or from a signed slip. Name the question or the offer."""

    question_id: UUID | None = None
    offer_id: UUID | None = None
    says: Literal["yes", "no", "no_scheme"]
    reasons: list[Reason] = Field(default_factory=list, max_length=len(REASONS))
    families: list[Code] = Field(default_factory=list, max_length=20, description="Families the person named in passing; see preferences.")
    channel: Literal["desk", "slip"] = "desk"

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.question_id is None) == (self.offer_id is None):
            raise bad("one_of_two", "name either question_id or offer_id")
        return self


class LinkAnswerIn(Body):
    """The person's own answer."""

    says: Literal["yes", "no", "no_scheme"]
    reasons: list[Reason] = Field(default_factory=list, max_length=len(REASONS))


class PreferenceIn(Body):
    """The job families a person wants, in order."""

    worker_id: UUID
    families: list[Code] = Field(min_length=1, max_length=20)


class VisitIn(Body):
    """An officer was there, or holds a signed slip. `met` says whether the person was reached."""

    question_id: UUID
    visited_on: date
    met: bool = True
    evidence: Literal["visit", "slip"] = "visit"


class PreferenceOut(Body):
    """The preference as it was taken."""

    question_id: UUID
    worker_id: UUID
    families: list[str]


class QuestionOut(Body):
    """A question as officers see it."""

    id: UUID
    region: str
    agency: str
    worker_id: UUID
    matter: str
    about: UUID
    answer_by: date
    state: str
    says: str
    reached: str
    reached_at: datetime | None
    asked_at: datetime

    @classmethod
    def of(cls, question: Question) -> Self:
        """From the domain's value."""
        return cls.model_validate(question)


class TaskOut(Body):
    """What an agency must do."""

    question_id: UUID
    region: str
    agency: str
    worker_id: UUID
    task: str
    state: str
    opened_on: date
    done_on: date | None
    offer_id: UUID
    answer_by: date

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row."""
        values = dict(row)
        return cls(offer_id=values.pop("about"), **values)


class MessageOut(Body):
    """What became of a message; nothing of what it says."""

    id: UUID
    region: str
    worker_id: UUID
    template: str
    channel: str
    state: str
    reason: str
    question_id: UUID | None
    created_at: datetime
    ended_at: datetime | None


class MessageCounts(Body):
    """How many messages there are by state, and by template, channel and state."""

    region: str
    states: dict[str, int]
    counts: list[dict[str, str | int]]


class PrintedOut(Body):
    """One thing to hand over on paper or by word."""

    message_id: UUID
    template: str
    reason: str
    agency: str
    worker_id: UUID
    worker_number: str
    address_form: str
    name: str
    phone: str
    line: str
    question_id: UUID | None
    offer_id: UUID | None
    answer_by: date | None
    open: bool
