"""The first tables, the guards that keep history as it was, and PostgreSQL's ledger functions.

Revision ID: 0001
Revises: nothing
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FUNCTIONS: Final = Path(__file__).parents[1] / "postgresql" / "0001_ledger.sql"
APPEND_ONLY: Final = ("entry", "plan_version")


def upgrade() -> None:
    """Make everything. There is no way back: history is not dropped."""
    create_tables()
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            sa.text("ALTER TABLE wallet SET (fillfactor = 50)")
        )  # updates stay in their page
        op.execute(sa.text(FUNCTIONS.read_text(encoding="utf-8")))
        guard_on_postgresql()
    else:
        guard_on_sqlite()


def guard_on_postgresql() -> None:
    """Refuse changes of what is only ever added to; TRUNCATE walks past row triggers."""
    op.execute(
        sa.text(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    )
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


def create_tables() -> None:
    """Every table and index, in the order in which they refer to each other."""
    op.create_table(
        "account",
        sa.Column("id", BIG, nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
    )
    op.create_table(
        "element",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("for_id", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("display", sa.String(), nullable=False),
        sa.Column("props", sa.JSON(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("mime", sa.String(), nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_element")),
    )
    op.create_index(op.f("ix_element_for_id"), "element", ["for_id"], unique=False)
    op.create_index(op.f("ix_element_thread_id"), "element", ["thread_id"], unique=False)
    op.create_table(
        "feedback",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("for_id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("value", sa.Integer(), nullable=False),
        sa.Column("comment", sa.String(), nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback")),
        sa.UniqueConstraint("for_id", name=op.f("uq_feedback_for_id")),
    )
    op.create_index(op.f("ix_feedback_thread_id"), "feedback", ["thread_id"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", BIG, nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_table(
        "process_lease",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("owner", name=op.f("pk_process_lease")),
    )
    op.create_table(
        "step",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("input", sa.Text(), nullable=False),
        sa.Column("output", sa.Text(), nullable=False),
        sa.Column("is_error", sa.Boolean(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("start_at", BIG, nullable=True),
        sa.Column("end_at", BIG, nullable=True),
        sa.Column("extra", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_step")),
    )
    op.create_index(
        "ix_step_thread_id_created_at", "step", ["thread_id", "created_at"], unique=False
    )
    op.create_table(
        "account_role",
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("given_by", BIG, nullable=True),
        sa.Column("given_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_account_role_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["given_by"], ["account.id"], name=op.f("fk_account_role_given_by_account")
        ),
        sa.PrimaryKeyConstraint("account_id", "role", name=op.f("pk_account_role")),
    )
    op.create_table(
        "audit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("actor_id", BIG, nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["account.id"], name=op.f("fk_audit_actor_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_subject_at", "audit", ["subject", "at"], unique=False)
    op.create_table(
        "login_session",
        sa.Column("id", BIG, nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("browser", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("seen_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("ended_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_login_session_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_login_session")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_login_session_secret_hash")),
    )
    op.create_index(
        op.f("ix_login_session_account_id"), "login_session", ["account_id"], unique=False
    )
    op.create_table(
        "offering",
        sa.Column("id", BIG, nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("owner_id", BIG, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("price", BIG, nullable=False),
        sa.Column("starters", sa.JSON(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("published_at", BIG, nullable=True),
        sa.CheckConstraint("price >= 0", name=op.f("ck_offering_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_offering_owner_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offering")),
        sa.UniqueConstraint("slug", name=op.f("uq_offering_slug")),
    )
    op.create_index(op.f("ix_offering_owner_id"), "offering", ["owner_id"], unique=False)
    op.create_table(
        "one_time_link",
        sa.Column("id", BIG, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("role", sa.String(), nullable=True),
        sa.Column("created_by", BIG, nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("used_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_one_time_link_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["created_by"], ["account.id"], name=op.f("fk_one_time_link_created_by_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_one_time_link")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_one_time_link_secret_hash")),
    )
    op.create_table(
        "plan",
        sa.Column("id", BIG, nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("owner_id", BIG, nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_plan_owner_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("slug", name=op.f("uq_plan_slug")),
    )
    op.create_index(op.f("ix_plan_owner_id"), "plan", ["owner_id"], unique=False)
    op.create_table(
        "secret",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("owner_id", BIG, nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("wrap_nonce", sa.LargeBinary(), nullable=False),
        sa.Column("master_key_id", sa.String(), nullable=False),
        sa.Column("last4", sa.String(), nullable=False),
        sa.Column("bound_to", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("replaced_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_secret_owner_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_secret")),
    )
    op.create_table(
        "wallet",
        sa.Column("id", BIG, nullable=False),
        sa.Column("subscriber_id", BIG, nullable=False),
        sa.Column("credits", BIG, nullable=False),
        sa.Column("debits", BIG, nullable=False),
        sa.Column("held", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.CheckConstraint(
            "credits - debits - held >= 0", name=op.f("ck_wallet_available_not_negative")
        ),
        sa.CheckConstraint(
            "credits >= 0 AND debits >= 0 AND held >= 0", name=op.f("ck_wallet_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["account.id"], name=op.f("fk_wallet_subscriber_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_wallet")),
        sa.UniqueConstraint("subscriber_id", name=op.f("uq_wallet_subscriber_id")),
        sqlite_strict=True,
    )
    op.create_table(
        "access_token",
        sa.Column("id", BIG, nullable=False),
        sa.Column("jti", sa.String(), nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("offering_id", BIG, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("revoked_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_access_token_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_access_token_offering_id_offering")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_token")),
        sa.UniqueConstraint("jti", name=op.f("uq_access_token_jti")),
    )
    op.create_index(
        op.f("ix_access_token_account_id"), "access_token", ["account_id"], unique=False
    )
    op.create_index(
        op.f("ix_access_token_offering_id"), "access_token", ["offering_id"], unique=False
    )
    op.create_table(
        "assistant",
        sa.Column("offering_id", BIG, nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("instructions", sa.String(), nullable=False),
        sa.Column("secret_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_assistant_offering_id_offering")
        ),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secret.id"], name=op.f("fk_assistant_secret_id_secret")
        ),
        sa.PrimaryKeyConstraint("offering_id", name=op.f("pk_assistant")),
    )
    op.create_table(
        "draft",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("thread_id", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("secret_id", sa.String(), nullable=True),
        sa.Column("offering_id", BIG, nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_draft_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_draft_offering_id_offering")
        ),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secret.id"], name=op.f("fk_draft_secret_id_secret")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
    )
    op.create_index(op.f("ix_draft_account_id"), "draft", ["account_id"], unique=False)
    op.create_index(op.f("ix_draft_thread_id"), "draft", ["thread_id"], unique=False)
    op.create_table(
        "endpoint",
        sa.Column("id", BIG, nullable=False),
        sa.Column("offering_id", BIG, nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("price", BIG, nullable=False),
        sa.CheckConstraint("price = 0 OR NOT is_open", name=op.f("ck_endpoint_open_is_free")),
        sa.CheckConstraint("price >= 0", name=op.f("ck_endpoint_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_endpoint_offering_id_offering")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_endpoint")),
        sa.UniqueConstraint(
            "offering_id", "method", "path", name=op.f("uq_endpoint_offering_id_method_path")
        ),
    )
    op.create_table(
        "hold",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
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
    op.create_index(
        "ix_hold_open",
        "hold",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "plan_offering",
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("offering_id", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_plan_offering_offering_id_offering")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_plan_offering_plan_id_plan")
        ),
        sa.PrimaryKeyConstraint("plan_id", "offering_id", name=op.f("pk_plan_offering")),
    )
    op.create_index(
        op.f("ix_plan_offering_offering_id"), "plan_offering", ["offering_id"], unique=False
    )
    op.create_table(
        "plan_version",
        sa.Column("id", BIG, nullable=False),
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("price_minor", BIG, nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("credits", BIG, nullable=False),
        sa.Column("duration_s", BIG, nullable=True),
        sa.Column("is_trial", sa.Boolean(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.CheckConstraint(
            "(kind = 'credits' AND credits > 0) OR (kind = 'time' AND credits = 0 AND duration_s > 0)",
            name=op.f("ck_plan_version_gives_credits_or_time"),
        ),
        sa.CheckConstraint("price_minor >= 0", name=op.f("ck_plan_version_price_not_negative")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_plan_version_plan_id_plan")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan_version")),
        sa.UniqueConstraint("plan_id", "number", name=op.f("uq_plan_version_plan_id_number")),
    )
    op.create_table(
        "service",
        sa.Column("offering_id", BIG, nullable=False),
        sa.Column("upstream_url", sa.String(), nullable=False),
        sa.Column("secret_id", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_service_offering_id_offering")
        ),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secret.id"], name=op.f("fk_service_secret_id_secret")
        ),
        sa.PrimaryKeyConstraint("offering_id", name=op.f("pk_service")),
    )
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("secret_id", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("retired_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["secret_id"], ["secret.id"], name=op.f("fk_signing_key_secret_id_secret")
        ),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_signing_key")),
    )
    op.create_table(
        "thread",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("offering_id", BIG, nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("provider_thread", sa.String(), nullable=True),
        sa.Column("chat_metadata", sa.JSON(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_thread_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_thread_offering_id_offering")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_thread")),
    )
    op.create_index(
        "ix_thread_account_id_updated_at",
        "thread",
        ["account_id", "updated_at", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_thread_offering_id"), "thread", ["offering_id"], unique=False)
    op.create_table(
        "credit_grant",
        sa.Column("id", BIG, nullable=False),
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("plan_version_id", BIG, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("source_ref", sa.Text(), nullable=False),
        sa.Column("priority", BIG, nullable=False),
        sa.Column("effective_at", BIG, nullable=False),
        sa.Column("expires_at", BIG, nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("remaining", BIG, nullable=False),
        sa.Column("held", BIG, nullable=False),
        sa.Column("revoked", BIG, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("cost_minor", BIG, nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "state IN ('active', 'frozen') OR remaining = 0",
            name=op.f("ck_credit_grant_ended_is_empty"),
        ),
        sa.CheckConstraint(
            "(cost_minor IS NULL) = (currency IS NULL)",
            name=op.f("ck_credit_grant_cost_has_currency"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_credit_grant_amount_positive")),
        sa.CheckConstraint("effective_at < expires_at", name=op.f("ck_credit_grant_has_a_life")),
        sa.CheckConstraint(
            "remaining >= 0 AND held >= 0 AND revoked >= 0 AND remaining + held + revoked <= amount",
            name=op.f("ck_credit_grant_within_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_credit_grant_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.id"],
            name=op.f("fk_credit_grant_plan_version_id_plan_version"),
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_credit_grant_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_grant")),
        sa.UniqueConstraint(
            "wallet_id",
            "source",
            "source_ref",
            name=op.f("uq_credit_grant_wallet_id_source_source_ref"),
        ),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_credit_grant_due",
        "credit_grant",
        ["expires_at"],
        unique=False,
        sqlite_where=sa.text("state = 'active'"),
        postgresql_where=sa.text("state = 'active'"),
    )
    op.create_index(
        "ix_credit_grant_live",
        "credit_grant",
        ["wallet_id", "priority", "expires_at", "id"],
        unique=False,
        sqlite_where=sa.text("remaining > 0"),
        postgresql_where=sa.text("remaining > 0"),
    )
    op.create_table(
        "message",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=True),
        sa.Column("speaker", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_message_thread_id_thread")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
    )
    op.create_index(op.f("ix_message_run_id"), "message", ["run_id"], unique=False)
    op.create_index(
        "ix_message_thread_id_created_at", "message", ["thread_id", "created_at"], unique=False
    )
    op.create_table(
        "run",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("offering_id", BIG, nullable=False),
        sa.Column("question_id", sa.String(), nullable=False),
        sa.Column("answer_id", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("provider_run", sa.String(), nullable=True),
        sa.Column("hold_id", BIG, nullable=True),
        sa.Column("receipt_id", sa.String(), nullable=False),
        sa.Column("price", BIG, nullable=False),
        sa.Column("charged", BIG, nullable=False),
        sa.Column("balance_after", BIG, nullable=True),
        sa.Column("included_until", BIG, nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("usage", sa.JSON(), nullable=True),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("first_text_at", BIG, nullable=True),
        sa.Column("ended_at", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_run_account_id_account")
        ),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_run_hold_id_hold")),
        sa.ForeignKeyConstraint(
            ["offering_id"], ["offering.id"], name=op.f("fk_run_offering_id_offering")
        ),
        sa.ForeignKeyConstraint(
            ["thread_id"], ["thread.id"], name=op.f("fk_run_thread_id_thread")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
    )
    op.create_index(op.f("ix_run_account_id"), "run", ["account_id"], unique=False)
    op.create_index(
        "ix_run_thread_id_created_at", "run", ["thread_id", "created_at"], unique=False
    )
    op.create_table(
        "subscription",
        sa.Column("id", BIG, nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("plan_id", BIG, nullable=False),
        sa.Column("plan_version_id", BIG, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("source_ref", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("starts_at", BIG, nullable=False),
        sa.Column("ends_at", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_subscription_account_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.id"], name=op.f("fk_subscription_plan_id_plan")
        ),
        sa.ForeignKeyConstraint(
            ["plan_version_id"],
            ["plan_version.id"],
            name=op.f("fk_subscription_plan_version_id_plan_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint(
            "account_id",
            "source",
            "source_ref",
            name=op.f("uq_subscription_account_id_source_source_ref"),
        ),
    )
    op.create_index(
        "ix_subscription_account_id_plan_id",
        "subscription",
        ["account_id", "plan_id"],
        unique=False,
    )
    op.create_index(op.f("ix_subscription_plan_id"), "subscription", ["plan_id"], unique=False)
    op.create_table(
        "allocation",
        sa.Column("hold_id", BIG, nullable=False),
        sa.Column("grant_id", BIG, nullable=False),
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_allocation_amount_positive")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grant.id"], name=op.f("fk_allocation_grant_id_credit_grant")
        ),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_allocation_hold_id_hold")),
        sa.PrimaryKeyConstraint("hold_id", "grant_id", name=op.f("pk_allocation")),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    op.create_index("ix_allocation_grant_id", "allocation", ["grant_id"], unique=False)
    op.create_table(
        "entry",
        sa.Column("wallet_id", BIG, nullable=False),
        sa.Column("seq", BIG, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("amount", BIG, nullable=False),
        sa.Column("balance_after", BIG, nullable=False),
        sa.Column("grant_id", BIG, nullable=True),
        sa.Column("hold_id", BIG, nullable=True),
        sa.Column("reverses", BIG, nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'charge') = (hold_id IS NOT NULL)", name=op.f("ck_entry_charge_has_hold")
        ),
        sa.CheckConstraint(
            "(kind = 'refund') = (reverses IS NOT NULL)", name=op.f("ck_entry_refund_reverses")
        ),
        sa.CheckConstraint(
            "(kind IN ('grant', 'refund') AND amount > 0) OR (kind = 'charge' AND amount <= 0) OR (kind IN ('expire', 'revoke') AND amount < 0)",
            name=op.f("ck_entry_sign_of_kind"),
        ),
        sa.CheckConstraint(
            "(grant_id IS NULL) = (amount = 0)", name=op.f("ck_entry_amount_has_grant")
        ),
        sa.CheckConstraint("balance_after >= 0", name=op.f("ck_entry_balance_not_negative")),
        sa.ForeignKeyConstraint(
            ["grant_id"], ["credit_grant.id"], name=op.f("fk_entry_grant_id_credit_grant")
        ),
        sa.ForeignKeyConstraint(["hold_id"], ["hold.id"], name=op.f("fk_entry_hold_id_hold")),
        sa.ForeignKeyConstraint(
            ["wallet_id", "reverses"],
            ["entry.wallet_id", "entry.seq"],
            name=op.f("fk_entry_wallet_id_entry"),
        ),
        sa.ForeignKeyConstraint(
            ["wallet_id"], ["wallet.id"], name=op.f("fk_entry_wallet_id_wallet")
        ),
        sa.PrimaryKeyConstraint("wallet_id", "seq", name=op.f("pk_entry")),
        sqlite_strict=True,
    )
    op.create_index("ix_entry_grant_id", "entry", ["grant_id"], unique=False)
    op.create_index(
        "ix_entry_reverses",
        "entry",
        ["wallet_id", "reverses"],
        unique=False,
        sqlite_where=sa.text("reverses IS NOT NULL"),
        postgresql_where=sa.text("reverses IS NOT NULL"),
    )
    op.create_index(
        "uq_entry_charge_leg",
        "entry",
        ["hold_id", "grant_id"],
        unique=True,
        sqlite_where=sa.text("kind = 'charge'"),
        postgresql_where=sa.text("kind = 'charge'"),
    )
    op.create_index(
        "uq_entry_idempotency_key",
        "entry",
        ["wallet_id", "kind", "idempotency_key"],
        unique=True,
        sqlite_where=sa.text("idempotency_key IS NOT NULL"),
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
    )
