"""Orders and vouchers.

Revision ID: 0003
Revises: 0002
"""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables. There is no way back: what was bought is not dropped."""
    add_orders()
    op.create_table(
        "order_refund",
        sa.Column("id", BIG, nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.CheckConstraint("amount_minor > 0", name=op.f("ck_order_refund_amount_positive")),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_order.id"], name=op.f("fk_order_refund_order_id_purchase_order")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_refund")),
    )
    op.create_index(op.f("ix_order_refund_order_id"), "order_refund", ["order_id"], unique=False)
    op.create_table(
        "voucher",
        sa.Column("id", BIG, nullable=False),
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("plan_version_id", BIG, nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("voided_at", BIG, nullable=True),
        sa.CheckConstraint(
            "order_id IS NULL OR voided_at IS NULL", name=op.f("ck_voucher_redeemed_or_void")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["purchase_order.id"], name=op.f("fk_voucher_order_id_purchase_order")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_voucher_plan_id_plan")),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.id"],
            name=op.f("fk_voucher_plan_version_id_plan_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_voucher_code_hash")),
        sa.UniqueConstraint("order_id", name=op.f("uq_voucher_order_id")),
    )


def add_orders() -> None:
    """One row for each attempt to get a plan."""
    op.create_table(
        "purchase_order",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("plan_version_id", BIG, nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_ref", sa.String(), nullable=True),
        sa.Column("request_key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("amount_minor", BIG, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("credits", BIG, nullable=False),
        sa.Column("duration_s", BIG, nullable=True),
        sa.Column("return_to", sa.String(), nullable=False),
        sa.Column("subscription_id", BIG, nullable=True),
        sa.Column("refunded_minor", BIG, nullable=False),
        sa.Column("taken_back", BIG, nullable=False),
        sa.Column("written_off", BIG, nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("paid_at", BIG, nullable=True),
        sa.Column("fulfilled_at", BIG, nullable=True),
        sa.Column("ended_at", BIG, nullable=True),
        sa.CheckConstraint(
            "amount_minor >= 0", name=op.f("ck_purchase_order_amount_not_negative")
        ),
        sa.CheckConstraint(
            "refunded_minor >= 0 AND refunded_minor <= amount_minor",
            name=op.f("ck_purchase_order_refunded_within_amount"),
        ),
        sa.CheckConstraint(
            "taken_back >= 0 AND written_off >= 0",
            name=op.f("ck_purchase_order_taken_back_not_negative"),
        ),
        sa.CheckConstraint(
            "(subscription_id IS NULL) = (fulfilled_at IS NULL)",
            name=op.f("ck_purchase_order_fulfilled_gave_something"),
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_purchase_order_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_purchase_order_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.id"],
            name=op.f("fk_purchase_order_plan_version_id_plan_version"),
        ),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscription.id"],
            name=op.f("fk_purchase_order_subscription_id_subscription"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_purchase_order")),
        sa.UniqueConstraint(
            "account_id", "request_key", name=op.f("uq_purchase_order_account_id_request_key")
        ),
        sa.UniqueConstraint(
            "provider", "provider_ref", name=op.f("uq_purchase_order_provider_provider_ref")
        ),
        sa.UniqueConstraint("subscription_id", name=op.f("uq_purchase_order_subscription_id")),
    )
    op.create_index(
        "ix_purchase_order_unpaid",
        "purchase_order",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'created'"),
        postgresql_where=sa.text("state = 'created'"),
    )
