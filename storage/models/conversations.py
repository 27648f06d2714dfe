"""What was said: threads, messages and runs of ours, and the steps that the chat draws.

A *message* is what somebody said and the truth about its text; a *run* is one attempt to answer.
A *step* is what Chainlit shows on the page. The chat's history is drawn from steps, with the text
of messages laid over them, so that an answer finished while nobody watched is there on return.

What people search in is not declared here: `search_line` and its index are filled by triggers of
the database, differently on each kind of it (migration 0004), and read by `storage.search` alone.
"""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, LargeBinary, Text, text
from sqlmodel import Field, Index, SQLModel

from storage.models.base import BigInt
from storage.run_states import RunState

_UNSENT = text("message_id IS NULL")


class Speaker(StrEnum):
    """Who said a message."""

    SUBSCRIBER = "subscriber"
    ASSISTANT = "assistant"


class Thread(SQLModel, table=True):
    """One conversation of one person: with one assistant, or with the setup bot."""

    __tablename__ = "thread"
    __table_args__ = (Index("ix_thread_account_id_updated_at", "account_id", "updated_at", "id"),)

    id: str = Field(primary_key=True)
    account_id: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt)
    offering_id: int | None = Field(
        default=None, foreign_key="offering.id", index=True, sa_type=BigInt
    )
    title: str | None = None
    provider_thread: str | None = Field(
        default=None, description="its counterpart upstream, as in `conv_…`"
    )
    chat_metadata: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    tags: list[str] = Field(default_factory=list, sa_type=JSON)
    created_at: int = Field(sa_type=BigInt)
    updated_at: int = Field(sa_type=BigInt)


class Message(SQLModel, table=True):
    """One utterance in a thread."""

    __tablename__ = "message"
    __table_args__ = (Index("ix_message_thread_id_created_at", "thread_id", "created_at"),)

    id: str = Field(primary_key=True, description="also the id of the step that shows it")
    thread_id: str = Field(foreign_key="thread.id")
    run_id: str | None = Field(default=None, index=True)
    speaker: str
    text: str = Field(sa_type=Text)
    created_at: int = Field(sa_type=BigInt)
    updated_at: int = Field(sa_type=BigInt)


class Run(SQLModel, table=True):
    """One attempt to answer; owns exactly one hold from its beginning to its end."""

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_thread_id_created_at", "thread_id", "created_at"),)

    id: str = Field(primary_key=True)
    thread_id: str = Field(foreign_key="thread.id")
    account_id: int = Field(foreign_key="account.id", index=True, sa_type=BigInt)
    offering_id: int = Field(foreign_key="offering.id", sa_type=BigInt)
    question_id: str
    answer_id: str
    state: str = RunState.QUEUED
    provider: str
    provider_run: str | None = Field(default=None, description="its name upstream, as in `resp_…`")
    hold_id: int | None = Field(default=None, foreign_key="hold.id", sa_type=BigInt)
    receipt_id: str = Field(description="the hold's public id")
    price: int = Field(sa_type=BigInt, description="milli-credits; 0 under a time plan")
    charged: int = Field(default=0, sa_type=BigInt)
    balance_after: int | None = Field(
        default=None, sa_type=BigInt, description="what could be spent here when it ended"
    )
    included_until: int | None = Field(
        default=None, sa_type=BigInt, description="end of the time plan that included it"
    )
    outcome: str | None = Field(
        default=None,
        description="why it ended as it did, as in `upstream_failed`; NULL if well. Before its end"
        " `stopped`, if somebody asked another process than its owner to stop it",
    )
    usage: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    owner: str = Field(description="the process that drives it")
    created_at: int = Field(sa_type=BigInt)
    first_text_at: int | None = Field(default=None, sa_type=BigInt)
    ended_at: int | None = Field(default=None, sa_type=BigInt)


class Step(SQLModel, table=True):
    """What Chainlit shows of a thread: one bubble, tool call or group."""

    __tablename__ = "step"
    __table_args__ = (Index("ix_step_thread_id_created_at", "thread_id", "created_at"),)

    id: str = Field(primary_key=True)
    # No foreign key: Chainlit may store a step before its thread, and a child before its parent.
    thread_id: str
    parent_id: str | None = None
    type: str
    name: str = ""
    input: str = Field(default="", sa_type=Text)
    output: str = Field(default="", sa_type=Text)
    is_error: bool = False
    created_at: int = Field(sa_type=BigInt)
    start_at: int | None = Field(default=None, sa_type=BigInt)
    end_at: int | None = Field(default=None, sa_type=BigInt)
    extra: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)


class Element(SQLModel, table=True):
    """Something drawn with a step: a card, a form, a picture."""

    __tablename__ = "element"

    id: str = Field(primary_key=True)
    thread_id: str = Field(index=True)
    for_id: str = Field(index=True)
    type: str
    name: str
    display: str = "inline"
    props: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    content: str | None = Field(default=None, sa_type=Text)
    mime: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    created_at: int = Field(sa_type=BigInt)


class Feedback(SQLModel, table=True):
    """Thumbs up or down on an answer."""

    __tablename__ = "feedback"

    id: str = Field(primary_key=True)
    for_id: str = Field(unique=True)
    thread_id: str = Field(index=True)
    value: int
    comment: str | None = None
    created_at: int = Field(sa_type=BigInt)


class Attachment(SQLModel, table=True):
    """A file that was sent with a message, or will be; what is known of it but its bytes."""

    __tablename__ = "attachment"
    __table_args__ = (
        Index(
            "ix_attachment_unsent",
            "account_id",
            "created_at",
            sqlite_where=_UNSENT,
            postgresql_where=_UNSENT,
        ),
    )

    id: str = Field(primary_key=True)
    account_id: int = Field(foreign_key="account.id", sa_type=BigInt)
    # No foreign keys: a file comes before its message, and the first one before its thread.
    thread_id: str = Field(index=True)
    message_id: str | None = Field(default=None, index=True, description="NULL until it is sent")
    kept_for: str | None = Field(
        default=None, description="the refused message that it waits with, to be sent after all"
    )
    position: int = Field(default=0, description="its place among the files of the message")
    name: str
    kind: str
    media_type: str = Field(description="by its content, whatever the browser said")
    size: int = Field(sa_type=BigInt, description="bytes")
    width: int | None = Field(default=None, description="pixels, of an image")
    height: int | None = None
    created_at: int = Field(sa_type=BigInt)


class AttachmentContent(SQLModel, table=True):
    """The bytes of a file, apart from what lists of files need."""

    __tablename__ = "attachment_content"

    attachment_id: str = Field(primary_key=True, foreign_key="attachment.id")
    content: bytes = Field(sa_type=LargeBinary)


class UpstreamDeletion(SQLModel, table=True):
    """What a deleted conversation left at its provider, until it is deleted there as well."""

    __tablename__ = "upstream_deletion"

    id: int | None = Field(default=None, primary_key=True, sa_type=BigInt)
    account_id: int | None = Field(
        default=None, foreign_key="account.id", index=True, sa_type=BigInt
    )
    thread_id: str
    provider: str
    base_url: str
    secret_id: str
    provider_thread: str | None = None
    provider_runs: list[str] = Field(default_factory=list, sa_type=JSON)
    tries: int = 0
    next_at: int | None = Field(
        default=None, index=True, sa_type=BigInt, description="NULL: given up"
    )
    created_at: int = Field(sa_type=BigInt)
