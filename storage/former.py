"""Find and save which free plans people had whose accounts are deleted.

Whose they are is a mark that `host.identity.former` makes; nothing here leads to an account.
"""

from collections.abc import Iterable

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from storage.models.catalogue import PlanVersion, Subscription
from storage.models.people import FormerTrial


def free_plans_had(session: Session, account_id: int) -> tuple[int, ...]:
    """Every plan that the account got on terms that cost nothing, however it got it."""
    rows = (
        select(Subscription.plan_id)
        .join(PlanVersion, col(PlanVersion.id) == col(Subscription.plan_version_id))
        .where(Subscription.account_id == account_id, PlanVersion.price_minor == 0)
    )
    return tuple(session.exec(rows.distinct()))


def add_former(session: Session, mark: bytes, plan_ids: Iterable[int]) -> None:
    """Save that somebody of this mark had these plans; what is known stays as it is."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = (sqlite.insert if is_sqlite else postgresql.insert)(FormerTrial)
    lines = [{"mark": mark, "plan_id": plan_id} for plan_id in plan_ids]
    session.execute(insert.values(lines).on_conflict_do_nothing())


def plans_of_mark(session: Session, mark: bytes) -> frozenset[int]:
    """The plans that somebody of this mark had."""
    return frozenset(session.exec(select(FormerTrial.plan_id).where(FormerTrial.mark == mark)))
