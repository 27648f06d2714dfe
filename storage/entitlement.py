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

    def runs(self, now: Micros) -> bool:
        """Whether it has begun and not ended."""
        return self.starts_at <= now < self.ends_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What a subscriber's plans say about one offering at one moment."""

    plan_ids: tuple[int, ...]
    """Every covering plan ever had: what credits are left on them may be spent here."""
    included_until: Micros | None
    """The end of the time plan that is running, its extensions counted; None without one."""
    is_running: bool
    """Whether any covering plan is running now."""
    ended_at: Micros | None
    """When the last of them ended; None while one runs, or when there never was one."""

    @property
    def had_plan(self) -> bool:
        """Whether there ever was a covering plan."""
        return bool(self.plan_ids)


def entitlement(periods: Iterable[Period], *, now: Micros) -> Entitlement:
    """The answer that these periods give at `now`."""
    known = tuple(periods)
    running = [period for period in known if period.runs(now)]
    on_time = {period.plan_id for period in running if period.is_time}
    return Entitlement(
        plan_ids=tuple(sorted({period.plan_id for period in known})),
        included_until=max(
            (p.ends_at for p in known if p.is_time and p.plan_id in on_time), default=None
        ),
        is_running=bool(running),
        ended_at=None if running else max((p.ends_at for p in known), default=None),
    )
