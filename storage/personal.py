"""One person's own data, read in pages: so that years of it fit in the memory of one page.

For the download that everybody may have of what is kept about them. Nothing here is a secret:
passwords, cookies and links are kept as hashes and left out, access tokens are not kept at all.
"""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Select, tuple_
from sqlalchemy import select as select_columns  # SQLModel's own stops at four
from sqlmodel import Session, col

from storage.ledger import refunded_of_hold
from storage.models.catalogue import Draft, Offering
from storage.models.conversations import Message, Thread
from storage.models.money import Hold, Wallet

PAGE: Final = 500
"""Rows read at a time."""

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
    """What was said in the account's threads, thread by thread; `cursor` is three columns."""
    place = tuple_(col(Message.thread_id), col(Message.created_at), col(Message.id))
    statement: Select[*tuple[Any, ...]] = (
        select_columns(
            col(Message.thread_id).label("conversation"),
            col(Message.created_at),
            col(Message.id).label("message"),
            col(Message.speaker),
            col(Message.text),
        )
        .join(Thread, col(Thread.id) == col(Message.thread_id))
        .where(col(Thread.account_id) == account_id, place > (after or ("", 0, "")))
        .order_by(col(Message.thread_id), col(Message.created_at), col(Message.id))
        .limit(PAGE)
    )
    return [
        {"cursor": (row["conversation"], row["created_at"], row["message"]), **row}
        for row in _rows(session, statement)
    ]


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
