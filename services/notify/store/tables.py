"""The tables as SQLModel classes, on metadata of this service's own. The work speaks SQL; a test holds these to the migrated schema."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import DateTime, Text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel


class Base(SQLModel, registry=registry()):
    """Base of this service's tables."""


def _text() -> str:
    found: str = Field(sa_type=Text)
    return found


def _time() -> datetime:
    found: datetime = Field(sa_type=DateTime(timezone=True))
    return found


def _time_or_none() -> datetime | None:
    found: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    return found


class PersonRow(Base, table=True):
    """Who belongs to which agency, and the person's wrapped key."""

    __tablename__ = "person"
    worker_id: UUID = Field(primary_key=True)
    region: str = _text()
    agency: str = _text()
    worker_number: str = _text()
    gone: str = _text()
    wrapped: bytes | None = None


class ContactRow(Base, table=True):
    """Vault: how a person is reached."""

    __tablename__ = "contact"
    worker_id: UUID = Field(primary_key=True)
    contact_id: UUID = Field(unique=True)
    region: str = _text()
    mail: bool
    phone: bool
    sealed: bytes
    changed_at: datetime = _time()


class QuestionRow(Base, table=True):
    """A question to one person."""

    __tablename__ = "question"
    id: UUID = Field(primary_key=True)
    region: str = _text()
    agency: str = _text()
    worker_id: UUID
    matter: str = _text()
    about: UUID
    answer_by: date
    due: datetime = _time()
    state: str = _text()
    asked_at: datetime = _time()
    details: str = _text()
    says: str = _text()
    reached: str = _text()
    reached_at: datetime | None = _time_or_none()


class LinkRow(Base, table=True):
    """An answer link, by its hash."""

    __tablename__ = "link"
    token_hash: bytes = Field(primary_key=True)
    region: str = _text()
    question_id: UUID
    made_at: datetime = _time()


class AnswerRow(Base, table=True):
    """The answer to a question."""

    __tablename__ = "answer"
    question_id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    says: str = _text()
    reasons: str = _text()
    families: str = _text()
    channel: str = _text()
    actor: str = _text()
    received_at: datetime = _time()
    received_wall: datetime = _time()


class VisitRow(Base, table=True):
    """A visit or a signed slip, recorded by an officer."""

    __tablename__ = "visit"
    id: UUID = Field(primary_key=True)
    region: str = _text()
    question_id: UUID
    visited_on: date
    evidence: str = _text()
    met: bool
    actor: str = _text()
    recorded_at: datetime = _time()


class TaskRow(Base, table=True):
    """What an agency must do."""

    __tablename__ = "task"
    question_id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    task: str = _text()
    state: str = _text()
    opened_on: date
    done_on: date | None = None


class MessageRow(Base, table=True):
    """One message per cause, recipient and channel."""

    __tablename__ = "message"
    id: UUID = Field(primary_key=True)
    region: str = _text()
    worker_id: UUID
    cause_id: UUID
    template: str = _text()
    channel: str = _text()
    state: str = _text()
    reason: str = _text()
    question_id: UUID | None = None
    details: str = _text()
    sealed: bytes | None = None
    claim: UUID | None = None
    attempts: int
    not_before: datetime | None = _time_or_none()
    created_at: datetime = _time()
    ended_at: datetime | None = _time_or_none()
