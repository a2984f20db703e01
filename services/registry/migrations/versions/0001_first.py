"""The registry's own tables, on top of the machine's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY

from shared.migrations import create_machine, drop_machine, secure

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
TEXTS = ARRAY(sa.Text())
SCOPED = (
    "person",
    "worker",
    "suppressed",
    "standing",
    "credential",
    "selection",
    "insurance",
    "honorarium",
    "eligibility",
    "consent",
    "import_file",
    "reject",
    "import_seen",
    "merge",
    "control_total",
    "roll",
    "rulepack",
    "conflict",
    "engagement",
    "placement",
)


def text(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.Text(), nullable=bool(more.pop("nullable", False)), **more)


def uid(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.Uuid(), nullable=bool(more.pop("nullable", False)), **more)


def day(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, sa.Date(), nullable=nullable)


def at(name: str, *, nullable: bool = False) -> sa.Column:
    return sa.Column(name, TIME, nullable=nullable)


def whole(name: str, *, nullable: bool = False, **more: object) -> sa.Column:
    return sa.Column(name, sa.Integer(), nullable=nullable, **more)


def flag(name: str, **more: object) -> sa.Column:
    return sa.Column(name, sa.Boolean(), nullable=False, **more)


def upgrade() -> None:
    create_machine(op)
    op.create_table(
        "person",
        uid("id", primary_key=True),
        text("region"),
        text("nik_entry", unique=True),
        text("name_entry"),
        sa.Column("words", TEXTS, nullable=False),
        text("content_mac"),
        text("contact_mac"),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        at("recorded_at"),
        at("changed_at"),
        comment="The vault: one ciphertext per person, found by keyed indexes only.",
    )
    op.create_index("person_words", "person", ["words"], postgresql_using="gin")
    op.create_table(
        "worker",
        uid("id", primary_key=True),
        text("region"),
        uid("person_id", nullable=True, unique=True),
        text("worker_number", unique=True),
        text("agency"),
        text("job_family"),
        text("kecamatan"),
        day("service_start"),
        day("service_end", nullable=True),
        text("selection_code"),
        flag("barred"),
        whole("version"),
        uid("merged_into", nullable=True),
        text("gone"),
        at("recorded_at"),
        comment="A person in a region. Without a person when erased.",
    )
    op.create_index("worker_listed", "worker", ["region", "worker_number"])
    op.create_index("worker_merged", "worker", ["merged_into"], postgresql_where=sa.text("merged_into IS NOT NULL"))
    op.create_table(
        "suppressed",
        text("entry", primary_key=True),
        text("region"),
        at("recorded_at"),
        comment="Keyed index entries of erased people, so that an old file does not bring them back.",
    )
    op.create_table(
        "standing",
        sa.Column("seq", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        uid("id", unique=True),
        text("region"),
        uid("worker_id"),
        text("topic"),
        text("value"),
        day("effective_on"),
        at("recorded_at"),
        text("decree_number"),
        day("decree_date", nullable=True),
        sa.CheckConstraint("topic IN ('service', 'end', 'proposal', 'exit', 'leaving', 'trace', 'gone')", name="standing_topic"),
        comment="Dated history on two axes (effective_on, recorded_at); never changed, only added to.",
    )
    op.create_index("standing_worker", "standing", ["worker_id", "topic"])
    op.create_index("standing_region", "standing", ["region"])
    op.create_table(
        "credential",
        uid("id", primary_key=True),
        text("region"),
        uid("worker_id"),
        text("credential"),
        text("class_"),
        day("valid_from"),
        day("valid_until", nullable=True),
        flag("expired"),
        at("recorded_at"),
    )
    op.create_table(
        "selection",
        uid("id", primary_key=True),
        text("region"),
        uid("worker_id"),
        whole("year"),
        text("phase"),
        text("code"),
        flag("listed"),
        at("recorded_at"),
    )
    op.create_table(
        "insurance",
        uid("id", primary_key=True),
        text("region"),
        uid("worker_id"),
        text("programme"),
        flag("active"),
        day("month"),
        at("recorded_at"),
    )
    op.create_table(
        "honorarium",
        uid("id", primary_key=True),
        text("region"),
        uid("worker_id"),
        day("paid_from"),
        day("paid_until"),
        at("recorded_at"),
    )
    for name in ("credential", "selection", "insurance", "honorarium"):
        op.create_index(f"{name}_worker", name, ["worker_id"])
    op.create_table(
        "eligibility",
        uid("worker_id", primary_key=True),
        text("region"),
        text("verdict"),
        sa.Column("reasons", TEXTS, nullable=False),
        day("since"),
        at("recorded_at"),
    )
    op.create_table(
        "consent",
        uid("worker_id", primary_key=True),
        text("region"),
        flag("given"),
        text("channel"),
        day("effective_on"),
        at("recorded_at"),
    )
    op.create_table(
        "import_file",
        uid("id", primary_key=True),
        text("region"),
        text("kind"),
        uid("file_id"),
        uid("job_id"),
        text("state"),
        text("sha256"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("header", sa.LargeBinary(), nullable=True),
        whole("read"),
        whole("new"),
        whole("changed"),
        whole("unchanged"),
        text("failure"),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        text("actor"),
        at("received_at"),
        at("done_at", nullable=True),
        comment="A file an office sent. Its bytes are deleted when it is done; the rejected rows stay sealed.",
    )
    op.create_index("import_listed", "import_file", ["region", "received_at", "id"])
    op.create_table(
        "reject",
        uid("import_id", primary_key=True),
        whole("line", primary_key=True, autoincrement=False),
        text("code", primary_key=True),
        text("region"),
        text("column_name"),
        text("nik_entry"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )
    op.create_index("reject_person", "reject", ["nik_entry"], postgresql_where=sa.text("nik_entry <> ''"))
    op.create_table("import_seen", uid("import_id", primary_key=True), text("nik_entry", primary_key=True), text("region"))
    op.create_table(
        "merge",
        uid("id", primary_key=True),
        text("region"),
        uid("survivor_id"),
        uid("merged_id"),
        text("reason"),
        text("state"),
        text("proposed_by"),
        at("proposed_at"),
        text("approved_by"),
        at("approved_at", nullable=True),
    )
    op.create_table(
        "control_total",
        uid("id", primary_key=True),
        text("region"),
        day("on_day"),
        whole("opening"),
        text("source"),
        text("recorded_by"),
        at("recorded_at"),
        comment="Opening populations typed in from decrees: the book that is independent of the files.",
    )
    op.create_table(
        "roll",
        uid("seal_id", primary_key=True),
        uid("roll_id"),
        text("region"),
        whole("pairs"),
        whole("people"),
        whole("chunks"),
        text("sealed_by"),
        at("as_of"),
    )
    op.create_table(
        "rulepack",
        uid("id", primary_key=True),
        text("region"),
        text("sha256"),
        day("effective_on"),
        text("state"),
        text("drafted_by"),
        at("drafted_at"),
        text("activated_by"),
        at("activated_at", nullable=True),
    )
    op.create_table(
        "conflict",
        uid("id", primary_key=True),
        text("region"),
        text("other_region"),
        uid("import_id"),
        whole("line"),
        at("recorded_at"),
        comment="A case for two offices: the same NIK was sent by both.",
    )
    op.create_table(
        "engagement",
        uid("offer_id", primary_key=True),
        text("region"),
        uid("worker_id"),
        uid("vendor_id", nullable=True),
        text("state"),
        comment="Projection: whose offer a worker has accepted, so that a vendor sees its own people only.",
    )
    op.create_table(
        "placement",
        uid("placement_id", primary_key=True),
        text("region"),
        uid("worker_id"),
        uid("vendor_id", nullable=True),
        uid("contract_id", nullable=True),
        uid("lot_id", nullable=True),
        text("agency"),
        text("job"),
        text("state"),
        day("starts_on", nullable=True),
        day("ended_on", nullable=True),
        text("reason"),
        comment="Projection: where a worker is placed.",
    )
    for name in ("engagement", "placement"):
        op.create_index(f"{name}_worker", name, ["worker_id"])
    secure(op, tables=SCOPED)


def downgrade() -> None:
    for name in reversed(SCOPED):
        op.drop_table(name)
    drop_machine(op)
