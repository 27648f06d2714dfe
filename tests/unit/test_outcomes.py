"""What people read about how a run ended: one sentence for each row of the charging table."""

from dataclasses import replace

import pytest

from host.errors import ChargeUndecided, UpstreamFailed, UpstreamTimeout
from host.language import Language, speaking
from host.proxy.ask import _error
from host.runs.answers import LiveAnswer, Question
from host.runs.lifecycle import Reason
from host.runs.outcomes import SENTENCES, Outcome, outcome_of, refunds_written
from storage.credits import MilliCredits
from storage.ledger import RefundLine
from storage.models.conversations import Run
from storage.moments import SECOND, Micros
from storage.run_states import RunState
from tests.fakes.clock import START

DELIVERED = Outcome(
    run_id="run",
    answer_id="answer",
    state=RunState.COMPLETED,
    text="42",
    price=MilliCredits(5_000),
    charged=MilliCredits(5_000),
    available=MilliCredits(95_000),
    receipt_id="r-1",
    included_until=None,
    reason=None,
    seconds=1.234,
)
FREE = MilliCredits(0)
QUESTION = Question(
    account_id=1, thread_id="t", offering_slug="o", text="?", message_id="m", answer_id="answer"
)


def refused(reason: Reason) -> Outcome:
    return replace(DELIVERED, charged=FREE, reason=reason)


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (DELIVERED, "−5 credits · 95 left · 1.2 s"),
        (
            replace(DELIVERED, charged=MilliCredits(1_000), available=FREE),
            "−1 credit · 0 left · 1.2 s",
        ),
        (replace(DELIVERED, charged=MilliCredits(250)), "−0.25 credits · 95 left · 1.2 s"),
        (
            replace(DELIVERED, charged=FREE, price=FREE, included_until=START),
            "Included in your plan until 18 November 2026, 11:06 UTC · 1.2 s",
        ),
        (replace(DELIVERED, charged=FREE, price=FREE, available=None), "Free · 1.2 s"),
        (refused(Reason.STOPPED), "Stopped, not charged"),
        (replace(DELIVERED, reason=Reason.STOPPED), "Stopped, 5 credits"),
        (refused(Reason.INTERRUPTED), "Not charged: interrupted"),
        (refused(Reason.EMPTY_ANSWER), "Not charged: the answer was empty."),
        (refused(Reason.UPSTREAM_TRUNCATED), "Not charged: the answer broke off (id r-1)."),
        (
            refused(Reason.UPSTREAM_FAILED),
            "Not charged: the assistant's upstream failed (id r-1).",
        ),
        (
            refused(Reason.UPSTREAM_REFUSES),
            (
                "Not charged: the assistant's upstream failed (id r-1). The builder has to fix"
                " this; trying again will not help."
            ),
        ),
    ],
)
def test_the_sentence_says_what_happened_and_what_it_cost(outcome: Outcome, sentence: str) -> None:
    assert outcome.sentence == sentence


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (replace(DELIVERED, price=MilliCredits(2_500)), "−5 créditos · quedan 95 · 1,2 s"),
        (
            replace(DELIVERED, charged=MilliCredits(1_000), available=MilliCredits(1_000)),
            "−1 crédito · queda 1 · 1,2 s",
        ),
        (
            replace(DELIVERED, charged=FREE, price=FREE, included_until=START),
            "Incluido en tu plan hasta el 18 de noviembre de 2026, 11:06 UTC · 1,2 s",
        ),
        (replace(DELIVERED, reason=Reason.STOPPED), "Detenido, 5 créditos"),
        (
            refused(Reason.UPSTREAM_TRUNCATED),
            "Sin cargo: la respuesta se ha interrumpido (id r-1).",
        ),
    ],
)
def test_an_outcome_is_said_to_whoever_reads_it_in_their_language(
    outcome: Outcome, sentence: str
) -> None:
    with speaking(Language.SPANISH):
        assert outcome.sentence == sentence
    assert outcome.sentence != sentence


def test_an_error_says_what_its_outcome_says_and_that_this_tells_of_the_charge() -> None:
    with speaking(Language.SPANISH):
        error = refused(Reason.EMPTY_ANSWER).error()
    assert error is not None
    assert error.detail == "Sin cargo: la respuesta estaba vacía."
    assert error.says_charge


def test_what_was_given_back_is_said_in_the_language_of_who_reads_it() -> None:
    back = [RefundLine(MilliCredits(amount), START) for amount in (500, 2_000)]
    assert refunds_written(back) == "2.5 refunded on 18 November 2026"
    with speaking(Language.SPANISH):
        assert refunds_written(back) == "2,5 reembolsados el 18 de noviembre de 2026"


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.STOPPED, Reason.UNDECIDED}))
def test_every_answer_that_was_not_delivered_says_first_that_it_was_not_charged(
    reason: Reason,
) -> None:
    assert refused(reason).sentence.startswith("Not charged: ")


def test_what_is_not_settled_says_neither_that_it_was_charged_nor_that_it_was_not() -> None:
    outcome = refused(Reason.UNDECIDED)
    assert outcome.sentence == (
        "Not decided yet: your receipt will say whether it was charged (id r-1)."
    )
    error = outcome.error()
    assert isinstance(error, ChargeUndecided)
    assert error.facts == {"receipt": "r-1"}


@pytest.mark.parametrize(
    ("reason", "headers"),
    [(Reason.UNDECIDED, {}), (Reason.INTERRUPTED, {"Farebox-Credits-Charged": "0"})],
)
async def test_a_program_is_told_a_charge_of_zero_only_where_that_is_settled(
    reason: Reason, headers: dict[str, str]
) -> None:
    error = _error(LiveAnswer(QUESTION, "run"), refused(reason))
    assert error is not None
    assert error.headers == headers


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)


def test_a_program_gets_an_error_instead_of_an_answer_that_failed() -> None:
    assert DELIVERED.error() is None
    assert isinstance(refused(Reason.UPSTREAM_TIMEOUT).error(), UpstreamTimeout)
    error = refused(Reason.EMPTY_ANSWER).error()
    assert isinstance(error, UpstreamFailed)
    assert error.detail == "Not charged: the answer was empty."
    assert error.facts == {"receipt": "r-1"}


@pytest.mark.parametrize("until", [None, START])
def test_what_was_stopped_after_visible_text_is_an_answer_where_nothing_is_paid(
    until: Micros | None,
) -> None:
    stopped = replace(
        DELIVERED, charged=FREE, price=FREE, included_until=until, reason=Reason.STOPPED
    )
    assert stopped.error() is None
    assert stopped.sentence.startswith("Stopped · ")
    nothing = replace(stopped, text=" ")
    assert isinstance(nothing.error(), UpstreamFailed)
    assert nothing.sentence == "Stopped, not charged"


def test_a_stored_run_tells_the_same_as_when_it_ended() -> None:
    run = Run(
        id="run",
        thread_id="t",
        account_id=1,
        offering_id=1,
        question_id="question",
        answer_id="answer",
        state="completed",
        provider="responses",
        receipt_id="r-1",
        price=5_000,
        charged=5_000,
        balance_after=95_000,
        owner="a process",
        created_at=START,
        ended_at=START + 1_234 * SECOND // 1000,
    )
    assert outcome_of(run, "42") == DELIVERED
