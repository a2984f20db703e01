"""The machine's tables and those of the vendor service.

The ledger is append-only, and a deferred trigger refuses a movement whose entries do not sum to zero.
"""

import sqlalchemy as sa
from alembic import op

from shared.migrations import create_machine, drop_machine, roles, secure

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BALANCED = """
CREATE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT sum(amount) FROM ledger WHERE movement_id = NEW.movement_id) <> 0 THEN
        RAISE EXCEPTION 'a movement of the ledger does not sum to zero' USING ERRCODE = '23514';
    END IF;
    RETURN NULL;
END $$
"""


def _id(name: str, **more: object) -> sa.Column[object]:
    return sa.Column(name, sa.Uuid(), nullable=bool(more.get("null", False)))


def _text(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.String(), nullable=False)


def _day(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Date(), nullable=null)


def _instant(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=False)


def _money(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _int(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _bool(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def upgrade() -> None:
    create_machine(op)
    _vendors()
    _budget()
    _contracts()
    _people()
    _cases()
    secure(op, tables=TABLES)
    api, worker = roles(op)
    op.execute(f"REVOKE UPDATE, DELETE ON ledger FROM {api}, {worker}")
    op.execute(BALANCED)
    op.execute(
        "CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION ledger_balanced()"
    )
    op.execute("CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION append_only()")
    op.execute("CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger FOR EACH STATEMENT EXECUTE FUNCTION append_only()")


def _vendors() -> None:
    op.create_table(
        "vendor",
        _id("id"),
        _text("region"),
        _text("name"),
        _text("nib"),
        _text("registered_by"),
        _instant("registered_at"),
        _text("standing"),
        _day("qualified_until", null=True),
        _text("assessed_by"),
        _text("minutes"),
        _text("reasons"),
        _bool("debarred"),
        _day("debarred_until", null=True),
        _text("debarment"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("region", "nib", name="vendor_once"),
    )
    op.create_table(
        "vendor_document",
        _id("vendor_id"),
        _text("kind"),
        _text("region"),
        _text("number"),
        _day("valid_from"),
        _day("valid_until", null=True),
        sa.PrimaryKeyConstraint("vendor_id", "kind"),
    )


def _budget() -> None:
    op.create_table(
        "budget_line",
        _id("id"),
        _text("region"),
        _text("agency"),
        _text("account"),
        _int("year"),
        _text("state"),
        _money("ceiling"),
        _money("committed"),
        _text("dpa_number"),
        _day("approved_on", null=True),
        _text("written_by"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("region", "agency", "account", "year", name="budget_line_once"),
        sa.CheckConstraint("committed >= 0 AND committed <= ceiling", name="budget_line_cover"),
        sa.CheckConstraint("state = 'approved' OR committed = 0", name="budget_line_approved"),
    )
    op.create_table(
        "budget_quarter",
        _id("line_id"),
        _int("quarter"),
        _text("region"),
        _money("committed"),
        _money("released"),
        _text("spd_number"),
        _day("released_on", null=True),
        sa.PrimaryKeyConstraint("line_id", "quarter"),
    )
    op.create_table(
        "ledger",
        _id("id"),
        _text("region"),
        _id("movement_id"),
        _id("budget_line_id"),
        _text("account"),
        _money("amount"),
        _text("reason"),
        _id("contract_id", null=True),
        _day("effective_on"),
        _instant("recorded_at"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ledger_line", "ledger", ["budget_line_id", "id"])
    op.create_index("ledger_movement", "ledger", ["movement_id"])
    op.create_index("ledger_contract", "ledger", ["contract_id"])


def _contracts() -> None:
    op.create_table(
        "contract",
        _id("id"),
        _text("region"),
        _id("vendor_id"),
        _text("vendor_name"),
        _text("number"),
        _day("starts_on"),
        _day("ends_on"),
        _bool("obligation_incumbents"),
        _day("obligation_by"),
        _bool("transfer_clause"),
        _bool("partial_cover"),
        _id("successor_of", null=True),
        _text("drafted_by"),
        _text("state"),
        _int("terms"),
        _day("signed_on", null=True),
        _text("signed_by"),
        _day("ending_on", null=True),
        _day("ended_on", null=True),
        _text("end_reason"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("region", "number", name="contract_once"),
    )
    op.create_index("contract_vendor", "contract", ["vendor_id"])
    op.create_table(
        "contract_line",
        _id("contract_id"),
        _id("line_id"),
        _text("region"),
        _int("ordinal"),
        sa.PrimaryKeyConstraint("contract_id", "line_id"),
    )
    op.create_table(
        "lot",
        _id("id"),
        _id("contract_id"),
        _text("region"),
        _int("ordinal"),
        _text("agency"),
        _text("job"),
        _text("site"),
        _text("kecamatan"),
        _int("seats"),
        _int("covered_seats"),
        _money("wage"),
        _money("price"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("covered_seats >= 0 AND covered_seats <= seats", name="lot_cover"),
    )
    op.create_index("lot_contract", "lot", ["contract_id"])
    op.create_table(
        "reduction",
        _id("id"),
        _text("region"),
        _id("contract_id"),
        _id("lot_id"),
        _int("asked"),
        _int("released"),
        _text("reason"),
        _text("requested_by"),
        _instant("requested_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.CheckConstraint("released <= asked", name="reduction_within"),
    )
    op.create_index("reduction_contract", "reduction", ["contract_id"])


def _people() -> None:
    op.create_table(
        "accepted_offer",
        _id("offer_id"),
        _text("region"),
        _id("worker_id"),
        _id("contract_id"),
        _id("lot_id"),
        _id("vendor_id"),
        _int("terms"),
        _day("starts_on"),
        _text("withdrawn"),
        sa.PrimaryKeyConstraint("offer_id"),
    )
    op.create_index("accepted_worker", "accepted_offer", ["worker_id"])
    op.create_index("accepted_contract", "accepted_offer", ["contract_id"])
    op.create_table(
        "seat",
        _id("placement_id"),
        _text("region"),
        _id("worker_id"),
        _id("contract_id"),
        _id("lot_id"),
        _id("vendor_id"),
        _bool("incumbent"),
        _text("state"),
        _day("starts_on"),
        _day("ended_on", null=True),
        _text("end_reason"),
        sa.PrimaryKeyConstraint("placement_id"),
    )
    op.create_index("seat_contract", "seat", ["contract_id"])
    op.create_index("seat_worker", "seat", ["worker_id"])
    op.create_table(
        "work_agreement",
        _id("id"),
        _text("region"),
        _id("offer_id"),
        _id("worker_id"),
        _id("contract_id"),
        _id("lot_id"),
        _id("vendor_id"),
        _int("terms"),
        _text("agreement"),
        _text("number"),
        _money("wage"),
        _day("starts_on"),
        _day("ends_on", null=True),
        _instant("recorded_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("offer_id", name="work_agreement_once"),
        sa.UniqueConstraint("vendor_id", "number", name="work_agreement_number"),
    )
    op.create_index("work_agreement_worker", "work_agreement", ["worker_id"])
    op.create_index("work_agreement_contract", "work_agreement", ["contract_id"])
    op.create_table("gone", _id("worker_id"), _text("region"), _text("why"), _day("effective_on"), sa.PrimaryKeyConstraint("worker_id"))
    op.create_table(
        "roster",
        _id("id"),
        _text("region"),
        _id("contract_id"),
        _id("vendor_id"),
        _day("month"),
        _int("people"),
        _instant("reported_at"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("contract_id", "month", name="roster_once"),
    )
    op.create_table(
        "roster_entry",
        _id("roster_id"),
        _id("worker_id"),
        _text("region"),
        _id("lot_id"),
        sa.PrimaryKeyConstraint("roster_id", "worker_id"),
    )
    op.create_index("roster_entry_worker", "roster_entry", ["worker_id"])


def _cases() -> None:
    op.create_table(
        "finding",
        _id("id"),
        _text("region"),
        _text("finding"),
        _id("contract_id"),
        _id("vendor_id"),
        _id("lot_id", null=True),
        _text("rule"),
        _text("article"),
        _text("source"),
        _money("floor"),
        _money("wage"),
        _money("shortfall_per_seat"),
        _int("seats"),
        _money("shortfall"),
        _int("people"),
        _day("judged_on"),
        _text("state"),
        _text("pack"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("finding_contract", "finding", ["contract_id"])
    op.create_table(
        "case_file",
        _id("id"),
        _text("region"),
        _text("kind"),
        _text("rule"),
        _id("vendor_id", null=True),
        _id("worker_id", null=True),
        _id("contract_id", null=True),
        _id("offer_id", null=True),
        _text("state"),
        _text("outcome"),
        _instant("opened_at"),
        _text("decided_by"),
        sa.PrimaryKeyConstraint("id"),
    )


TABLES = (
    "accepted_offer",
    "budget_line",
    "budget_quarter",
    "case_file",
    "contract",
    "contract_line",
    "finding",
    "gone",
    "ledger",
    "lot",
    "reduction",
    "roster",
    "roster_entry",
    "seat",
    "vendor",
    "vendor_document",
    "work_agreement",
)


def downgrade() -> None:
    for name in reversed(TABLES):
        op.drop_table(name)
    op.execute("DROP FUNCTION ledger_balanced()")
    drop_machine(op)
