"""Refunds, revocations, frozen grants, daily caps; a smaller hold; earnings by the day.

Receipt ids become 16 bytes instead of text, and two indexes go that only verifying used: a message
then takes a quarter less space. On SQLite that means copying `hold`; foreign keys are not enforced
on the connection that migrates, so what refers to it is left alone.

Revision ID: 0002
Revises: 0001
"""

from pathlib import Path
from typing import Final
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FUNCTIONS: Final = Path(__file__).parents[1] / "postgresql" / "0002_ledger.sql"
APPEND_ONLY: Final = ("refund", "wallet_change")


def upgrade() -> None:
    """Widen the ledger. There is no way back: history is not dropped."""
    add_columns()
    add_tables()
    change_indexes()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            sa.text("ALTER TABLE hold ALTER COLUMN public_id TYPE uuid USING public_id::uuid")
        )
        for table in ("wallet", "credit_grant"):  # the emptier, the sooner dead versions are pruned
            op.execute(sa.text(f"ALTER TABLE {table} SET (fillfactor = 20)"))
        op.get_bind().exec_driver_sql(FUNCTIONS.read_text(encoding="utf-8"))
        guard_on_postgresql()
    else:
        copy_hold()
        guard_on_sqlite()


def add_columns() -> None:
    """The cap and what is counted against it, today's charges too; where refunds came from."""
    big = "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    for table, column in (
        ("wallet", f"spent_day {big} NOT NULL DEFAULT 0"),
        ("wallet", f"spent {big} NOT NULL DEFAULT 0"),
        (
            "wallet",
            f"daily_cap {big} CONSTRAINT ck_wallet_cap_not_negative"
            " CHECK (daily_cap >= 0 AND spent >= 0)",
        ),
        ("credit_grant", f"origin_id {big}"),
    ):
        op.execute(sa.text(f"ALTER TABLE {table} ADD COLUMN {column}"))
    charges = "FROM entry e WHERE e.wallet_id = wallet.id AND e.kind = 'charge' AND e.amount < 0"
    op.execute(
        sa.text(
            "UPDATE wallet SET spent_day ="
            f" COALESCE((SELECT MAX(e.created_at) {charges}) / 86400000000, 0)"
        )
    )
    op.execute(
        sa.text(
            "UPDATE wallet SET spent = COALESCE((SELECT -SUM(e.amount)"
            f" {charges} AND e.created_at / 86400000000 = wallet.spent_day), 0)"
        )
    )


