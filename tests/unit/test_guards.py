"""What a browser may send over its socket, and what becomes of it."""

from dataclasses import fields
from uuid import uuid4

import pytest

from chat_ui import wording
from chat_ui.hearing import (
    Heard,
    ShownPrice,
    heard,
    is_handshake,
    is_id,
    price_shown,
    why_not_heard,
)
from chat_ui.secret_text import looks_random, without_secrets
from host.redaction import STAND_IN
from storage.credits import MilliCredits

PLANTED = "sk-proj-abcdEFGH1234567890ijklMNOP"


def handshake(**changed: object) -> dict[str, object]:
    return {
        "sessionId": str(uuid4()),
        "clientType": "webapp",
        "threadId": "",
        "userEnv": "{}",
        "chatProfile": "math-tutor",
        **changed,
    }


def message(**changed: object) -> dict[str, object]:
    return {"id": str(uuid4()), "output": "What is 17 × 23?", "type": "user_message", **changed}


def test_a_browser_that_introduces_itself_is_heard() -> None:
    assert is_handshake(handshake())
    assert is_handshake(handshake(threadId=str(uuid4())))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"sessionId": "/etc"}, id="a path, which would be removed later"),
        pytest.param({"sessionId": "../../etc"}, id="a way up"),
        pytest.param({"sessionId": str(uuid4()).upper()}, id="not canonical"),
        pytest.param({"sessionId": None}, id="none"),
        pytest.param({"clientType": "copilot"}, id="another client"),
        pytest.param({"threadId": "../x"}, id="a thread that is no id"),
        pytest.param({"chatProfile": ["math-tutor"]}, id="a profile that is no text"),
    ],
)
def test_any_other_handshake_is_refused(changed: dict[str, object]) -> None:
    assert not is_handshake(handshake(**changed))


@pytest.mark.parametrize("raw", [None, "hello", 7, []])
def test_a_handshake_that_is_no_object_is_refused(raw: object) -> None:
    assert not is_handshake(raw)


def test_who_speaks_and_as_what_is_not_for_the_browser_to_say() -> None:
    raw = message(
        type="system_message",
        name="operator",
        parentId=str(uuid4()),
        metadata={"favorite": True},
        command="free",
        modes={"price": "0"},
        isError=True,
    )
    taken = heard(raw, is_setup=False)
    assert taken is not None
    kept = {field.name: getattr(taken, field.name) for field in fields(Heard)}
    assert kept == {
        "id": raw["id"],
        "text": raw["output"],
        "created_at": None,
        "files": (),
        "is_redacted": False,
    }


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(message(id="1"), wording.NOT_HEARD, id="no id"),
        pytest.param(message(output=["a"]), wording.NOT_HEARD, id="no text"),
        pytest.param(message(output=" \n"), wording.EMPTY, id="blank"),
        pytest.param(message(output="x" * 200_001), wording.TOO_LONG, id="endless"),
        pytest.param(message(output="a\ud800b"), wording.NO_TEXT, id="half a character"),
        pytest.param(message(output="a\0b"), wording.NO_TEXT, id="a NUL"),
        pytest.param("hello", wording.NOT_HEARD, id="no object"),
        pytest.param(None, wording.NOT_HEARD, id="nothing"),
    ],
)
def test_what_is_no_message_is_not_heard_and_told_why(raw: object, sentence: str) -> None:
    assert heard(raw, is_setup=False) is None
    assert why_not_heard(raw) == sentence


def test_files_are_referred_to_by_their_ids_alone() -> None:
    files = [str(uuid4()), str(uuid4())]
    references = [{"id": one, "path": "/etc/passwd"} for one in files]
    taken = heard(message(output=""), references, is_setup=False)
    assert taken is not None
    assert taken.files == tuple(files)


@pytest.mark.parametrize(
    "references",
    [
        pytest.param("x", id="no list"),
        pytest.param([str(uuid4())], id="no object"),
        pytest.param([{"id": "../x"}], id="a path"),
        pytest.param([{"id": None}], id="no id"),
        pytest.param([{"id": str(uuid4())}] * 101, id="endless"),
    ],
)
def test_a_message_that_refers_to_nonsense_is_not_heard(references: object) -> None:
    assert heard(message(), references, is_setup=False) is None


@pytest.mark.parametrize("is_setup", [True, False])
def test_a_pasted_key_is_gone_before_anything_keeps_it(is_setup: bool) -> None:
    taken = heard(message(output=f"use {PLANTED} please"), is_setup=is_setup)
    assert taken is not None
    assert taken.text == f"use {STAND_IN} please"
    assert taken.is_redacted


def test_the_setup_bot_takes_any_word_drawn_at_random_for_a_secret() -> None:
    text = "it is Zx81kQ0vLm27TgHs94WbYp5n, thanks"
    assert without_secrets(text, is_setup=True) == f"it is {STAND_IN}, thanks"
    assert without_secrets(text, is_setup=False) == text


@pytest.mark.parametrize(
    "word",
    [
        pytest.param("01a1faec-f9ef-7a21-91f4-4adc9c9e8a31", id="a UUID"),
        pytest.param("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c", id="a digest"),
        pytest.param("https://api.example.com/v1/responses", id="an address"),
        pytest.param("supercalifragilisticexpialidocious", id="a long word"),
        pytest.param("gpt-6-luna", id="a model"),
    ],
)
def test_ids_digests_addresses_and_words_are_left_alone(word: str) -> None:
    assert not looks_random(word)
    assert without_secrets(word, is_setup=True) == word


@pytest.mark.parametrize("value", ["", "x", None, 5, "01A1FAEC-f9ef-7a21-91f4-4adc9c9e8a31"])
def test_only_canonical_ids_are_ids(value: object) -> None:
    assert not is_id(value)


def test_a_page_may_say_which_price_it_shows() -> None:
    said = {"farebox_shown": {"slug": "math-tutor", "price": 5_000, "more": "x"}}
    assert price_shown(said) == ShownPrice("math-tutor", MilliCredits(5_000))


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(None, id="nothing"),
        pytest.param("farebox_shown", id="no object"),
        pytest.param({"farebox_thread": str(uuid4())}, id="what we said ourselves"),
        pytest.param({"farebox_shown": ["math-tutor", 5_000]}, id="no fields"),
        pytest.param({"farebox_shown": {"slug": "math-tutor"}}, id="no price"),
        pytest.param({"farebox_shown": {"slug": "math-tutor", "price": -1}}, id="below nothing"),
        pytest.param({"farebox_shown": {"slug": "math-tutor", "price": True}}, id="no number"),
        pytest.param({"farebox_shown": {"slug": "math-tutor", "price": 5.0}}, id="a fraction"),
        pytest.param({"farebox_shown": {"slug": "", "price": 5_000}}, id="nobody"),
        pytest.param({"farebox_shown": {"slug": "x" * 200, "price": 5_000}}, id="no slug"),
        pytest.param({"farebox_shown": {"slug": 7, "price": 5_000}}, id="a slug that is no text"),
    ],
)
def test_whatever_else_is_posted_to_a_window_is_not_heard(said: object) -> None:
    assert price_shown(said) is None
