"""What is said when something is refused: in the language of who asked, and once what it cost."""

from collections.abc import Iterator

import pytest

from host.errors import (
    CreditsExhausted,
    FareboxError,
    InvalidInput,
    LedgerUnavailable,
    SpendCapReached,
    problem,
)
from host.identity.links import LinkSpent
from host.language import Language, _, speaking
from host.vault.envelope import SecretUnreadable

URL = "https://farebox.example"
TOP_UP = f"{URL}/buy/pack"


def refused() -> CreditsExhausted:
    return CreditsExhausted(
        offering="Math Tutor", required=5_500, available=1_000, topup_url=TOP_UP
    )


def kinds(of: type[FareboxError] = FareboxError) -> Iterator[type[FareboxError]]:
    yield of
    for kind in of.__subclasses__():
        yield from kinds(kind)


def test_a_refusal_is_worded_for_who_is_spoken_to_where_it_is_made() -> None:
    with speaking(Language.SPANISH):
        spanish = refused()
    assert spanish.detail == (
        "Tienes 1 crédito para Math Tutor; esto necesita 5,5."
        f" Recarga en {TOP_UP} e inténtalo de nuevo."
    )
    assert refused().detail == (
        f"You have 1 credit left for Math Tutor; this needs 5.5. Top up at {TOP_UP} and try again."
    )


def test_what_programs_read_is_the_same_in_every_language() -> None:
    english = problem(refused(), public_url=URL)
    with speaking(Language.SPANISH):
        spanish = problem(refused(), public_url=URL)
    assert spanish["title"] == "Sin créditos"
    words = {"title", "detail"}
    assert {k: v for k, v in spanish.items() if k not in words} == {
        k: v for k, v in english.items() if k not in words
    }
    assert set(english) == words | {
        "type", "status", "code", "balance", "required", "topup_url"
    }  # fmt: skip


def test_a_reason_is_the_detail_without_what_to_do() -> None:
    advised = InvalidInput("It is red.", advice="Make it blue.")
    assert (advised.reason, advised.detail) == ("It is red.", "It is red. Make it blue.")
    plain = InvalidInput("It is red.")
    assert (plain.reason, plain.detail) == ("It is red.", "It is red.")
    assert refused().reason == "You have 1 credit left for Math Tutor; this needs 5.5."


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize(
    ("cap", "spent"), [pytest.param(10_000, 8_000, id="today"), pytest.param(4_000, 0, id="ever")]
)
def test_a_limit_says_itself_that_nothing_was_charged(
    language: Language, cap: int, spent: int
) -> None:
    with speaking(language):
        over = SpendCapReached(required=5_000, cap=cap, spent=spent, retry_after_s=60)
    assert over.says_charge
    assert over.detail.startswith("Not charged: " if language is Language.ENGLISH else "Sin cargo")


def test_a_refusal_says_nothing_of_a_charge_unless_it_is_told_to() -> None:
    assert not refused().says_charge
    assert LedgerUnavailable().says_charge


def test_every_kind_of_refusal_has_a_title_in_every_language() -> None:
    assert {LinkSpent, SecretUnreadable} < set(kinds())
    with speaking(Language.SPANISH):
        assert [kind for kind in kinds() if _(kind.title) == kind.title] == []
