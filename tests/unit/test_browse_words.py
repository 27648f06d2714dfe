"""What people type into Browse, and what it says."""

import time

import pytest

from chat_ui.browse import sentences
from chat_ui.browse.searching import is_about_balance, matches
from host.errors import CreditsExhausted, NotInPlan, PlanEnded
from host.language import Language, page_words, speaking
from storage.cards import SubscriptionView
from storage.credits import MilliCredits
from storage.ledger import PlanBalance
from storage.models.catalogue import PlanKind
from storage.models.money import GrantSource
from storage.moments import DAY, NEVER, Micros
from tests.fakes.clock import START
from tests.unit.test_showing import item, show

OFFERED = show(
    item(1),
    item(2, title="Elvis Song Summarizer", tags=("music",), description="Sums up songs."),
    item(3, title="Travel Helper", tags=("travel",), description="Plans days in a city."),
)


@pytest.mark.parametrize(
    "text",
    [
        "balance", "Show my balance", "show me my balance please", "my balance?", "/balance",
        "What is my balance?", "what's my balance", "credits", "my credits", "credits left",
        "How many credits do I have left?", "How many credits have I got?", "what do I have",
        "my account", "Please show my plans", "BALANCE", "  balance  ",
    ],
)  # fmt: skip
def test_a_question_about_ones_balance_is_understood(text: str) -> None:
    assert is_about_balance(text)


@pytest.mark.parametrize(
    "text",
    ["balance sheets", "account for the errors", "credit cards", "plan my trip", "maths", ""],
)
def test_words_that_only_look_like_it_are_searched_for(text: str) -> None:
    assert not is_about_balance(text)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("maths", [1]), ("MATH", [1]), ("mathematics", [1]), ("tutor", [1]), ("songs", [2]),
        ("I need help with maths homework", [1]), ("something for my travels", [3]),
        ("travel songs", [3, 2]), ("city", [3]), ("zzz", []), ("", []), ("the and for", []),
        ("?!", []), ("ma", []),
    ],
)  # fmt: skip
def test_words_find_what_they_may_mean_the_best_first(text: str, found: list[int]) -> None:
    assert sorted(one.item.id for one in matches(OFFERED, text)) == sorted(found)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(" " * 100_000 + "x" + " " * 99_000, id="spaces"),
        pytest.param(" ".join(f"w{number}" for number in range(30_000)), id="words"),
        pytest.param("my " * 60_000, id="one word"),
        pytest.param("x" * 200_000, id="a long word"),
    ],
)
def test_the_longest_message_that_is_taken_is_understood_in_no_time(text: str) -> None:
    offered = show(*(item(number) for number in range(300)))
    began = time.process_time()
    assert not is_about_balance(text)
    assert matches(offered, text) == []
    assert time.process_time() - began < 2


def test_a_title_counts_more_than_a_description() -> None:
    offered = show(
        item(1, title="Planner", tags=(), description="For maths and more."),
        item(2, title="Maths Club", tags=(), description="A club."),
    )
    assert [one.item.id for one in matches(offered, "maths")] == [2, 1]


def got(
    plan: int, title: str, *, kind: PlanKind = PlanKind.CREDITS, is_cancelled: bool = False
) -> SubscriptionView:
    return SubscriptionView(
        id=plan,
        account_id=1,
        plan_id=plan,
        plan_slug=f"plan-{plan}",
        plan_title=title,
        version_id=plan,
        kind=kind,
        source=GrantSource.ORDER,
        is_cancelled=is_cancelled,
        starts_at=START,
        ends_at=Micros(START + DAY),
    )


def left(plan: int, amount: int, expires_at: int = NEVER) -> PlanBalance:
    return PlanBalance(
        plan_id=plan,
        available=MilliCredits(amount),
        held=MilliCredits(0),
        expires_at=Micros(expires_at),
    )


def test_an_account_is_told_plan_by_plan_with_what_expires() -> None:
    told = sentences.account(
        [
            got(1, "Pack *100*"),
            got(1, "Pack *100*"),
            got(2, "Month"),
            got(3, "Pass", kind=PlanKind.TIME),
            got(4, "Old pass", kind=PlanKind.TIME),
            got(5, "Used up"),
            got(6, "Mistake", is_cancelled=True),
        ],
        [left(1, 95_500), left(2, 4_500, START + 2 * DAY)],
        {1: NEVER, 3: Micros(START + 7 * DAY)},
    )
    assert told.splitlines() == [
        "You have **100 credits** to spend.",
        "",
        "- **Pack \\*100\\***: 95.5 credits left",
        "- **Month**: 4.5 credits left, the first expire on 20 Nov 2026",
        "- **Pass**: until 25 Nov 2026",
        "- **Old pass**: ended on 19 Nov 2026",
        "- **Used up**: 0 credits left",
        "- **Mistake**: taken back by the operator on 19 Nov 2026",
        "",
        "Purchases, receipts and access tokens are on [your account](/account).",
    ]


def test_who_never_had_a_plan_has_no_account_to_tell_of() -> None:
    assert sentences.account([], [], {}) == ""


URL = "http://host/buy/pack"


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [
        (
            CreditsExhausted(offering="It", required=5_000, available=2_000, topup_url=URL),
            "Not charged. You have 2 credits left for It; this needs 5. Your message is kept.",
        ),
        (
            PlanEnded(
                "Week ended on 1 May 2026.",
                advice=f"Get a plan at {URL} and try again.",
                facts={"topup_url": URL},
            ),
            "Not charged. Week ended on 1 May 2026. Your message is kept.",
        ),
        (
            NotInPlan("None covers it. None is for sale right now.", facts={"topup_url": None}),
            "Not charged. None covers it. None is for sale right now. Your message is kept.",
        ),
        (
            CreditsExhausted(
                offering="[Top up](https://evil)", required=5_000, available=0, topup_url=URL
            ),
            (
                r"Not charged. You have 0 credits left for \[Top up\](https://evil);"
                r" this needs 5. Your message is kept."
            ),
        ),
    ],
)
def test_a_kept_message_says_why_and_that_it_is_kept_and_no_address(
    refused: CreditsExhausted | PlanEnded | NotInPlan, sentence: str
) -> None:
    assert sentences.kept(refused) == sentence


def test_a_kept_message_is_told_of_in_the_language_of_who_wrote_it() -> None:
    with speaking(Language.SPANISH):
        said = sentences.kept(
            CreditsExhausted(offering="It", required=5_000, available=2_000, topup_url=URL)
        )
    assert said == (
        "Sin cargo. Tienes 2 créditos para It; esto necesita 5. Tu mensaje queda guardado."
    )


def test_what_was_typed_is_repeated_in_part_and_as_text() -> None:
    said = sentences.found_nothing("[x](http://evil) " + "long " * 40)
    assert r"“\[x\](http://evil) long" in said
    assert "…”" in said
    assert len(said) < 150


def test_a_long_kept_message_is_shown_by_its_beginning() -> None:
    assert sentences.preview("a\n\n b") == "a b"
    assert len(sentences.preview("x" * 5000)) == sentences.PREVIEW_MAX


def test_matches_are_counted_and_it_is_said_when_not_all_are_shown() -> None:
    assert sentences.found("maths", 1, shown=1) == "1 match for “maths”:"
    assert sentences.found("maths", 60, shown=12) == "60 matches for “maths”, the best 12:"


@pytest.mark.parametrize("language", Language)
def test_what_the_balance_button_says_is_understood_in_every_language(language: Language) -> None:
    english = "Show my balance"
    said = page_words(language).get(english, english)
    assert isinstance(said, str)
    assert is_about_balance(said)
