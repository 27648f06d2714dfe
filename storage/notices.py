"""What stands beside an answer because of money: a threshold crossed, a plan about to end.

Nothing is stored for it and nothing marked as told. A charge that crosses a threshold leaves a
line in the outbox under the wallet's version, and that version names one hold and so one answer;
a plan's end is told under the first answer of a day. So whoever draws an answer, in whichever
process and however often, draws the same notice under the same answer and under no other.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import and_, or_, tuple_
from sqlmodel import Session, col, exists, select

from storage.cards import OfferingCard
from storage.catalogue import find_cards
from storage.concerns import raised_about
from storage.credits import LOW_MESSAGES, BalanceMark, MilliCredits, day_of
from storage.entitlement import entitlement
from storage.models.catalogue import (
    OfferingState,
    Plan,
    PlanKind,
    PlanOffering,
    PlanVersion,
    Subscription,
    SubscriptionState,
)
from storage.models.conversations import Run, Step, Thread
from storage.models.money import CreditGrant, Entry, EntryKind, Hold, OutboxLine, Wallet
from storage.models.people import ConcernKind, ConcernState
from storage.moments import DAY, NEVER, Micros
from storage.subscriptions import periods_by_offering

TOPICS: Final = (f"balance.{BalanceMark.LOW}", f"balance.{BalanceMark.EXHAUSTED}")
SOON: Final = 3 * DAY
TENTH: Final = 10
"""A plan ends soon in its last three days, or in the last tenth of a life shorter than thirty."""
DISCLOSURE: Final = "system_message"
"""The type of a step in which Farebox itself says something in a conversation."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """An answer's charge took the balance below a threshold."""

    left: MilliCredits
    price: MilliCredits

    @property
    def is_exhausted(self) -> bool:
        """Whether it is not enough for another one."""
        return self.left < self.price


