"""What is said beside an answer, sentence by sentence."""

from dataclasses import replace

import pytest

from chat_ui import asides
from host.providers.base import Tool
from storage.credits import MilliCredits
from storage.models.people import ConcernKind, ConcernState
from storage.moments import DAY, Micros
from storage.notices import NOTHING, AgainTerms, Beside, Crossing, Ending
from tests.fakes.clock import START
from tests.unit.test_wording import outcome


def crossing(left: int, price: int = 5_000) -> Crossing:
    return Crossing(MilliCredits(left), MilliCredits(price))


@pytest.mark.parametrize(
    ("left", "said"),
    [
        (12_000, "12 credits left: about 2 messages."),
        (9_500, "9.5 credits left: about 1 message."),
        (1_000, "1 credit left, not enough for another message."),
        (0, "No credits left, so not enough for another message."),
    ],
)
def test_how_far_what_is_left_will_go(left: int, said: str) -> None:
    assert asides.crossing_text(crossing(left)) == said


def test_a_notice_stands_under_its_own_answer_with_the_way_to_get_more() -> None:
    ending = Ending(1, "Month", True, Micros(START), Micros(START + 2 * DAY))
    beside = Beside({"run": crossing(12_000)}, {"run": [ending]}, None, "pack-100", {})
    assert asides.notices("run", beside) == [
        {
            "text": "12 credits left: about 2 messages.",
            "href": "/buy/pack-100",
            "label": "Get more",
            "about": "balance",
        },
        {
            "text": "Month ends on 20 Nov.",
            "href": "/buy/pack-100",
            "label": "Get more",
            "about": "ending",
        },
    ]
    assert asides.notices("another", beside) == []


@pytest.mark.parametrize(
    ("price", "is_included", "label"),
    [
        (5_000, False, "Ask again · 5 credits"),
        (1_000, False, "Ask again · 1 credit"),
        (0, True, "Ask again · included"),
        (0, False, "Ask again · free"),
    ],
)
def test_the_price_is_on_the_button(price: int, is_included: bool, label: str) -> None:
    button = asides.again_button(AgainTerms("a", MilliCredits(price), is_included))
    assert button == {"answer": "a", "price": price, "label": label}
    assert asides.pressed(button) == ("a", price)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"answer": "a"},
        {"answer": 1, "price": 5},
        {"answer": "a", "price": -1},
        {"answer": "a", "price": True},
        {"answer": "a", "price": "5"},
    ],
)
def test_what_no_button_of_ours_sends_is_no_press(payload: dict[str, object]) -> None:
    assert asides.pressed(payload) is None


def test_a_refund_is_offered_for_what_was_charged_only() -> None:
    paid = asides.receipt_actions(outcome(charged=5_000), "/receipts/1", NOTHING)
    free = asides.receipt_actions(outcome(), "/receipts/1", NOTHING)
    assert [action["href"] for action in paid] == [
        "/receipts/1",
        "/receipts/1#report",
        "/receipts/1#refund",
    ]
    assert [action["label"] for action in free] == ["receipt", "report"]


@pytest.mark.parametrize(
    ("state", "label"),
    [
        (ConcernState.OPEN, "refund requested"),
        (ConcernState.CLOSED, "refund declined"),
        (ConcernState.REFUNDED, "refunded"),
    ],
)
def test_what_was_asked_about_a_receipt_stands_in_place_of_the_way_to_ask(
    state: ConcernState, label: str
) -> None:
    paid = outcome(charged=5_000)
    raised = {ConcernKind.REPORT: ConcernState.OPEN, ConcernKind.REFUND: state}
    beside = replace(NOTHING, raised={paid.receipt_id: raised})
    actions = asides.receipt_actions(paid, "/receipts/1", beside)
    assert [action["label"] for action in actions] == ["receipt", "reported", label]


def test_a_tool_is_named_with_its_time_and_nothing_else() -> None:
    assert asides.tool_line(Tool.WEB_SEARCH, None, is_failed=False) == "Searching the web"
    assert asides.tool_line(Tool.WEB_SEARCH, 2.4, is_failed=False) == "Searched the web · 2 s"
    assert asides.tool_line(Tool.CODE, 0.2, is_failed=True) == (
        "Running code did not work out · under 1 s"
    )


def test_who_reads_along_is_named_by_host_and_a_title_cannot_become_a_link() -> None:
    said = asides.disclosure("[x](https://evil.example)", "https://api.openai.com/v1")
    assert said.startswith(
        "What you write here goes to api.openai.com, which answers for \\[x\\]("
    )
    assert said.endswith("not the text. [Terms](/terms)")
