"""An order for everything that was got; free plans of deleted accounts; claims; two limits a day.

What was tried or given before there were orders gets the order that it would leave today, so that
everywhere purchases are one list. What is held of a grant that was revoked is claimed from now on,
where its state alone said so before. Of the limits for a day that there are, those that an operator
set last become the operator's. A new kind of numbered change means making `wallet_change` anew on
SQLite, which cannot change a constraint.

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
ABOUT: Final = (
    "(kind IN ('cap', 'operator_cap')) = (grant_id IS NULL)"
    " AND (kind IN ('cap', 'operator_cap') OR amount IS NULL)"
)
ABOUT_NAME: Final = "ck_wallet_change_about_a_grant_or_a_cap"


def upgrade() -> None:
    """Fill and widen the tables. There is no way back: what was got is not forgotten."""
    order_what_was_given()
    add_former_trials()
    add_claims()
    add_operator_caps()
    if op.get_bind().dialect.name == "postgresql":
        let_changes_be_of_operator_caps()
        op.get_bind().exec_driver_sql(FUNCTIONS.read_text(encoding="utf-8"))
    else:
        copy_wallet_change()


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


def add_operator_caps() -> None:
    """The operator's limit for a day beside one's own; whose a limit is, the audit says."""
    big = "BIGINT" if op.get_bind().dialect.name == "postgresql" else "INTEGER"
    op.execute(
        sa.text(
            f"ALTER TABLE wallet ADD COLUMN operator_cap {big}"
            " CONSTRAINT ck_wallet_operator_cap_not_negative CHECK (operator_cap >= 0)"
        )
    )
    op.execute(
        sa.text(
            "UPDATE wallet SET operator_cap = daily_cap, daily_cap = NULL"
            " WHERE daily_cap IS NOT NULL AND EXISTS (SELECT 1 FROM audit a WHERE a.id ="
            " (SELECT MAX(b.id) FROM audit b WHERE b.action = 'account.daily_cap_set'"
            " AND b.subject = 'account:' || wallet.subscriber_id)"
            " AND (a.actor_id IS NULL OR a.actor_id <> wallet.subscriber_id))"
        )
    )


def let_changes_be_of_operator_caps() -> None:
    """On PostgreSQL a constraint is replaced."""
    op.drop_constraint(ABOUT_NAME, "wallet_change")
    op.create_check_constraint(op.f(ABOUT_NAME), "wallet_change", ABOUT)


def copy_wallet_change() -> None:
    """On SQLite the table is made anew, and what guards it."""
    op.create_table(
        "wallet_change_anew",
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("grant_id", BIG, nullable=True),
        sa.Column("amount", BIG, nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.CheckConstraint(ABOUT, name=op.f(ABOUT_NAME)),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grant.id"], name=op.f("fk_wallet_change_grant_id_credit_grant")
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_wallet_change_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("wallet_id", "version", name=op.f("pk_wallet_change")),
        sqlite_strict=True,
    )
    columns = "wallet_id, version, kind, grant_id, amount, created_at"
    op.execute(
        sa.text(
            f"INSERT INTO wallet_change_anew ({columns})"
            f" SELECT {columns} FROM wallet_change ORDER BY wallet_id, version"
        )
    )
    op.drop_table("wallet_change")
    op.rename_table("wallet_change_anew", "wallet_change")
    for event in ("UPDATE", "DELETE"):
        op.execute(
            sa.text(
                f"CREATE TRIGGER wallet_change_refuses_{event.lower()} BEFORE {event} ON"
                " wallet_change BEGIN SELECT RAISE(ABORT, 'wallet_change is append-only'); END"
            )
        )
