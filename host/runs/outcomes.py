"""How a run ended, in the words that its subscriber reads. Pure.

The same sentence is made from a run that has just ended and from one found in the database, so a
receipt line and the history say the same. Links and icons around it are the chat's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from host.errors import ChargeUndecided, FareboxError, UpstreamFailed, UpstreamTimeout
from host.language import N_, _, _n
from host.runs.lifecycle import Reason
from host.writing import (
    amount,
    counted,
    credits_written,
    left_written,
    long_day,
    long_moment,
    seconds,
)
from storage.credits import MilliCredits
from storage.ledger import RefundLine
from storage.models.conversations import Run
from storage.moments import SECOND, Micros
from storage.run_states import RunState

SENTENCES: Final[Mapping[Reason, str]] = {
    Reason.UPSTREAM_FAILED: N_("Not charged: the assistant's upstream failed (id {id})."),
    Reason.UPSTREAM_REFUSES: N_(
        "Not charged: the assistant's upstream failed (id {id}). The builder has to fix this;"
        " trying again will not help."
    ),
    Reason.UPSTREAM_BUSY: N_(
        "Not charged: the assistant is busy right now. Try again in a moment."
    ),
    Reason.UPSTREAM_TIMEOUT: N_("Not charged: the assistant's upstream took too long (id {id})."),
    Reason.UPSTREAM_TRUNCATED: N_("Not charged: the answer broke off (id {id})."),
    Reason.CONTEXT_TOO_LONG: N_(
        "Not charged: this conversation has become too long for the assistant. Start a new one."
    ),
    Reason.INCOMPLETE: N_("Not charged: the answer was cut short (id {id})."),
    Reason.EMPTY_ANSWER: N_("Not charged: the answer was empty."),
    Reason.STOPPED: N_("Stopped, not charged"),
    Reason.INTERRUPTED: N_("Not charged: interrupted"),
    Reason.HOLD_EXPIRED: N_("Not charged: the answer came too late to be charged."),
    Reason.UNDECIDED: N_(
        "Not decided yet: your receipt will say whether it was charged (id {id})."
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, and what that came to."""

    run_id: str
    answer_id: str
    state: RunState
    text: str
    price: MilliCredits
    """What it would have cost: 0 under a time plan, and for the builder's own message."""
    charged: MilliCredits
    """What was; 0 as well while that is unsettled."""
    available: MilliCredits | None
    """What can be spent on this offering now; None where nothing is spent."""
    receipt_id: str
    included_until: Micros | None
    reason: Reason | None
    """None when the answer was delivered."""
    seconds: float

    @property
    def sentence(self) -> str:
        """What happened and what it cost, as people read it."""
        if self.reason is None:
            return f"{self._cost()} · {seconds(self.seconds)}"
        if self.is_given and self.charged:
            return _("Stopped, {credits}", credits=credits_written(self.charged))
        if self.is_given:
            return _("Stopped · {cost}", cost=self._cost())
        return _(SENTENCES[self.reason], id=self.receipt_id)

    def error(self) -> FareboxError | None:
        """The refusal that a program gets instead of an answer; None when there is an answer."""
        if self.is_given:
            return None
        told, facts = self.sentence, {"receipt": self.receipt_id}
        if self.reason is Reason.UNDECIDED:
            return ChargeUndecided(told, says_charge=True, facts=facts)
        if self.reason is Reason.UPSTREAM_TIMEOUT:
            return UpstreamTimeout(told, says_charge=True, facts=facts)
        return UpstreamFailed(told, says_charge=True, facts=facts)

    @property
    def is_given(self) -> bool:
        """Whether there is an answer, whole or stopped by who asked; its price was due.

        Where the price is nothing, for a time plan and for the builder, the text tells.
        """
        if self.reason is not Reason.STOPPED:
            return self.reason is None
        return bool(self.charged) or (self.price == 0 and bool(self.text.strip()))

    def _cost(self) -> str:
        if self.included_until is not None:
            until = long_moment(self.included_until)
            return _("Included in your plan until {moment}", moment=until)
        if not self.charged:
            return _("Free")
        left = "" if self.available is None else f" · {left_written(self.available)}"
        return f"−{credits_written(self.charged)}{left}"


def refunds_written(refunds: Sequence[RefundLine]) -> str:
    """What was given back and when: `2 refunded on 21 November 2026`, each day named once."""
    by_day: dict[str, int] = {}
    for refund in refunds:
        day = long_day(refund.at)
        by_day[day] = by_day.get(day, 0) + refund.amount
    return ", ".join(_refunded(back, day) for day, back in by_day.items())


def _refunded(credits_: int, day: str) -> str:
    return _n(
        "{amount} refunded on {day}",
        "{amount} refunded on {day}",
        counted(credits_),
        amount=amount(credits_),
        day=day,
    )


def outcome_of(run: Run, text: str) -> Outcome:
    """The outcome of a run that was stored at its end."""
    assert run.ended_at is not None, "only what has ended has an outcome"
    balance, until = run.balance_after, run.included_until
    return Outcome(
        run_id=run.id,
        answer_id=run.answer_id,
        state=RunState(run.state),
        text=text,
        price=MilliCredits(run.price),
        charged=MilliCredits(run.charged),
        available=None if balance is None else MilliCredits(balance),
        receipt_id=run.receipt_id,
        included_until=None if until is None else Micros(until),
        reason=None if run.outcome is None else Reason(run.outcome),
        seconds=(run.ended_at - run.created_at) / SECOND,
    )
