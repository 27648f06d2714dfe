"""Make an account nobody's: what tells of a person goes, what the books need stays under a number.

The account's row, its wallet and what was bought keep their places, because entries refer to them
and bookkeeping law wants them kept; no name, address or word of the person is left on them.
Whether an account may be deleted is read here and decided by `host.personal.deletion`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, exists, or_, update
from sqlmodel import Session, col, select

from storage import attachments
from storage.credits import HoldState
from storage.deletions import delete_thread, lock_threads
from storage.models.accounts import (
    AccessToken,
    Account,
    AccountRole,
    AccountState,
    AuditLine,
    LoginSession,
    OneTimeLink,
)
from storage.models.catalogue import (
    Draft,
    Offering,
    OfferingState,
    Plan,
    PlanKind,
    PlanOffering,
    PlanState,
    PlanVersion,
    Subscription,
    SubscriptionState,
)
from storage.models.conversations import Attachment, Run, Thread
from storage.models.money import CreditGrant, Hold, Wallet
from storage.models.people import Concern, ConcernState
from storage.models.purchase import PurchaseOrder
from storage.models.vault import Secret
from storage.moments import Micros
from storage.order_states import OrderState

UNDECIDED: Final = (
    OrderState.PENDING.value, OrderState.PAID.value, OrderState.DISPUTED.value
)  # fmt: skip
"""An order in one of these still waits for somebody else."""
SOLD: Final = (OfferingState.PUBLISHED.value, OfferingState.PAUSED.value)


@dataclass(frozen=True, slots=True)
class Hindrances:
    """What keeps an account from being deleted just now."""

    is_answering: bool
    """An answer is being written, or credits are held for a call."""
    held_offerings: tuple[str, ...]
    """Titles of its offerings that other people still have."""
    open_orders: tuple[str, ...]
    """Titles of plans whose payment is on its way, or disputed."""


def hindrances(session: Session, account_id: int, now: Micros) -> Hindrances:
    """Read them; under the wallet's lock, so that no hold is opened meanwhile."""
    open_hold = (
        select(Hold.id)
        .join(Wallet, col(Wallet.id) == col(Hold.wallet_id))
        .where(Wallet.subscriber_id == account_id, Hold.state == HoldState.OPEN.value)
    )
    unfinished = select(Run.id).where(Run.account_id == account_id, col(Run.ended_at).is_(None))
    return Hindrances(
        is_answering=any(session.exec(one.limit(1)).first() for one in (open_hold, unfinished)),
        held_offerings=_held_offerings(session, account_id, now),
        open_orders=_open_orders(session, account_id),
    )


def offerings_on_sale(session: Session, owner_id: int) -> list[tuple[str, OfferingState]]:
    """The owner's offerings that are published or paused, by slug."""
    rows = select(Offering.slug, Offering.state).where(
        Offering.owner_id == owner_id, col(Offering.state).in_(SOLD)
    )
    return [(slug, OfferingState(state)) for slug, state in session.exec(rows)]


def erase_account(session: Session, account_id: int, email: str, now: Micros) -> None:
    """Take the person out of every table. Does the same when it is done again."""
    name = nobody(account_id)
    erase_conversations(session, account_id, now)
    session.execute(delete(LoginSession).where(col(LoginSession.account_id) == account_id))
    session.execute(delete(AccountRole).where(col(AccountRole.account_id) == account_id))
    session.execute(
        delete(OneTimeLink).where(
            or_(col(OneTimeLink.account_id) == account_id, col(OneTimeLink.email) == email)
        )
    )
    session.execute(
        update(AccessToken).where(col(AccessToken.account_id) == account_id).values(name="")
    )
    asked = col(Concern.account_id) == account_id
    session.execute(update(Concern).where(asked).values(text="", note=""))
    session.execute(
        update(Concern)
        .where(asked, col(Concern.state) == ConcernState.OPEN.value)
        .values(state=ConcernState.CLOSED.value, closed_at=now)
    )
    _erase_building(session, account_id)
    session.execute(
        update(AuditLine)
        .where(col(AuditLine.subject) == f"account:{email}")
        .values(subject=f"account:{name}")
    )
    session.execute(
        update(Account)
        .where(col(Account.id) == account_id)
        .values(email=name, name="", password_hash=None, state=AccountState.DELETED.value)
    )


