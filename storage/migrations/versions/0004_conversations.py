"""Files sent with messages, and search in what was said.

Revision ID: 0004
Revises: 0003
"""

from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

BIG: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
SEARCH: Final = Path(__file__).parents[1]
UNSENT: Final = sa.text("message_id IS NULL")


def upgrade() -> None:
    """Add the tables, and make what was said before findable."""
    op.add_column(
        "assistant", sa.Column("accepts", sa.String(), nullable=False, server_default="none")
    )
    create_attachments()
    create_deletions()
    kind = op.get_bind().dialect.name
    script = (SEARCH / kind / "0004_search.sql").read_text(encoding="utf-8")
    for statement in script.split("\n\n"):
        if not statement.startswith("--"):
            op.execute(sa.text(statement))


def create_attachments() -> None:
    """Files, and apart from them their bytes."""
    op.create_table(
        "attachment",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("account_id", BIG, nullable=False),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("message_id", sa.String(), nullable=True),
        sa.Column("kept_for", sa.String(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("media_type", sa.String(), nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_attachment_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachment")),
    )
    op.create_index("ix_attachment_thread_id", "attachment", ["thread_id"], unique=False)
    op.create_index("ix_attachment_message_id", "attachment", ["message_id"], unique=False)
    op.create_index(
        "ix_attachment_unsent",
        "attachment",
        ["account_id", "created_at"],
        unique=False,
        sqlite_where=UNSENT,
        postgresql_where=UNSENT,
    )
    op.create_table(
        "attachment_content",
        sa.Column("attachment_id", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["attachment_id"],
            ["attachment.id"],
            name=op.f("fk_attachment_content_attachment_id_attachment"),
        ),
        sa.PrimaryKeyConstraint("attachment_id", name=op.f("pk_attachment_content")),
    )


def create_deletions() -> None:
    """What is still to be deleted at providers."""
    op.create_table(
        "upstream_deletion",
        sa.Column("id", BIG, nullable=False),
        sa.Column("account_id", BIG, nullable=True),
        sa.Column("thread_id", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=False),
        sa.Column("secret_id", sa.String(), nullable=False),
        sa.Column("provider_thread", sa.String(), nullable=True),
        sa.Column("provider_runs", sa.JSON(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_at", BIG, nullable=True),
        sa.Column("created_at", BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_upstream_deletion_account_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upstream_deletion")),
    )
    op.create_index(
        "ix_upstream_deletion_account_id", "upstream_deletion", ["account_id"], unique=False
    )
    op.create_index("ix_upstream_deletion_next_at", "upstream_deletion", ["next_at"], unique=False)
