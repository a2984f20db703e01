"""The toy's tables."""

import sqlalchemy as sa
from alembic import op

from shared.migrations import create_machine, drop_machine, secure

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_machine(op)
    op.create_table(
        "thing",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("region", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table("left_worker", sa.Column("id", sa.Uuid, primary_key=True), sa.Column("region", sa.Text, nullable=False))
    op.create_table("mark", sa.Column("id", sa.Uuid, primary_key=True), sa.Column("what", sa.Text, nullable=False))
    op.execute(
        "CREATE FUNCTION no_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.name = 'commit fails' THEN RAISE EXCEPTION 'planted secret 1374010101010101' USING ERRCODE = '23514'; END IF;"
        " RETURN NULL; END $$"
    )
    op.execute(
        "CREATE CONSTRAINT TRIGGER fails AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION no_commit()"
    )
    secure(op, tables=["thing", "left_worker"], open_tables=["mark"])


def downgrade() -> None:
    for name in ("mark", "left_worker", "thing"):
        op.drop_table(name)
    op.execute("DROP FUNCTION no_commit()")
    drop_machine(op)
