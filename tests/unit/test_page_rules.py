"""The small decisions behind the pages: where to go next, what a receipt says, what is left."""

import pytest

from host.language import Language, speaking
from host.pages.account import plan_lines
from host.pages.browsers import browser_name
from host.pages.receipts import verdict
from host.pages.rendering import moment
from host.pages.requests import local_path
from host.writing import NBSP, long_day
from storage.cards import SubscriptionView
from storage.credits import HoldState, MilliCredits
from storage.ledger import PlanBalance, Receipt, RefundLine
from storage.models.catalogue import PlanKind
from storage.models.money import GrantSource, Operation
from storage.moments import DAY, HOUR, NEVER, Micros
from tests.fakes.clock import START


@pytest.mark.parametrize("wanted", ["/", "/account", "/receipts/1?x=1", "/a/math-tutor#top"])
def test_a_path_of_ours_is_kept(wanted: str) -> None:
    assert local_path(wanted) == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        None,
        "",
        "account",
        "https://elsewhere.example/",
        "//elsewhere.example",
        "///elsewhere.example",
        "/\\elsewhere.example",
        "/\t/elsewhere.example",
        "/\n/elsewhere.example",
        "\\\\elsewhere.example",
        "javascript:alert(1)",
        " //elsewhere.example",
    ],
)
def test_anything_else_leads_home(wanted: str | None) -> None:
    assert local_path(wanted) == "/"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64;) Firefox/140.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537", "Chrome on Windows"),
        ("Mozilla/5.0 (Windows NT 10.0) Chrome/140 Safari/537 Edg/140", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) Safari/604", "Safari on iPhone"),
        ("curl/8.5.0", "curl"),
        ("", "Some browser"),
    ],
)
def test_browsers_are_called_what_people_call_them(user_agent: str, name: str) -> None:
    assert browser_name(user_agent) == name


def test_moments_are_written_for_people() -> None:
    assert (
        moment(START)
        == "18\N{NO-BREAK SPACE}Nov\N{NO-BREAK SPACE}2026, 11:06\N{NO-BREAK SPACE}UTC"
    )
    assert long_day(START) == "18 November 2026"


def receipt_of(
    state: HoldState,
    *,
    captured: int = 0,
    included_until: Micros | None = None,
    operation: Operation = Operation.MESSAGE,
    refunds: tuple[RefundLine, ...] = (),
) -> Receipt:
    return Receipt(
        public_id="r",
        account_id=1,
        operation=operation,
        state=state,
        held=MilliCredits(5000),
        captured=MilliCredits(captured),
        shortfall=MilliCredits(0),
        offering_id=1,
        offering_slug="math-tutor",
        offering_title="Math Tutor",
        plan_titles=(),
        run_id=None,
        balance_after=None,
        included_until=included_until,
        refunds=refunds,
        created_at=START,
        ended_at=None,
    )


@pytest.mark.parametrize(
    ("receipt", "amount", "words"),
    [
        pytest.param(receipt_of(HoldState.OPEN), "5 credits", "still being answered", id="open"),
        pytest.param(receipt_of(HoldState.RELEASED), "0 credits", "Not charged", id="released"),
        pytest.param(receipt_of(HoldState.EXPIRED), "0 credits", "Not charged", id="expired"),
        pytest.param(
            receipt_of(HoldState.CAPTURED, captured=1000), "−1 credit", "one message", id="one"
        ),
        pytest.param(
            receipt_of(HoldState.CAPTURED, captured=250, operation=Operation.CALL),
            "−0.25 credits",
            "one call",
            id="part of a credit",
        ),
        pytest.param(
            receipt_of(HoldState.CAPTURED, included_until=START),
            "Included",
            f"Your plan includes every message until {moment(START)}.",
            id="included",
        ),
        pytest.param(receipt_of(HoldState.CAPTURED), "0 credits", "free", id="free"),
    ],
)
def test_a_receipt_says_what_it_comes_to(receipt: Receipt, amount: str, words: str) -> None:
    said = verdict(receipt)
    assert said.amount == amount
    assert words in said.sentence


