"""An order for everything that was got; free plans of deleted accounts; claims on what is held.

What was tried or given before there were orders gets the order that it would leave today, so that
everywhere purchases are one list. What is held of a grant that was revoked is claimed from now on,
where its state alone said so before.

Revision ID: 0006
Revises: 0005
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import op

from storage.ids import new_id

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FUNCTIONS: Final = Path(__file__).parents[1] / "postgresql" / "0006_ledger.sql"


def upgrade() -> None:
    """Fill and widen the tables. There is no way back: what was got is not forgotten."""
    order_what_was_given()
    add_former_trials()
    add_claims()
    if op.get_bind().dialect.name == "postgresql":
        op.get_bind().exec_driver_sql(FUNCTIONS.read_text(encoding="utf-8"))


def order_what_was_given() -> None:
    """Write a fulfilled order for each plan that was got without one, as of when it was got."""
    connection = op.get_bind()
    given = connection.execute(
        sa.text(
            "SELECT s.id AS subscription_id, s.account_id, s.plan_id, s.plan_version_id,"
            " CASE s.source WHEN 'trial' THEN 'trial' ELSE 'manual' END AS provider,"
            " v.currency, COALESCE(g.amount, v.credits) AS credits, v.duration_s, s.created_at"
            " FROM subscription s JOIN plan_version v ON v.id = s.plan_version_id"
            " LEFT JOIN wallet w ON w.subscriber_id = s.account_id"
            " LEFT JOIN credit_grant g ON g.wallet_id = w.id"
            " AND g.source = s.source AND g.source_ref = s.source_ref"
            " WHERE s.source IN ('trial', 'operator') AND NOT EXISTS"
            " (SELECT 1 FROM purchase_order o WHERE o.subscription_id = s.id) ORDER BY s.id"
        )
    ).mappings()
    orders = [
        {**row, "id": new_id(), "key": f"before orders:{row['subscription_id']}"} for row in given
    ]
    if orders:
        connection.execute(
            sa.text(
                "INSERT INTO purchase_order (id, account_id, plan_id, plan_version_id, provider,"
                " request_key, state, amount_minor, currency, credits, duration_s, return_to,"
                " subscription_id, refunded_minor, taken_back, written_off, reason, created_at,"
                " expires_at, paid_at, fulfilled_at) VALUES (:id, :account_id, :plan_id,"
                " :plan_version_id, :provider, :key, 'fulfilled', 0, :currency, :credits,"
                " :duration_s, '', :subscription_id, 0, 0, 0, '', :created_at, :created_at,"
                " :created_at, :created_at)"
            ),
            orders,
        )


def add_former_trials() -> None:
    """Which free plans were had under addresses that are known by a mark alone."""
    op.create_table(
        "former_trial",
        sa.Column("mark", sa.LargeBinary(), nullable=False),
        sa.Column("plan_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_former_trial_plan_id_plan")
        ),
        sa.PrimaryKeyConstraint("mark", "plan_id", name=op.f("pk_former_trial")),
        sqlite_with_rowid=False,
    )


def add_claims() -> None:
    """What is taken back of what a grant's holds have set aside, as soon as it comes back."""
    big = "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    op.execute(
        sa.text(
            f"ALTER TABLE credit_grant ADD COLUMN claimed {big} NOT NULL DEFAULT 0"
            " CONSTRAINT ck_credit_grant_claimed_is_held CHECK (claimed >= 0 AND claimed <= held)"
        )
    )
    op.execute(sa.text("UPDATE credit_grant SET claimed = held WHERE state = 'revoked'"))
