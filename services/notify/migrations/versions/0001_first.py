"""Notify's own tables, on top of the machine's."""

import sqlalchemy as sa
from alembic import op

from shared.migrations import create_machine, drop_machine, secure

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
SCOPED = ("person", "contact", "question", "link", "answer", "visit", "task", "message")


def text(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=bool(more.pop("nullable", False)), **more)


def uid(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.Uuid(), nullable=bool(more.pop("nullable", False)), **more)


def day(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Date(), nullable=nullable)


def at(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, TIME, nullable=nullable)


def flag(name: str) -> sa.Column:
    return sa.Column(name, sa.Boolean(), nullable=False)


def sealed(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)


def upgrade() -> None:
    create_machine(op)
    op.create_table(
        "person",
        uid("worker_id", primary_key=True),
        text("region"),
        text("agency"),
        text("worker_number"),
        text("gone"),
        sealed("wrapped", nullable=True),
        sa.CheckConstraint("gone IN ('', 'erased', 'merged')", name="person_gone"),
        comment="Who belongs to which agency, and the wrapped key of what is sealed about them; gone people stay as a bare id.",
    )
    op.create_index("person_agency", "person", ["region", "agency"])
    op.create_table(
        "contact",
        uid("worker_id", primary_key=True),
        uid("contact_id", unique=True),
        text("region"),
        flag("mail"),
        flag("phone"),
        sealed("sealed"),
        at("changed_at"),
        comment="Vault: how a person is reached, sealed with the person's key.",
    )
    op.create_table(
        "question",
        uid("id", primary_key=True),
        text("region"),
        text("agency"),
        uid("worker_id"),
        text("matter"),
        uid("about"),
        day("answer_by"),
        at("due"),
        text("state"),
        at("asked_at"),
        text("details"),
        text("says"),
        text("reached"),
        at("reached_at", nullable=True),
        sa.CheckConstraint("state IN ('open', 'answered', 'closed', 'withdrawn')", name="question_state"),
    )
    op.create_index("question_offer_once", "question", ["about"], unique=True, postgresql_where=sa.text("matter = 'offer'"))
    op.create_index("question_worker", "question", ["worker_id"])
    op.create_index("question_listed", "question", ["region", "asked_at", "id"])
    op.create_table(
        "link",
        sealed("token_hash"),
        text("region"),
        uid("question_id"),
        at("made_at"),
        sa.PrimaryKeyConstraint("token_hash"),
        sa.CheckConstraint("octet_length(token_hash) = 32", name="link_hash"),
        comment="Answer links, by the hash of their token only.",
    )
    op.create_index("link_question", "link", ["question_id"])
    op.create_table(
        "answer",
        uid("question_id", primary_key=True),
        text("region"),
        uid("worker_id"),
        text("says"),
        text("reasons"),
        text("families"),
        text("channel"),
        text("actor"),
        at("received_at"),
        at("received_wall"),
    )
    op.create_index("answer_worker", "answer", ["worker_id", "received_at"])
    op.create_table(
        "visit",
        uid("id", primary_key=True),
        text("region"),
        uid("question_id"),
        day("visited_on"),
        text("evidence"),
        flag("met"),
        text("actor"),
        at("recorded_at"),
    )
    op.create_index("visit_question", "visit", ["question_id"])
    op.create_table(
        "task",
        uid("question_id", primary_key=True),
        text("region"),
        uid("worker_id"),
        text("task"),
        text("state"),
        day("opened_on"),
        day("done_on", nullable=True),
        sa.CheckConstraint("state IN ('open', 'done')", name="task_state"),
        comment="What an agency must do: reach somebody whose question passed its term without evidence.",
    )
    op.create_index("task_listed", "task", ["region", "state", "opened_on", "question_id"])
    op.create_table(
        "message",
        uid("id", primary_key=True),
        text("region"),
        uid("worker_id"),
        uid("cause_id"),
        text("template"),
        text("channel"),
        text("state"),
        text("reason"),
        uid("question_id", nullable=True),
        text("details"),
        sealed("sealed", nullable=True),
        uid("claim", nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        at("not_before", nullable=True),
        at("created_at"),
        at("ended_at", nullable=True),
        sa.UniqueConstraint("cause_id", "worker_id", "channel", name="message_once"),
        sa.CheckConstraint("state IN ('queued', 'sending', 'sent', 'unknown', 'failed', 'listed')", name="message_state"),
        comment="One message per cause, recipient and channel. The letter as it went out is sealed with the person's key.",
    )
    op.create_index("message_waiting", "message", ["region", "created_at", "id"], postgresql_where=sa.text("state = 'queued'"))
    op.create_index("message_in_hand", "message", ["claim"], postgresql_where=sa.text("state = 'sending'"))
    op.create_index("message_listed", "message", ["region", "created_at", "id"])
    op.create_index("message_question", "message", ["question_id"])
    op.create_index("message_worker", "message", ["worker_id"])
    secure(op, tables=SCOPED)


def downgrade() -> None:
    for name in reversed(SCOPED):
        op.drop_table(name)
    drop_machine(op)
