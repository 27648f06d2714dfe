"""What subscribers read about money, line by line."""

from datetime import UTC, datetime

import pytest

from chat_ui import wording
from host.errors import CallInProgress, CreditsExhausted, NotAllowed, SpendCapReached
from host.language import Language, speaking
from host.runs.lifecycle import Reason
from host.runs.opening import in_progress
from host.runs.outcomes import Outcome
from storage.credits import MilliCredits
from storage.ledger import RefundLine
from storage.moments import DAY, Micros, to_micros
from storage.run_states import RunState
from tests.fakes.clock import START

RECEIPT = "01a1faec-f9ef-7a21-91f4-4adc9c9e8a31"


def outcome(
    text: str = "391",
    *,
    reason: Reason | None = None,
    charged: int = 0,
    price: int = 5_000,
    available: int | None = 95_000,
    included_until: int | None = None,
) -> Outcome:
    return Outcome(
        run_id="run",
        answer_id="answer",
        state=RunState.COMPLETED if reason is None else RunState.FAILED,
        text=text,
        price=MilliCredits(price),
        charged=MilliCredits(charged),
        available=None if available is None else MilliCredits(available),
        receipt_id=RECEIPT,
        included_until=None if included_until is None else Micros(included_until),
        reason=reason,
        seconds=1.23,
    )


def test_a_paid_answer_says_what_it_cost_and_what_is_left() -> None:
    assert wording.receipt_line(outcome(charged=5_000)) == "−5 credits · 95 left · 1.2 s"


def test_a_receipt_line_ends_with_what_was_refunded_and_when() -> None:
    refunds = [RefundLine(MilliCredits(2_000), Micros(START + 3 * DAY))]
    assert wording.receipt_line(outcome(charged=5_000), refunds) == (
        "−5 credits · 95 left · 1.2 s · 2 refunded on 21 November 2026"
    )


def test_an_answer_under_a_pass_says_until_when() -> None:
    included = outcome(price=0, available=0, included_until=START + 7 * DAY)
    assert wording.receipt_line(included).startswith("Included in your plan until ")
    assert "left" not in wording.receipt_line(included)


def test_a_stopped_answer_says_so_and_what_is_left() -> None:
    stopped = outcome("39", reason=Reason.STOPPED, charged=5_000, available=90_000)
    assert wording.answer_or_sentence(stopped) == "39"
    assert wording.receipt_line(stopped) == "Stopped, 5 credits · 90 left"


@pytest.mark.parametrize("text", ["391", ""])
def test_what_is_not_settled_is_never_said_to_have_cost_nothing(text: str) -> None:
    unsettled = outcome(text, reason=Reason.UNDECIDED, available=None)
    said = f"{wording.answer_or_sentence(unsettled)} {wording.receipt_line(unsettled)}"
    assert f"whether it was charged (id {RECEIPT})" in said
    assert "0 credits" not in said
    assert "try again" not in said


def test_an_answer_stopped_before_its_first_word_is_a_sentence() -> None:
    stopped = outcome("", reason=Reason.STOPPED)
    assert wording.answer_or_sentence(stopped) == "Stopped, not charged"
    assert wording.receipt_line(stopped) == "0 credits · 95 left"


@pytest.mark.parametrize("reason", sorted(set(Reason) - {Reason.STOPPED, Reason.UNDECIDED}))
def test_a_failure_with_nothing_shown_is_a_sentence_that_begins_with_not_charged(
    reason: Reason,
) -> None:
    failed = outcome(" \n", reason=reason)
    sentence = wording.answer_or_sentence(failed)
    assert sentence.startswith("Not charged: ")
    assert sentence.endswith(".")
    assert ".." not in sentence
    assert wording.receipt_line(failed) == "0 credits · 95 left"


