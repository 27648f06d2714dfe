"""What the script says, apart from any server: pieces, memory, banner, triggers, pace."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.demo.upstream.pace import INSTANT, Gate, Pace
from farebox.demo.upstream.refusals import Refusal
from farebox.demo.upstream.script import BANNER, Said, Script, write_script
from farebox.demo.upstream.subjects import MATHS, TRAVEL, subject_of
from farebox.demo.upstream.triggers import FOR_PEOPLE, TRIGGERS, Ending, split_trigger


def answer(message: str, *history: Said, instructions: str = "You teach math.") -> Script:
    return write_script(
        instructions=instructions, history=history, message=message, most_words=None
    )


@given(st.text(max_size=200))
def test_the_pieces_of_a_text_joined_are_the_text(text: str) -> None:
    assert "".join(Script(text=text, ending=Ending.COMPLETED).words) == text


@given(st.text(max_size=300), st.text(max_size=300), st.lists(st.text(max_size=60), max_size=4))
def test_anything_typed_gets_the_same_answer_twice_or_a_refusal(
    message: str, instructions: str, earlier: list[str]
) -> None:
    history = [Said("user", text) for text in earlier]
    written = []
    for _ in range(2):
        try:
            written.append(answer(message, *history, instructions=instructions))
        except Refusal:
            return
    assert written[0] == written[1]
    assert written[0].text or written[0].ending is not Ending.COMPLETED


def test_the_banner_stands_once_at_the_start_of_the_first_answer() -> None:
    first = answer("hello")
    assert first.text.startswith(BANNER)
    assert "scripted demo, no AI" in first.text
    later = answer("hello", Said("user", "hello"), Said("assistant", first.text))
    assert BANNER not in later.text


def test_a_failure_before_any_text_leaves_the_banner_for_the_next_answer() -> None:
    assert answer("/empty").text == ""
    assert BANNER in answer("hello", Said("user", "/empty")).text


def test_a_product_is_shown_in_steps_that_add_up() -> None:
    text = answer("what is 17*23?").text
    assert "17 × 23 = **391**" in text
    assert "17 × 20 = 340, 17 × 3 = 51, and 340 + 51 = 391" in text


def test_a_name_and_a_sum_in_one_message_are_both_answered() -> None:
    text = answer("My name is Ada. What is 17 * 23?").text
    assert "Nice to meet you, Ada" in text
    assert "**391**" in text
    assert "You have not told me your name yet" in answer("What's my name?").text


def test_the_first_message_has_nothing_earlier() -> None:
    assert "nothing earlier" in answer("what did I say?").text


def test_dividing_by_zero_is_said_and_not_failed_on() -> None:
    assert "has no value" in answer("1/0").text


def test_what_was_said_earlier_is_listed_on_request() -> None:
    text = answer("what did I say?", Said("user", "I like bees"), Said("user", "and ants")).text
    assert "1. “I like bees”\n2. “and ants”" in text


def test_a_plan_names_the_place_that_was_asked_for() -> None:
    instructions = "You help people travel."
    texts = [
        answer(f"Plan {days} days in New York", instructions=instructions).text
        for days in ("two", "three", "four")
    ]
    assert all("New York" in text for text in texts)


@pytest.mark.parametrize(
    ("instructions", "subject"),
    [
        ("You are a MATH tutor.", MATHS),
        ("Help with trips; no maths.", TRAVEL),
        ("Plan holidays", TRAVEL),
    ],
)
def test_the_subject_is_the_first_one_the_instructions_mention(
    instructions: str, subject: object
) -> None:
    assert subject_of(instructions) is subject


def test_a_trigger_is_the_first_word_and_what_follows_is_answered() -> None:
    trigger, rest = split_trigger("  /SLOW what is 2+2 ")
    assert trigger is TRIGGERS["/slow"]
    assert rest == "what is 2+2"
    script = answer("/slow what is 2+2")
    assert script.is_slow
    assert "**4**" in script.text


@pytest.mark.parametrize("message", ["please /error", "/unheard-of", "/errors", ""])
def test_what_is_no_trigger_is_answered(message: str) -> None:
    assert answer(message).ending is Ending.COMPLETED


def test_every_trigger_for_people_is_named_when_asked_what_it_can_do() -> None:
    text = answer("What can you do?").text
    assert all(f"`{word}`" in text for word in FOR_PEOPLE)


def test_the_demos_pace_is_forty_words_a_second_and_slow_takes_seconds_to_begin() -> None:
    pace = Pace()
    assert pace.seconds_before(1, is_slow=False) == 1 / 40
    assert pace.seconds_before(0, is_slow=True) >= 3
    assert INSTANT.seconds_before(0, is_slow=True) == INSTANT.seconds_before(9, is_slow=False) == 0


async def test_a_gate_holds_at_its_word_or_at_the_end_until_it_is_opened() -> None:
    gate = Gate(after_words=2)
    async with asyncio.timeout(5):
        await gate.pass_by(sent=1, is_end=False)
        waiting = [
            asyncio.create_task(gate.pass_by(sent=2, is_end=False)),
            asyncio.create_task(gate.pass_by(sent=1, is_end=True)),
        ]
        await gate.reached(2)
        assert gate.held == 2
        waiting[0].cancel()
        gate.open()
        await gate.deserted()
        await waiting[1]
        await gate.pass_by(sent=2, is_end=False)
