"""Compares what clients were told with what the ledger holds, and says what does not fit.

Four questions. Is every acknowledged effect there once, with the result that was told, and nothing
that nobody asked for? Does the order of the versions agree with real time (asked in linear time,
after sorting)? Do the same operations, replayed in that order on the model, give the same answers?
And the same balances in the end? A wallet's operations are ordered by the version in their
answers; "insufficient" and a look change nothing and must be true of the state after their
version.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from sqlalchemy import text
from sqlmodel import Session, select

from storage.books import HoldEnded, HoldOpened
from storage.credits import HoldEvent
from storage.models.money import Hold
from tests.builders import Shop, hold_of
from tests.fakes.clock import START
from tests.fakes.model_books import ModelBooks
from tests.fakes.model_rows import ModelHold
from tests.faults.journal import Answer, Call, Verb
from tests.faults.worker import grant_for


@dataclass(frozen=True, slots=True)
class FoundGrant:
    """A grant and its entry, as the database has them."""

    key: str
    wallet_id: int
    id: int
    amount: int
    remaining: int
    held: int
    version: int


@dataclass(frozen=True, slots=True)
class FoundHold:
    """A hold, as the database has it."""

    key: str
    wallet_id: int
    id: int
    public_id: str
    amount: int
    state: str
    captured: int
    shortfall: int
    opened_version: int
    ended_version: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """All effects in the database."""

    versions: Mapping[int, int]
    """Of each wallet."""
    grants: Sequence[FoundGrant]
    holds: Sequence[FoundHold]


class Wrong(StrEnum):
    """Kinds of complaint."""

    LOST = "lost"
    TWICE = "twice"
    UNASKED = "unasked"
    UNANSWERED = "unanswered"
    OUT_OF_ORDER = "out of order"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with which operation."""

    wrong: Wrong
    what: str


def find(session: Session) -> Found:
    """Read every effect, on one snapshot."""
    wallets = session.execute(text("SELECT id, version FROM wallet"))
    grants = session.execute(
        text(
            "SELECT g.source_ref, g.wallet_id, g.id, g.amount, g.remaining, g.held, e.version"
            " FROM credit_grant g JOIN entry e ON e.grant_id = g.id AND e.kind = 'grant'"
        )
    )
    return Found(
        {wallet.id: wallet.version for wallet in wallets},
        [FoundGrant(*row) for row in grants],
        [_found(hold) for hold in session.exec(select(Hold))],
    )


def _found(hold: Hold) -> FoundHold:
    assert hold.id is not None
    return FoundHold(
        key=hold.idempotency_key,
        wallet_id=hold.wallet_id,
        id=hold.id,
        public_id=hold.public_id,
        amount=hold.amount,
        state=hold.state,
        captured=hold.captured,
        shortfall=hold.shortfall,
        opened_version=hold.opened_version,
        ended_version=hold.ended_version,
    )


def find_wrong(calls: Sequence[Call], found: Found, shops: Sequence[Shop]) -> list[Complaint]:
    """Everything that does not fit, once all calls have been answered."""
    return [
        *lost_or_changed(calls, found),
        *_more_than_once(calls, found),
        *_out_of_order(calls),
        *_not_as_the_model(calls, found, shops),
    ]


def lost_or_changed(calls: Sequence[Call], found: Found) -> Iterator[Complaint]:
    """Acknowledged effects that are not there as they were told.

    What has not been answered is not asked about, so this may be asked at any moment.
    """
    grants = {grant.key: grant for grant in found.grants}
    holds = {hold.key: hold for hold in found.holds}
    by_id = {hold.id: hold for hold in found.holds}
    for call in calls:
        ask, answer = call.ask, call.answer
        if answer is None or ask.verb is Verb.LOOK:
            continue
        if ask.verb is Verb.GRANT:
            grant = grants.get(ask.key)
            is_there = grant is not None and (
                *(grant.id, grant.wallet_id, grant.amount, grant.version),
            ) == (answer.grant_id, ask.wallet_id, ask.amount, answer.version)
        elif ask.verb is Verb.HOLD:
            is_there = _is_there(holds.get(ask.key), call, answer)
        else:
            hold = by_id.get(ask.hold_id)
            is_there = hold is not None and (
                *(hold.wallet_id, hold.state, hold.captured, hold.shortfall, hold.ended_version),
            ) == (ask.wallet_id, answer.state, answer.captured, answer.shortfall, answer.version)
        if not is_there:
            yield Complaint(Wrong.LOST, f"{ask} was answered {answer}")


def _is_there(hold: FoundHold | None, call: Call, answer: Answer) -> bool:
    if answer.kind == "Insufficient" or hold is None:
        return hold is None and answer.kind == "Insufficient"
    return (hold.id, hold.public_id, hold.wallet_id, hold.amount, hold.opened_version) == (
        *(answer.hold_id, answer.public_id, call.ask.wallet_id, call.ask.amount, answer.version),
    )