@pytest.mark.parametrize(
    ("receipt", "amount", "sentence"),
    [
        pytest.param(
            receipt_of(HoldState.CAPTURED, captured=250, operation=Operation.CALL),
            "−0,25 créditos",
            "Se cobró una sola vez, por una llamada.",
            id="charged",
        ),
        pytest.param(
            receipt_of(HoldState.RELEASED),
            "0 créditos",
            "Sin cargo. Este mensaje no se completó, así que no costó nada.",
            id="released",
        ),
        pytest.param(
            receipt_of(HoldState.CAPTURED, included_until=START, operation=Operation.CALL),
            "Incluido",
            "Tu plan incluye todas las llamadas hasta el 18 nov 2026, 11:06 UTC.",
            id="included",
        ),
    ],
)
def test_a_receipt_is_said_in_the_language_of_who_reads_it(
    receipt: Receipt, amount: str, sentence: str
) -> None:
    with speaking(Language.SPANISH):
        said = verdict(receipt)
    assert (said.amount, said.sentence.replace(NBSP, " ")) == (amount, sentence)


def test_a_receipt_says_what_was_refunded_of_the_charge_and_when() -> None:
    refunds = tuple(
        RefundLine(MilliCredits(amount), Micros(at))
        for amount, at in ((500, START), (500, START + HOUR), (2_000, START + 3 * DAY))
    )
    receipt = receipt_of(HoldState.CAPTURED, captured=5_000, refunds=refunds)
    assert receipt.refunded == 3_000
    said = verdict(receipt)
    assert said.amount == "−2 credits"  # in the end; the rows say how
    assert said.sentence == (
        "Charged once, for one message; 1 refunded on 18 November 2026, 2 refunded on 21 November"
        " 2026."
    )


def subscription_of(
    plan_id: int, kind: PlanKind, ends_at: int, *, is_cancelled: bool = False
) -> SubscriptionView:
    return SubscriptionView(
        id=plan_id,
        account_id=1,
        plan_id=plan_id,
        plan_slug=f"plan-{plan_id}",
        plan_title=f"Plan {plan_id}",
        version_id=1,
        kind=kind,
        source=GrantSource.ORDER,
        is_cancelled=is_cancelled,
        starts_at=START,
        ends_at=Micros(ends_at),
    )


def test_a_plan_is_one_line_however_often_it_was_got_and_what_runs_comes_first() -> None:
    lines = plan_lines(
        [
            subscription_of(1, PlanKind.TIME, START),
            subscription_of(2, PlanKind.TIME, START + 2 * DAY),
            subscription_of(2, PlanKind.TIME, START + 9 * DAY),
            subscription_of(3, PlanKind.CREDITS, NEVER),
        ],
        [
            PlanBalance(
                plan_id=3,
                available=MilliCredits(95_000),
                held=MilliCredits(5_000),
                expires_at=Micros(NEVER),
            )
        ],
        sold={"plan-3"},
        now=START,
    )
    assert [line.slug for line in lines if line.is_sold] == ["plan-3"]
    assert [(line.title, line.is_running, line.has_end) for line in lines] == [
        ("Plan 2", True, True),
        ("Plan 3", True, False),
        ("Plan 1", False, True),
    ]
    assert lines[0].ends_at == START + 9 * DAY
    assert (lines[1].available, lines[1].held) == (95_000, 5_000)


def test_a_plan_that_was_taken_back_does_not_run_unless_it_was_got_again() -> None:
    taken = subscription_of(1, PlanKind.CREDITS, NEVER, is_cancelled=True)
    (line,) = plan_lines([taken], [], sold=(), now=START)
    assert (line.is_running, line.is_taken_back) == (False, True)
    again = subscription_of(1, PlanKind.CREDITS, START + DAY)
    (line,) = plan_lines([taken, again], [], sold=(), now=START)
    assert (line.is_running, line.is_taken_back, line.ends_at) == (True, False, START + DAY)