def erase_conversations(session: Session, account_id: int, now: Micros) -> None:
    """Every conversation of the account, with all that was said, sent and drawn in it.

    What providers have of them is noted, and deleted there by whoever works the notes off.
    """
    for thread_id in lock_conversations(session, account_id):
        delete_thread(session, thread_id, now)
    attachments.forget(session, Attachment.account_id == account_id)  # what was never sent


def lock_conversations(session: Session, account_id: int) -> Sequence[str]:
    """Lock every conversation of the account, as a run that begins or ends locks its own.

    To be called before the account's wallet is locked.
    """
    return lock_threads(session, Thread.account_id == account_id)


def erase_orders(session: Session, account_id: int) -> None:
    """What was ordered and paid stays; why somebody gave up, and where they came from, goes.

    Orders are locked before wallets everywhere, so this comes before the wallet is locked.
    """
    session.execute(
        update(PurchaseOrder)
        .where(col(PurchaseOrder.account_id) == account_id)
        .values(return_to="", reason="")
    )


def nobody(account_id: int) -> str:
    """What stands where the address was: unique, and an address that nobody can enter."""
    return f"deleted:{account_id}"


def _erase_building(session: Session, account_id: int) -> None:
    """Drafts, plans on sale, and every secret: what is sealed is overwritten, for good."""
    session.execute(delete(Draft).where(col(Draft.account_id) == account_id))
    session.execute(
        update(Plan).where(col(Plan.owner_id) == account_id).values(state=PlanState.ARCHIVED.value)
    )
    # Not deleted: retired offerings refer to them.
    nothing = {"ciphertext": b"", "nonce": b"", "wrapped_key": b"", "wrap_nonce": b""}
    session.execute(
        update(Secret)
        .where(col(Secret.owner_id) == account_id)
        .values(last4="", bound_to="", **nothing)
    )


def _open_orders(session: Session, account_id: int) -> tuple[str, ...]:
    rows = (
        select(Plan.title)
        .join(PurchaseOrder, col(PurchaseOrder.plan_id) == col(Plan.id))
        .where(PurchaseOrder.account_id == account_id, col(PurchaseOrder.state).in_(UNDECIDED))
    )
    return tuple(session.exec(rows.distinct().order_by(Plan.title)))


def _held_offerings(session: Session, owner_id: int, now: Micros) -> tuple[str, ...]:
    """What others can still use of this owner's: time that runs, or credits that are left."""
    others = (
        select(Subscription.id)
        .join(PlanOffering, col(PlanOffering.plan_id) == col(Subscription.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
        .where(
            col(PlanOffering.offering_id) == col(Offering.id),
            Subscription.account_id != owner_id,
            Subscription.state != SubscriptionState.CANCELLED.value,
            Subscription.ends_at > now,
        )
    )
    credits_left = exists().where(
        col(Wallet.subscriber_id) == col(Subscription.account_id),
        col(CreditGrant.wallet_id) == col(Wallet.id),
        col(CreditGrant.plan_id) == col(Subscription.plan_id),
        col(CreditGrant.expires_at) > now,
        col(CreditGrant.remaining) + col(CreditGrant.held) > 0,
    )
    is_held = others.where(
        or_(col(PlanVersion.kind) == PlanKind.TIME.value, credits_left)
    ).exists()
    rows = select(Offering.title).where(
        Offering.owner_id == owner_id, col(Offering.state).in_(SOLD), is_held
    )
    return tuple(session.exec(rows.order_by(Offering.title)))