def add_tables() -> None:
    """Refunds, numbered changes that moved no credits, and what plans earned."""
    op.create_table(
        "refund",
        sa.Column("id", BIG, nullable=False),
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("hold_id", BIG, nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refund_amount_positive")),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_refund_hold_id_hold")),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_refund_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refund")),
        sa.UniqueConstraint(
            "wallet_id", "idempotency_key", name=op.f("uq_refund_wallet_id_idempotency_key")
        ),
        sqlite_strict=True,
    )
    op.create_index(op.f("ix_refund_hold_id"), "refund", ["hold_id"], unique=False)
    op.create_table(
        "wallet_change",
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("grant_id", BIG, nullable=True),
        sa.Column("amount", BIG, nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.CheckConstraint(
            "(kind = 'cap') = (grant_id IS NULL) AND (kind = 'cap' OR amount IS NULL)",
            name=op.f("ck_wallet_change_about_a_grant_or_a_cap"),
        ),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grant.id"], name=op.f("fk_wallet_change_grant_id_credit_grant")
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_wallet_change_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("wallet_id", "version", name=op.f("pk_wallet_change")),
        sqlite_strict=True,
    )
    op.create_table(
        "earnings_day",
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("day", BIG, nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("charged", BIG, nullable=False),
        sa.Column("refunded", BIG, nullable=False),
        sa.Column("expired", BIG, nullable=False),
        sa.Column("earned_minor", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_earnings_day_plan_id_plan")
        ),
        sa.PrimaryKeyConstraint("plan_id", "day", "currency", name=op.f("pk_earnings_day")),
        sqlite_strict=True,
    )


def change_indexes() -> None:
    """Grants that are held to the last credit still count as a balance.

    On PostgreSQL the index names no column that holds change, so that their updates stay in their
    page; what is exhausted is passed over when it is read.
    """
    op.drop_index("ix_entry_grant_id", table_name="entry")
    op.drop_index("ix_allocation_grant_id", table_name="allocation")
    op.drop_index("ix_credit_grant_live", table_name="credit_grant")
    op.create_index(
        "ix_credit_grant_live",
        "credit_grant",
        ["wallet_id", "priority", "expires_at", "id"],
        unique=False,
        sqlite_where=sa.text("remaining + held > 0"),
        postgresql_where=sa.text("state = 'active'"),
    )


def copy_hold() -> None:
    """Make `hold` anew with 16 bytes for the receipt's id. SQLite cannot change a column's type."""
    connection = op.get_bind()
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.create_function("uuid_bytes", 1, lambda written: UUID(written).bytes)
    op.create_table(
        "hold_anew",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.LargeBinary(), nullable=False),
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("offering_id", BIG, nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("captured", BIG, nullable=False),
        sa.Column("shortfall", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("ended_at", BIG, nullable=True),
        sa.Column("opened_version", BIG, nullable=False),
        sa.Column("ended_version", BIG, nullable=True),
        sa.CheckConstraint(
            "(state = 'open') = (ended_at IS NULL)", name=op.f("ck_hold_ended_at_end")
        ),
        sa.CheckConstraint(
            "(state = 'open') = (ended_version IS NULL)", name=op.f("ck_hold_ended_version_at_end")
        ),
        sa.CheckConstraint(
            "state = 'captured' OR captured = 0", name=op.f("ck_hold_only_captured_charges")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'captured', 'released', 'expired')",
            name=op.f("ck_hold_known_state"),
        ),
        sa.CheckConstraint(
            "amount >= 0 AND captured >= 0 AND captured <= amount AND shortfall >= 0",
            name=op.f("ck_hold_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_hold_offering_id_offering")
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_hold_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hold")),
        sa.UniqueConstraint("public_id", name=op.f("uq_hold_public_id")),
        sa.UniqueConstraint(
            "wallet_id",
            "operation",
            "idempotency_key",
            name=op.f("uq_hold_wallet_id_operation_idempotency_key"),
        ),
        sqlite_strict=True,
    )
    columns = (
        "wallet_id, operation, idempotency_key, fingerprint, offering_id, run_id, owner, amount,"
        " captured, shortfall, state, created_at, expires_at, ended_at, opened_version,"
        " ended_version"
    )
    connection.exec_driver_sql(
        f"INSERT INTO hold_anew (id, public_id, {columns})"
        f" SELECT id, uuid_bytes(public_id), {columns} FROM hold ORDER BY id"
    )
    op.drop_table("hold")
    op.rename_table("hold_anew", "hold")
    op.create_index(
        "ix_hold_open",
        "hold",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )


def guard_on_postgresql() -> None:
    """Refuse changes of what is only ever added to; TRUNCATE walks past row triggers."""
    for table in APPEND_ONLY:
        for event, level in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                sa.text(
                    f"CREATE TRIGGER {table}_refuses_{event.lower()} BEFORE {event} ON {table}"
                    f" FOR EACH {level} EXECUTE FUNCTION refuse_change()"
                )
            )


def guard_on_sqlite() -> None:
    """Refuse changes of what is only ever added to."""
    for table in APPEND_ONLY:
        for event in ("UPDATE", "DELETE"):
            op.execute(
                sa.text(
                    f"CREATE TRIGGER {table}_refuses_{event.lower()} BEFORE {event} ON {table}"
                    f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
                )
            )