def test_only_a_failure_that_may_pass_is_worth_another_try() -> None:
    passing = wording.answer_or_sentence(outcome("", reason=Reason.UPSTREAM_FAILED))
    lasting = wording.answer_or_sentence(outcome("", reason=Reason.UPSTREAM_REFUSES))

    assert passing.endswith("Please try again.")
    assert lasting.endswith("The builder has to fix this; trying again will not help.")


def test_a_failure_after_visible_text_keeps_the_text_and_says_not_charged_below() -> None:
    failed = outcome("I am a maths", reason=Reason.UPSTREAM_TRUNCATED)
    assert wording.answer_or_sentence(failed) == "I am a maths"
    assert wording.receipt_line(failed).startswith("Not charged: the answer broke off")


@pytest.mark.parametrize(
    "refused",
    [
        CreditsExhausted(
            offering="Math Tutor", required=5_000, available=2_000, topup_url="http://x/buy"
        ),
        CallInProgress("This conversation is busy with another answer."),
    ],
)
def test_a_refusal_says_that_nothing_was_charged(
    refused: CreditsExhausted | CallInProgress,
) -> None:
    said = wording.refusal_sentence(refused)
    assert "charged" in said.lower()
    assert refused.detail in said


def test_in_no_language_is_the_charge_spoken_of_twice() -> None:
    with speaking(Language.SPANISH):
        busy = in_progress()
        assert wording.refusal_sentence(busy) == busy.detail
        assert wording.refusal_sentence(NotAllowed("No.")) == "Sin cargo. No."


@pytest.mark.parametrize(
    "address", ["https://host_of_ours.example/buy/a_b", "https://example.com"]
)
def test_a_title_in_a_refusal_becomes_no_link_and_our_address_stays_one(
    address: str,
) -> None:
    hostile = f"[Top up](https://evil.example) ![x](y) <a> `{address}`"
    said = wording.refusal_said(
        CreditsExhausted(offering=hostile, required=5_000, available=0, topup_url=address)
    )
    assert rf"\[Top up\](https://evil.example) \!\[x\](y) \<a> \`{address}\`" in said
    assert said.endswith(f"Top up at {address} and try again.")
    assert said.startswith("Not charged. ")
    ended = wording.refusal_said(CallInProgress(f"{hostile} is busy. Nothing was charged."))
    assert r"\[Top up\](https://evil.example)" in ended


@pytest.mark.parametrize(
    ("cap", "why", "then"),
    [
        (10_000, "and your daily limit of 10 has 2 left", "wait until midnight UTC, or raise"),
        (7_500, "and your daily limit of 7.5 has 0 left", "wait until midnight UTC, or raise"),
        (4_000, "more than your daily limit of 4", "raise"),
    ],
)
def test_a_daily_limit_is_one_sentence_with_what_to_do(cap: int, why: str, then: str) -> None:
    refused = SpendCapReached(required=5_000, cap=cap, spent=8_000, retry_after_s=60)
    assert wording.refusal_sentence(refused) == (
        f"Not charged: this needs 5 credits, {why}; {then} the limit on your account page."
    )


@pytest.mark.parametrize(
    ("price", "expected"),
    [(5_000, "5 credits per message"), (1_000, "1 credit per message"), (0, "Free")],
)
def test_a_price_tag_has_its_unit(price: int, expected: str) -> None:
    assert wording.price_tag(MilliCredits(price), included_until=None) == expected


def test_a_pass_is_named_by_its_last_day() -> None:
    until = to_micros(datetime(2026, 11, 27, 9, 30, tzinfo=UTC))
    assert wording.price_tag(MilliCredits(5_000), included_until=until) == "Included until 27 Nov"


def test_what_a_builder_wrote_becomes_no_link_and_no_picture() -> None:
    card = wording.profile_text(
        "![x](http://evil)",
        "# Buy [here](http://evil) `now`",
        MilliCredits(5_000),
        included_until=None,
    )
    assert card.startswith(r"**\!\[x\](http://evil)**")
    assert r"\# Buy \[here\](http://evil) \`now\`" in card
    assert card.endswith("`5 credits per message`")
