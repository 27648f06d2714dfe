"""One person's own data, read in pages: so that years of it fit in the memory of one page.

For the download that everybody may have of what is kept about them. Nothing here is a secret:
passwords, cookies and links are kept as hashes and left out, access tokens are not kept at all.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import CompoundSelect, Select, case, tuple_, union_all
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col

from storage.ledger import refunded_of_hold
from storage.models.catalogue import Draft, Offering, Plan, PlanVersion, Subscription
from storage.models.conversations import (
    Attachment,
    Message,
    Speaker,
    Step,
    Thread,
    UpstreamDeletion,
)
from storage.models.money import Hold, Wallet
from storage.models.purchase import PurchaseOrder

PAGE: Final = 500
"""Rows read at a time."""

BY_SUBSCRIBER: Final = "user_message"
BY_ASSISTANT: Final = "assistant_message"
BY_FAREBOX: Final = "farebox"
"""Who speaks in what was drawn and is no message: the setup bot, Browse, and refusals."""

Row = Mapping[str, Any]


def receipts_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """Holds of the account's wallet in the order in which they were opened; `cursor` leads on."""
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Hold.id).label("cursor"),
            col(Hold.public_id).label("receipt"),
            col(Hold.operation),
            col(Hold.state),
            col(Offering.slug).label("offering"),
            col(Offering.title).label("title"),
            col(Hold.captured).label("charged"),
            refunded_of_hold().label("refunded"),
            col(Hold.created_at),
            col(Hold.ended_at),
        )
        .join(Wallet, col(Wallet.id) == col(Hold.wallet_id))
        .join(Offering, col(Offering.id) == col(Hold.offering_id), isouter=True)
        .where(col(Wallet.subscriber_id) == account_id, col(Hold.id) > (after or 0))
        .order_by(col(Hold.id))
        .limit(PAGE)
    )
    return _rows(session, statement)


def conversations_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """The account's threads by id; `cursor` leads on."""
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Thread.id).label("cursor"),
            col(Thread.id).label("conversation"),
            col(Thread.title),
            col(Offering.slug).label("offering"),
            col(Offering.title).label("assistant"),
            col(Thread.created_at),
            col(Thread.updated_at),
        )
        .join(Offering, col(Offering.id) == col(Thread.offering_id), isouter=True)
        .where(col(Thread.account_id) == account_id, col(Thread.id) > (after or ""))
        .order_by(col(Thread.id))
        .limit(PAGE)
    )
    return _rows(session, statement)


def messages_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """What was said in the account's threads, thread by thread; `cursor` is three columns.

    Also what the chat shows and no run answered: messages that were refused, and Farebox's own.
    """
    said = _said(account_id).subquery()
    place = (said.c.conversation, said.c.created_at, said.c.message)
    statement: Select[*tuple[Any, ...]] = (
        select_columns(said)
        .where(tuple_(*place) > (after or ("", 0, "")))
        .order_by(*place)
        .limit(PAGE)
    )
    return [
        {"cursor": (row["conversation"], row["created_at"], row["message"]), **row}
        for row in _rows(session, statement)
    ]


def _said(account_id: int) -> CompoundSelect[*tuple[Any, ...]]:
    spoken = case((col(Step.type) == BY_SUBSCRIBER, Speaker.SUBSCRIBER.value), else_=BY_FAREBOX)
    asked: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Message.thread_id).label("conversation"),
            col(Message.created_at).label("created_at"),
            col(Message.id).label("message"),
            col(Message.speaker).label("speaker"),
            col(Message.text).label("text"),
        )
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .where(col(Thread.account_id) == account_id)
    )
    drawn: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Step.thread_id), col(Step.created_at), col(Step.id), spoken, col(Step.output)
        )
        .join(Thread, col(Thread.id) == col(Step.thread_id))
        .join(Message, col(Message.id) == col(Step.id), isouter=True)
        .where(
            col(Thread.account_id) == account_id,
            col(Message.id).is_(None),
            col(Step.type).in_([BY_SUBSCRIBER, BY_ASSISTANT]),
            col(Step.output) != "",
        )
    )
    return union_all(asked, drawn)


def orders_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """The account's orders by number, with what each gave; `cursor` leads on."""
    order = PurchaseOrder
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(order.id).label("cursor"),
            col(order.id).label("order"),
            col(Plan.slug).label("plan"),
            col(Plan.title),
            col(PlanVersion.kind),
            col(order.provider).label("how"),
            col(order.state),
            col(order.amount_minor),
            col(order.currency),
            col(order.refunded_minor),
            col(order.created_at).label("ordered_at"),
            col(Subscription.starts_at),
            col(Subscription.ends_at),
        )
        .join(Plan, col(Plan.id) == col(order.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(order.plan_version_id))
        .join(Subscription, col(Subscription.id) == col(order.subscription_id), isouter=True)
        .where(col(order.account_id) == account_id, col(order.id) > (after or ""))
        .order_by(col(order.id))
        .limit(PAGE)
    )
    return _rows(session, statement)


def files_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """The files the account uploaded, by id, and when each was sent; `cursor` leads on."""
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Attachment.id).label("cursor"),
            col(Attachment.id).label("file"),
            col(Attachment.thread_id).label("conversation"),
            col(Attachment.message_id).label("message"),
            col(Attachment.name),
            col(Attachment.media_type),
            col(Attachment.size),
            col(Attachment.created_at).label("uploaded_at"),
            col(Message.created_at).label("sent_at"),
        )
        .join(Message, col(Message.id) == col(Attachment.message_id), isouter=True)
        .where(col(Attachment.account_id) == account_id, col(Attachment.id) > (after or ""))
        .order_by(col(Attachment.id))
        .limit(PAGE)
    )
    return _rows(session, statement)


def deletions_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """What the account deleted and a provider has not yet; `cursor` leads on."""
    note = UpstreamDeletion
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(note.id).label("cursor"),
            col(note.thread_id).label("conversation"),
            col(note.base_url).label("provider"),
            col(note.created_at).label("deleted_at"),
            col(note.tries),
            col(note.next_at).label("tried_again_at"),
        )
        .where(col(note.account_id) == account_id, col(note.id) > (after or 0))
        .order_by(col(note.id))
        .limit(PAGE)
    )
    return _rows(session, statement)


def drafts_page(session: Session, account_id: int, after: Any) -> list[Row]:
    """What the account has described to the setup bot, by id; `cursor` leads on."""
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Draft.id).label("cursor"),
            col(Draft.id).label("draft"),
            col(Draft.state),
            col(Draft.fields),
            col(Draft.created_at),
            col(Draft.updated_at),
        )
        .where(col(Draft.account_id) == account_id, col(Draft.id) > (after or ""))
        .order_by(col(Draft.id))
        .limit(PAGE)
    )
    return _rows(session, statement)


def _rows(session: Session, statement: Select[*tuple[Any, ...]]) -> list[Row]:
    return [dict(row) for row in session.connection().execute(statement).mappings()]
