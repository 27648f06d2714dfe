"""How subscribers stand with offerings: their plans' periods and what they can spend, in one read.

For showing. Before anything is charged, `storage.subscriptions.admission_facts` is asked again.
"""

from collections.abc import Iterable, Mapping

from sqlmodel import Session, col, select

from storage.cards import OfferingCard, PurchasedOffering, Standing
from storage.catalogue import find_cards
from storage.credits import GrantState, MilliCredits
from storage.entitlement import Period, entitlement
from storage.ledger import balances
from storage.models.catalogue import OfferingState
from storage.models.money import CreditGrant, GrantSource, Wallet
from storage.moments import Micros
from storage.subscriptions import periods_by_offering

SHOWN: frozenset[OfferingState] = frozenset({OfferingState.PUBLISHED, OfferingState.PAUSED})


def standing(session: Session, *, account_id: int, offering_id: int, now: Micros) -> Standing:
    """How the account stands with one offering."""
    periods = periods_by_offering(session, account_id).get(offering_id, ())
    return standing_of(
        (period for period, _ in periods), _spendable(session, account_id, now), now
    )


def purchased(session: Session, *, account_id: int, now: Micros) -> tuple[PurchasedOffering, ...]:
    """Published and paused offerings that a plan of the account covers or covered, by title."""
    periods = periods_by_offering(session, account_id)
    spendable = _spendable(session, account_id, now)
    return tuple(
        _purchased(card, periods[card.id], spendable, now)
        for card in find_cards(session, ids=periods)
        if card.state in SHOWN
    )


def standing_of(
    periods: Iterable[Period], spendable: Mapping[int, MilliCredits], now: Micros
) -> Standing:
    """What these periods entitle to, and what credits their plans have left; by plan."""
    entitled = entitlement(periods, now=now)
    return Standing(
        entitlement=entitled,
        available=MilliCredits(sum(spendable.get(plan_id, 0) for plan_id in entitled.plan_ids)),
    )


def last_grants(session: Session, account_id: int, now: Micros) -> Mapping[int, tuple[int, int]]:
    """Of each plan the newest grant that is live: its id and its amount.

    Not what a refund gave back: a small one would hide that credits run low.
    """
    rows = session.exec(
        select(CreditGrant.plan_id, CreditGrant.id, CreditGrant.amount)
        .join(Wallet, col(Wallet.id) == col(CreditGrant.wallet_id))
        .where(
            Wallet.subscriber_id == account_id,
            CreditGrant.state == GrantState.ACTIVE.value,
            CreditGrant.source != GrantSource.REFUND.value,
            col(CreditGrant.effective_at) <= now,
            col(CreditGrant.expires_at) > now,
        )
        .order_by(col(CreditGrant.id))
    )
    return {plan_id: (grant_id or 0, amount) for plan_id, grant_id, amount in rows}


def _purchased(
    card: OfferingCard,
    periods: Iterable[tuple[Period, str]],
    spendable: Mapping[int, MilliCredits],
    now: Micros,
) -> PurchasedOffering:
    known = tuple(periods)
    return PurchasedOffering(
        offering=card,
        standing=standing_of((period for period, _ in known), spendable, now),
        plan_titles=tuple(dict.fromkeys(title for _, title in known)),
    )


def _spendable(session: Session, account_id: int, now: Micros) -> Mapping[int, MilliCredits]:
    return {line.plan_id: line.available for line in balances(session, account_id, now)}