def _more_than_once(calls: Sequence[Call], found: Found) -> Iterator[Complaint]:
    asked = {call.ask.key for call in calls}
    present = Counter(
        [("grant", grant.key) for grant in found.grants]
        + [("hold", hold.key) for hold in found.holds]
    )
    for (kind, key), times in present.items():
        if times > 1:
            yield Complaint(Wrong.TWICE, f"{kind} {key} is there {times} times")
        if key not in asked:
            yield Complaint(Wrong.UNASKED, f"{kind} {key}")
    for call in calls:
        if len(call.answers) > 1:
            yield Complaint(Wrong.TWICE, f"{call.ask} was answered {call.answers}")
        if not call.answers:
            yield Complaint(Wrong.UNANSWERED, str(call.ask))


def _by_wallet(calls: Sequence[Call]) -> dict[int, list[tuple[Call, Answer]]]:
    """The answered calls of each wallet by version, what changed it before what looked at it."""
    wallets: dict[int, list[tuple[Call, Answer]]] = defaultdict(list)
    for call in calls:
        if call.answer is not None:
            wallets[call.ask.wallet_id].append((call, call.answer))
    for answered in wallets.values():
        answered.sort(key=lambda each: (each[1].version, _changes_nothing(each[1])))
    return wallets


def _changes_nothing(answer: Answer) -> bool:
    return answer.kind in {"Insufficient", "Looked"}


def _out_of_order(calls: Sequence[Call]) -> Iterator[Complaint]:
    """Who was first asked after something with a larger version had been answered.

    A retry may only have repeated what an earlier try did, so the first try counts; an answer that
    is certainly the last try's own is held to that one.
    """
    for answered in _by_wallet(calls).values():
        earliest = earliest_above = float("inf")
        above = -1
        for call, answer in reversed(answered):
            if answer.version != above:
                above, earliest_above = answer.version, earliest
            # Whoever saw a version has to come after its beginning, so a look at n counts here.
            limit_ns = earliest_above if _changes_nothing(answer) else earliest
            if limit_ns < call.tries_ns[-1 if answer.is_fresh else 0]:
                yield Complaint(Wrong.OUT_OF_ORDER, f"{call.ask} was answered {answer}")
            earliest = min(earliest, call.answers[0][0])


def _not_as_the_model(
    calls: Sequence[Call], found: Found, shops: Sequence[Shop]
) -> Iterator[Complaint]:
    """Where the model, told the same in the order of the versions, answers something else."""
    wallets = _by_wallet(calls)
    for shop in shops:
        replay = _Replay(shop)
        for call, answer in wallets.get(shop.wallet_id, ()):
            expected = replay.steps[call.ask.verb](call, answer)
            if expected != answer:
                yield Complaint(
                    Wrong.DIFFERENT, f"{call.ask}: {answer}, where the model says {expected}"
                )
        if found.versions[shop.wallet_id] != replay.model.version:
            yield Complaint(Wrong.DIFFERENT, f"the version of wallet {shop.wallet_id}")
        left = {grant.id: (grant.remaining, grant.held) for grant in replay.model.grants}
        for grant in found.grants:
            is_here = grant.wallet_id == shop.wallet_id
            if is_here and left.get(grant.id) != (grant.remaining, grant.held):
                yield Complaint(Wrong.DIFFERENT, f"what is left of {grant}")


class _Replay:
    """One wallet's operations on the model, one after another.

    Each step returns the answer that the model would have given, with whatever a retry cannot
    know (the balance at its first try) taken from the answer itself.
    """

    def __init__(self, shop: Shop) -> None:
        self.model = ModelBooks()
        self._shop = shop
        self._plans = (shop.plan.plan_id,)
        self._holds: dict[int, ModelHold] = {}
        self.steps: Mapping[Verb, Callable[[Call, Answer], Answer | None]] = {
            Verb.GRANT: self._grant,
            Verb.HOLD: self._hold,
            Verb.CAPTURE: self._end,
            Verb.RELEASE: self._end,
            Verb.LOOK: self._unchanged,
        }

    def _grant(self, call: Call, answer: Answer) -> Answer:
        granted = self.model.grant(grant_for(self._shop, call.ask), answer.grant_id or 0)
        return replace(Answer.of(granted), is_new=answer.is_new)

    def _hold(self, call: Call, answer: Answer) -> Answer | None:
        if answer.kind == "Insufficient":
            enough = call.ask.amount <= self.model.available(self._plans, START)
            return None if enough else self._unchanged(call, answer)
        request = replace(
            hold_of(self._shop, call.ask.amount, key=call.ask.key),
            public_id=answer.public_id or "",
        )
        said = self.model.open_hold(request, answer.hold_id or 0)
        if not isinstance(said, HoldOpened):
            return Answer.of(said)
        self._holds[said.hold_id] = self.model.holds[-1]
        if answer.kind == "HoldOpened":
            return Answer.of(said)
        return replace(answer, kind="HoldReplayed", version=said.version, state="open", captured=0)

    def _end(self, call: Call, answer: Answer) -> Answer | None:
        ask = call.ask
        hold = self._holds.get(ask.hold_id)
        if hold is None:
            return None
        event = HoldEvent.CAPTURE if ask.verb is Verb.CAPTURE else HoldEvent.RELEASE
        ended: HoldEnded = self.model.end(hold, event, ask.amount, START, self._plans)
        expected = Answer.of(ended)
        return (
            expected if len(call.tries_ns) == 1 else replace(expected, available=answer.available)
        )

    def _unchanged(self, call: Call, answer: Answer) -> Answer:
        available = self.model.available(self._plans, START)
        return replace(answer, version=self.model.version, available=available)
