"""May this subscriber use this offering now, and on which plans: decided without a database.

What somebody got of a plan is a *period*: for credits the life of those credits, for a time plan
the time in which everything is included. Periods are found by `storage.subscriptions`; whether the
answer is yes is for `host.metering.admission` to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from storage.moments import Micros


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One subscription of the subscriber, to a plan that covers the offering."""

    plan_id: int
    is_time: bool
    starts_at: Micros
    ends_at: Micros
    is_taken_back: bool = False
    """Whether it ended because the operator took the plan back."""

    def runs(self, now: Micros) -> bool:
        """Whether it has begun and not ended."""
        return self.starts_at <= now < self.ends_at and not self.is_taken_back


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What a subscriber's plans say about one offering at one moment."""

    plan_ids: tuple[int, ...]
    """Every covering plan ever had and kept: what credits are left on them may be spent here.

    What was taken back pays for nothing until it is given again, not even with what a refund puts
    there afterwards.
    """
    included_until: Micros | None
    """The end of the time plan that is running, its extensions counted; None without one."""
    is_running: bool
    """Whether any covering plan is running now."""
    ended: Period | None
    """Which of them ended last; None while one runs, or when there never was one."""

    @property
    def had_plan(self) -> bool:
        """Whether there ever was a covering plan."""
        return self.is_running or self.ended is not None


def entitlement(periods: Iterable[Period], *, now: Micros) -> Entitlement:
    """The answer that these periods give at `now`."""
    known = tuple(periods)
    kept = [period for period in known if not period.is_taken_back]
    running = [period for period in kept if period.runs(now)]
    on_time = {period.plan_id for period in running if period.is_time}
    return Entitlement(
        plan_ids=tuple(sorted({period.plan_id for period in kept})),
        included_until=max(
            (p.ends_at for p in kept if p.is_time and p.plan_id in on_time), default=None
        ),
        is_running=bool(running),
        ended=None if running else max(known, key=lambda period: period.ends_at, default=None),
    )