@dataclass(frozen=True, slots=True)
class Ending:
    """A plan that is about to end."""

    plan_id: int
    plan_title: str
    is_time: bool
    begins_at: Micros
    ends_at: Micros

    @property
    def near_from(self) -> int:
        """Since when it is time to say so."""
        return self.ends_at - min(SOON, (self.ends_at - self.begins_at) // TENTH)

    def is_near(self, at: int) -> bool:
        """Whether it is time to say so."""
        return self.near_from <= at < self.ends_at


@dataclass(frozen=True, slots=True)
class AgainTerms:
    """The last answer of a conversation, and for what its question can be asked again now."""

    answer_id: str
    price: MilliCredits
    is_included: bool


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the answers of a conversation, by the run that gave them."""

    crossings: Mapping[str, Crossing]
    endings: Mapping[str, Sequence[Ending]]
    again: AgainTerms | None
    plan_to_buy: str | None
    """The plan, by its name in addresses, with which one gets more."""
    raised: Mapping[str, Mapping[ConcernKind, ConcernState]]
    """What was asked about answers, by their receipts."""


NOTHING: Final = Beside({}, {}, None, None, {})


def read_beside(
    session: Session, thread_id: str, *, now: Micros, run_id: str | None = None
) -> Beside:
    """All of a conversation's, or only what belongs to one of its runs."""
    thread = session.get(Thread, thread_id)
    if thread is None or thread.account_id is None or thread.offering_id is None:
        return NOTHING
    card = next(iter(find_cards(session, ids=[thread.offering_id])), None)
    if card is None:
        return NOTHING
    query = select(Run).where(Run.thread_id == thread_id, col(Run.ended_at).is_not(None))
    if run_id is not None:
        query = query.where(Run.id == run_id)
    runs = session.exec(query).all()
    had = {p.plan_id for p, _ in periods_by_offering(session, thread.account_id).get(card.id, ())}
    plan = card.plan_to_buy(had=had)
    return Beside(
        crossings=_crossings(session, runs),
        endings=_endings_by_run(session, thread.account_id, card.id, runs),
        again=again_terms(session, thread, card, now=now),
        plan_to_buy=plan.slug if plan else None,
        raised=raised_about(session, [run.receipt_id for run in runs]),
    )


def again_terms(
    session: Session, thread: Thread, card: OfferingCard, *, now: Micros
) -> AgainTerms | None:
    """On which terms the last question can be asked again; None when it cannot be."""
    last = last_run(session, thread.id)
    if last is None or last.ended_at is None or card.state is not OfferingState.PUBLISHED:
        return None
    assert thread.account_id is not None, "whoever asked has an account"
    periods = periods_by_offering(session, thread.account_id).get(card.id, ())
    entitled = entitlement((p for p, _ in periods), now=now)
    is_included = card.owner_id != thread.account_id and entitled.included_until is not None
    price = card.price_for(thread.account_id, entitled)
    return AgainTerms(last.answer_id, price, is_included=is_included)


def last_run(session: Session, thread_id: str) -> Run | None:
    """The newest run of a conversation, under way or over."""
    statement = select(Run).where(Run.thread_id == thread_id)
    return session.exec(statement.order_by(col(Run.created_at).desc(), col(Run.id).desc())).first()


def disclosure_id(account_id: int, offering_id: int) -> str:
    """The one name of what is disclosed to a person about an assistant: so it is said once."""
    return f"disclosed:{account_id}:{offering_id}"


def undisclosed(session: Session, account_id: int, offering_ids: Iterable[int]) -> frozenset[int]:
    """Of these assistants, the ones about which the person was told nothing yet."""
    by_id = {disclosure_id(account_id, offering): offering for offering in offering_ids}
    told = session.exec(select(Step.id).where(col(Step.id).in_(by_id))).all()
    return frozenset(by_id.values()) - {by_id[step_id] for step_id in told}


def _crossings(session: Session, runs: Sequence[Run]) -> dict[str, Crossing]:
    low = {
        run.hold_id: run.id
        for run in runs
        if run.charged and (run.balance_after or 0) < LOW_MESSAGES * run.price
    }
    if not low:
        return {}
    statement = (
        select(Hold, OutboxLine)
        .join(OutboxLine, col(OutboxLine.created_at) == col(Hold.ended_at))
        .where(col(Hold.id).in_(low), col(OutboxLine.topic).in_(TOPICS))
    )
    return {
        low[hold.id]: Crossing(
            MilliCredits(line.payload["left"]), MilliCredits(line.payload["price"])
        )
        for hold, line in session.exec(statement)
        if (line.payload["wallet_id"], line.payload["version"])
        == (hold.wallet_id, hold.ended_version)
    }


def _endings_by_run(
    session: Session, account_id: int, offering_id: int, runs: Sequence[Run]
) -> dict[str, list[Ending]]:
    found: dict[str, list[Ending]] = {}
    if not runs:
        return found
    for ending in _ends(session, account_id, offering_id):
        for run in runs:
            if ending.is_near(run.ended_at or 0) and _is_first_of_day(session, run, ending):
                found.setdefault(run.id, []).append(ending)
    return found


def _ends(session: Session, account_id: int, offering_id: int) -> list[Ending]:
    """The ends that are known: of time plans, extensions counted, and of credits that are left."""
    on_time = _time_ends(session, account_id, offering_id)
    return [*on_time, *_credit_ends(session, account_id, offering_id)]


def _time_ends(session: Session, account_id: int, offering_id: int) -> list[Ending]:
    rows = session.exec(
        select(Subscription, Plan)
        .join(PlanOffering, col(PlanOffering.plan_id) == col(Subscription.plan_id))
        .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
        .join(Plan, col(Plan.id) == col(Subscription.plan_id))
        .where(
            Subscription.account_id == account_id,
            PlanOffering.offering_id == offering_id,
            Subscription.state != SubscriptionState.CANCELLED.value,
            PlanVersion.kind == PlanKind.TIME.value,
            Subscription.ends_at < NEVER,
        )
        .order_by(col(Subscription.ends_at))
    )
    last = {
        got.plan_id: Ending(
            plan_id=got.plan_id,
            plan_title=plan.title,
            is_time=True,
            begins_at=Micros(got.starts_at),
            ends_at=Micros(got.ends_at),
        )
        for got, plan in rows
    }
    return list(last.values())


def _credit_ends(session: Session, account_id: int, offering_id: int) -> list[Ending]:
    had_some = exists().where(
        col(Entry.wallet_id) == col(CreditGrant.wallet_id),
        col(Entry.grant_id) == col(CreditGrant.id),
        col(Entry.kind) == EntryKind.EXPIRE.value,
    )
    rows = session.exec(
        select(CreditGrant, Plan)
        .join(Wallet, col(Wallet.id) == col(CreditGrant.wallet_id))
        .join(PlanOffering, col(PlanOffering.plan_id) == col(CreditGrant.plan_id))
        .join(Plan, col(Plan.id) == col(CreditGrant.plan_id))
        .where(
            Wallet.subscriber_id == account_id,
            PlanOffering.offering_id == offering_id,
            CreditGrant.expires_at < NEVER,
            or_(
                and_(
                    col(CreditGrant.state) == "active",
                    col(CreditGrant.remaining) + col(CreditGrant.held) > 0,
                ),
                had_some,
            ),
        )
        .order_by(col(CreditGrant.expires_at))
    )
    return [
        Ending(
            plan_id=grant.plan_id,
            plan_title=plan.title,
            is_time=False,
            begins_at=Micros(grant.effective_at),
            ends_at=Micros(grant.expires_at),
        )
        for grant, plan in rows
    ]


def _is_first_of_day(session: Session, run: Run, ending: Ending) -> bool:
    """Whether no answer before it on that day, of any assistant on the plan, said so already."""
    assert run.ended_at is not None, "only what has ended has a receipt to stand under"
    covered = select(PlanOffering.offering_id).where(PlanOffering.plan_id == ending.plan_id)
    earlier = (
        select(Run.id)
        .where(
            Run.account_id == run.account_id,
            col(Run.ended_at) >= max(day_of(run.ended_at) * DAY, ending.near_from),
            tuple_(col(Run.ended_at), col(Run.id)) < (run.ended_at, run.id),
            col(Run.offering_id).in_(covered),
        )
        .limit(1)
    )
    return session.exec(earlier).first() is None
