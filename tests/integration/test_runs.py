"""Paid messages, on real tables and over a real socket: the charging table, row by row."""

import asyncio
import logging
import threading
import time
import traceback
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from openai import AsyncOpenAI
from sqlalchemy import text as sql
from sqlmodel import Session, select

from farebox.demo.upstream import refusals
from host.errors import (
    AccountSuspended,
    CallInProgress,
    CreditsExhausted,
    FareboxError,
    IdempotencyConflict,
    MalformedRequest,
    NotInPlan,
    OfferingPaused,
    PlanEnded,
    Restarting,
    SpendCapReached,
    UnknownOffering,
    UnknownThread,
)
from host.providers.base import TextDelta
from host.runs.answers import LiveAnswer, Question
from host.runs.lifecycle import Reason
from host.runs.opening import MISSED_MAX, TEXT_MAX, Asking, Opened, open_run
from host.runs.runner import Runs
from storage.accounts import set_state
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Unit
from storage.models.accounts import AccountState
from storage.models.catalogue import Offering, OfferingState
from storage.models.conversations import Message, Run, Thread
from storage.moments import DAY, MINUTE, SECOND, Micros
from storage.run_states import RunState
from tests.conversing import (
    BOUGHT,
    PLANTED_KEY,
    PRICE,
    SLUG,
    THREAD,
    Hall,
    open_hall,
)
from tests.databases import SQLITE_ALONE
from tests.fakes.clock import ManualClock


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


async def listened(answer: LiveAnswer) -> str:
    return "".join([piece.text async for piece in answer.listen()])


async def until_stored(hall: Hall, answer_id: str, wanted: str) -> None:
    """Wait until the answer's stored text is as wanted; the hall's own timeout bounds it."""
    while await hall.database.read(lambda s: s.get_one(Message, answer_id).text) != wanted:
        pass


# What a delivered answer costs.


async def test_an_answer_is_streamed_stored_and_charged_once(hall: Hall) -> None:
    answer = await hall.begin("What is 17 * 23?")
    heard = await listened(answer)
    outcome = await answer.outcome()

    assert "391" in heard
    assert outcome.text == heard
    assert (outcome.state, outcome.reason) == (RunState.COMPLETED, None)
    assert (outcome.charged, outcome.available) == (PRICE, BOUGHT - PRICE)
    assert outcome.sentence.startswith("−5 credits · 95 left · ")
    assert await hall.charges() == [-PRICE]
    question, reply = await hall.said()
    assert (question.message.text, reply.message.text) == ("What is 17 * 23?", heard)
    assert reply.message.id == answer.answer_id
    run = await hall.run(outcome.run_id)
    assert (run.state, run.charged, run.balance_after) == ("completed", PRICE, BOUGHT - PRICE)
    assert run.provider_run is not None
    assert run.first_text_at is not None
    assert run.usage is not None
    assert run.usage["output"] > 0
    hold = (await hall.holds())[0]
    assert (hold.public_id, hold.state) == (outcome.receipt_id, HoldState.CAPTURED)


async def test_the_assistant_remembers_what_was_said_in_the_thread_and_only_there(
    hall: Hall,
) -> None:
    await hall.ask("My name is Ada.")
    assert "Ada" in (await hall.ask("What is my name?")).text
    assert "Ada" not in (await hall.ask("What is my name?", thread_id="another-thread")).text


async def test_a_message_within_a_time_plan_costs_nothing_and_says_until_when(hall: Hall) -> None:
    until = hall.clock.now() + 7 * DAY
    account_id = await hall.pass_ending_at(until)
    answer = await hall.begin("What is 6 * 7?", account_id=account_id)
    outcome = await answer.outcome()
    assert (outcome.charged, outcome.price, outcome.included_until) == (0, 0, until)
    assert outcome.sentence.startswith("Included in your plan until 25 November 2026")
    hold = (await hall.holds())[0]
    assert (hold.amount, hold.state) == (0, HoldState.CAPTURED)


async def test_a_time_plan_that_ends_while_the_answer_is_written_still_includes_it(
    hall: Hall,
) -> None:
    account_id = await hall.pass_ending_at(hall.clock.now() + MINUTE)
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?", account_id=account_id)
    await gate.reached()
    hall.clock.advance(2 * MINUTE)
    gate.open()
    assert (await answer.outcome()).charged == 0
    with pytest.raises(PlanEnded):
        await hall.begin("And now?", account_id=account_id)


async def test_the_builders_own_message_is_free_and_opens_no_hold(hall: Hall) -> None:
    answer = await hall.begin("What is 6 * 7?", account_id=hall.shop.builder_id)
    outcome = await answer.outcome()
    assert "42" in outcome.text
    assert (outcome.charged, outcome.available) == (0, None)
    assert outcome.sentence.startswith("Free")
    assert await hall.holds() == []


# What is not delivered costs nothing.


@SQLITE_ALONE
@pytest.mark.parametrize(
    ("text", "reason", "state"),
    [
        ("/error", Reason.UPSTREAM_FAILED, RunState.FAILED),
        ("/failed", Reason.UPSTREAM_FAILED, RunState.FAILED),
        ("/hangup", Reason.UPSTREAM_FAILED, RunState.FAILED),
        ("/401", Reason.UPSTREAM_REFUSES, RunState.FAILED),
        ("/quota", Reason.UPSTREAM_REFUSES, RunState.FAILED),
        ("/429", Reason.UPSTREAM_BUSY, RunState.FAILED),
        ("/json", Reason.UPSTREAM_TRUNCATED, RunState.FAILED),
        ("/empty", Reason.EMPTY_ANSWER, RunState.COMPLETED),
    ],
)
async def test_nothing_shown_costs_nothing(
    hall: Hall, text: str, reason: Reason, state: RunState
) -> None:
    outcome = await hall.ask(text)
    assert (outcome.reason, outcome.state, outcome.text) == (reason, state, "")
    await released(hall, outcome.run_id, reason)


@SQLITE_ALONE
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/error-mid what is 6 * 7", Reason.UPSTREAM_FAILED),
        ("/error-event what is 6 * 7", Reason.UPSTREAM_FAILED),
        ("/error-nested what is 6 * 7", Reason.UPSTREAM_FAILED),
        ("/junk what is 6 * 7", Reason.UPSTREAM_FAILED),
        ("/reset what is 6 * 7", Reason.UPSTREAM_FAILED),
        ("/cut what is 6 * 7", Reason.UPSTREAM_TRUNCATED),
        ("/incomplete what is 6 * 7", Reason.INCOMPLETE),
    ],
)
async def test_a_failure_after_visible_text_costs_nothing_and_keeps_the_text(
    hall: Hall, text: str, reason: Reason
) -> None:
    answer = await hall.begin(text)
    heard = await listened(answer)
    outcome = await answer.outcome()
    assert heard
    assert (outcome.text, outcome.reason) == (heard, reason)
    assert (await hall.said())[-1].message.text == heard
    await released(hall, outcome.run_id, reason)


async def released(hall: Hall, run_id: str, reason: Reason) -> None:
    """The whole price is back, and the run says why."""
    run = await hall.run(run_id)
    assert (run.charged, run.outcome, run.balance_after) == (0, reason, BOUGHT)
    assert [hold.state for hold in await hall.holds()] == [HoldState.RELEASED]
    assert await hall.available() == BOUGHT
    assert await hall.charges() == []


async def test_a_failed_message_leaves_the_conversation_usable(hall: Hall) -> None:
    assert (await hall.ask("/error-mid tell me")).charged == 0
    assert "42" in (await hall.ask("What is 6 * 7?")).text


async def test_an_upstream_that_never_ends_is_given_up(
    database: Database, database_url: str, clock: ManualClock
) -> None:
    async with open_hall(database, database_url, clock, run_max_s=0.2) as hall:
        gate = hall.upstream.hold_answers(after_words=1)
        outcome = await hall.ask("What is 6 * 7?")
        assert (outcome.state, outcome.reason) == (RunState.EXPIRED, Reason.UPSTREAM_TIMEOUT)
        await gate.deserted()
        await released(hall, outcome.run_id, Reason.UPSTREAM_TIMEOUT)


async def test_an_upstream_that_opens_no_conversation_costs_nothing(hall: Hall) -> None:
    hall.upstream.refuse_next(refusals.server_error())
    outcome = await hall.ask("What is 6 * 7?")
    await released(hall, outcome.run_id, Reason.UPSTREAM_FAILED)


# Stopping, leaving, shutting down.


async def test_stopped_before_anything_was_visible_is_not_charged(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=0)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    await answer.stop()
    outcome = await answer.outcome()
    assert (outcome.state, outcome.sentence) == (RunState.CANCELLED, "Stopped, not charged")
    await hall.upstream.all_quiet()
    await released(hall, outcome.run_id, Reason.STOPPED)


async def test_stopped_after_the_first_visible_word_costs_the_price(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=2)
    answer = await hall.begin("What is 6 * 7?")
    await anext(answer.listen())
    await gate.reached()
    await answer.stop()
    outcome = await answer.outcome()
    assert (outcome.state, outcome.sentence) == (RunState.CANCELLED, "Stopped, 5 credits")
    assert outcome.text
    await hall.upstream.all_quiet()
    assert await hall.charges() == [-PRICE]
    assert (await hall.said())[-1].message.text == outcome.text


async def stopped_after_two_words(hall: Hall, text: str) -> str:
    """What there is of the answer to `text`, which is stopped."""
    gate = hall.upstream.hold_answers(after_words=2)
    answer = await hall.begin(text)
    await anext(answer.listen())
    await gate.reached()
    await answer.stop()
    gate.open()
    hall.clock.advance(SECOND)
    return (await answer.outcome()).text


async def upstream_heard(hall: Hall) -> list[tuple[str, str]]:
    """Who said what, as the conversation stands upstream."""
    thread = await hall.database.read(lambda s: s.get_one(Thread, THREAD))
    client = AsyncOpenAI(api_key=PLANTED_KEY, base_url=hall.assistant.base_url)
    async with client:
        items = client.conversations.items.list(thread.provider_thread or "", order="asc")
        said = [item async for item in items if item.type == "message"]
    return [(m.role, "".join(getattr(p, "text", "") for p in m.content)) for m in said]


async def test_the_assistant_knows_an_answer_that_was_stopped_and_is_told_of_it_once(
    hall: Hall,
) -> None:
    name_given = "My name is Ada."
    cut_off = [(name_given, await stopped_after_two_words(hall, name_given))]
    cut_off += [("What is 6 * 7?", await stopped_after_two_words(hall, "What is 6 * 7?"))]
    third = (await hall.ask("What is my name?")).text
    fourth = (await hall.ask("What is 2 + 2?")).text

    assert "Ada" in third
    assert await upstream_heard(hall) == [
        (role, text)
        for question, answer in [*cut_off, ("What is my name?", third), ("What is 2 + 2?", fourth)]
        for role, text in (("user", question), ("assistant", answer))
    ]


async def test_an_answer_that_nobody_saw_is_not_told_to_the_assistant(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=0)
    unseen = await hall.begin("My name is Ada.")
    await gate.reached()
    await unseen.stop()
    gate.open()
    await unseen.outcome()
    assert "Ada" not in (await hall.ask("What is my name?")).text


async def test_only_the_newest_answers_that_were_cut_off_are_told(hall: Hall) -> None:
    for number in range(MISSED_MAX + 1):
        await stopped_after_two_words(hall, f"Question {number}")
    await hall.ask("What is 6 * 7?")
    asked = [text for role, text in await upstream_heard(hall) if role == "user"]
    assert asked == [*(f"Question {n}" for n in range(1, MISSED_MAX + 1)), "What is 6 * 7?"]


async def test_what_was_cut_off_is_not_told_again_once_the_upstream_has_failed_on_it(
    hall: Hall,
) -> None:
    await stopped_after_two_words(hall, "My name is Ada.")
    hall.upstream.refuse_next(refusals.quota_used_up())
    assert (await hall.ask("What is my name?")).reason is Reason.UPSTREAM_REFUSES
    hall.upstream.refuse_next(refusals.server_error())
    hall.clock.advance(SECOND)
    assert (await hall.ask("What is my name?")).reason is Reason.UPSTREAM_FAILED
    hall.clock.advance(SECOND)
    assert "Ada" not in (await hall.ask("What is my name?")).text


async def test_an_upstream_that_would_not_hear_it_is_told_with_the_next_question(
    hall: Hall,
) -> None:
    await stopped_after_two_words(hall, "My name is Ada.")
    hall.upstream.refuse_next(refusals.quota_used_up())
    await hall.ask("What is my name?")
    hall.clock.advance(SECOND)
    assert "Ada" in (await hall.ask("What is my name?")).text


async def test_of_what_was_cut_off_no_more_is_told_than_there_is_room_for(hall: Hall) -> None:
    questions = [f"{name} {'x' * (TEXT_MAX - 10)}" for name in ("Ada", "Bea", "Cleo", "Dora")]
    for question in questions:
        await stopped_after_two_words(hall, question)
    await hall.ask("What is 6 * 7?")
    asked = [text for role, text in await upstream_heard(hall) if role == "user"]
    assert asked == [*questions[1:], "What is 6 * 7?"]


async def test_stopping_twice_or_too_late_changes_nothing(hall: Hall) -> None:
    answer = await hall.begin("What is 6 * 7?")
    outcome = await answer.outcome()
    await asyncio.gather(answer.stop(), answer.stop())
    assert await answer.outcome() == outcome
    assert outcome.reason is None


async def test_an_answer_goes_on_when_everybody_has_left(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=2)
    answer = await hall.begin("What is 6 * 7?")
    leaving = asyncio.create_task(listened(answer))
    waiting = asyncio.create_task(answer.outcome())
    await gate.reached()
    for task in (leaving, waiting):
        task.cancel()
    await asyncio.wait([leaving, waiting])
    gate.open()
    assert (await answer.outcome()).charged == PRICE
    assert "42" in (await hall.said())[-1].message.text


async def test_a_caller_who_leaves_while_it_begins_leaves_no_hold_open(hall: Hall) -> None:
    beginning = asyncio.create_task(hall.begin("What is 6 * 7?"))
    await asyncio.wait([beginning], timeout=0)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    await hall.runs.drain(10)
    assert [hold.state for hold in await hall.holds()] == [HoldState.CAPTURED]


async def test_who_comes_late_hears_everything_from_the_beginning(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=3)
    answer = await hall.begin("What is 6 * 7?")
    early = asyncio.create_task(listened(answer))
    await gate.reached()
    joined = hall.runs.live(THREAD, account_id=hall.shop.subscriber_id)
    assert joined is answer
    late = joined.listen()
    first = await anext(late)
    assert isinstance(first, TextDelta)
    gate.open()
    rest = "".join([piece.text async for piece in late])
    assert first.text + rest == await early == (await answer.outcome()).text
    assert hall.runs.live(THREAD, account_id=hall.shop.subscriber_id) is None


async def test_the_text_is_stored_while_it_is_written(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=4)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    while len(answer.text.split()) < 4:
        await answer.changed()
    await until_stored(hall, answer.answer_id, answer.text)
    run = await hall.run(answer.run_id)
    assert run.state == RunState.IN_PROGRESS
    assert run.first_text_at is not None
    assert run.provider_run is not None
    gate.open()
    await answer.outcome()


async def test_a_long_answer_keeps_its_hold_alive(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    opened = (await hall.holds())[0]
    hall.clock.advance(4 * MINUTE)
    while (await hall.holds())[0].expires_at == opened.expires_at:
        pass
    gate.open()
    assert (await answer.outcome()).charged == PRICE


async def test_an_answer_whose_hold_has_expired_is_not_charged(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    expiry = (await hall.holds())[0].expires_at
    await hall.database.run(lambda unit: unit.books.sweep(Micros(expiry + 1)))
    gate.open()
    outcome = await answer.outcome()
    assert (outcome.charged, outcome.reason) == (0, Reason.HOLD_EXPIRED)
    hold = (await hall.holds())[0]
    assert (hold.state, hold.shortfall) == (HoldState.EXPIRED, PRICE)


async def test_a_renewal_that_failed_is_tried_again_at_once(hall: Hall) -> None:
    fragile = hall.fragile()
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await fragile.hall.begin("What is 6 * 7?")
    await gate.reached()
    opened = (await hall.holds())[0]
    fragile.database.is_down = True
    hall.clock.advance(4 * MINUTE)
    await fragile.database.refused.wait()
    fragile.database.is_down = False
    while (await hall.holds())[0].expires_at == opened.expires_at:
        pass
    gate.open()
    assert (await answer.outcome()).charged == PRICE


async def test_an_answer_given_while_the_database_is_away_is_charged_once_it_is_back(
    hall: Hall,
) -> None:
    fragile = hall.fragile()
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await fragile.hall.begin("What is 6 * 7?")
    await gate.reached()
    fragile.database.is_down = True
    gate.open()
    await fragile.database.refused.wait()
    assert not answer.is_over  # nobody is told that it is free
    fragile.database.is_down = False
    outcome = await answer.outcome()
    assert (outcome.charged, outcome.reason) == (PRICE, None)
    assert await hall.charges() == [-PRICE]


async def test_an_answer_without_end_is_cut_off_and_not_charged(
    hall: Hall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("host.runs.transcript.TEXT_MAX", 3)
    gate = hall.upstream.hold_answers(after_words=4)
    outcome = await hall.ask("What is 6 * 7?")
    assert (outcome.state, outcome.reason) == (RunState.INCOMPLETE, Reason.INCOMPLETE)
    assert len(outcome.text) == 3
    await gate.deserted()
    await released(hall, outcome.run_id, Reason.INCOMPLETE)


async def test_shutting_down_waits_for_what_ends_in_time(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?")
    await gate.reached()
    draining = asyncio.create_task(hall.runs.drain(10))
    gate.open()
    await draining
    assert (await answer.outcome()).charged == PRICE


async def test_shutting_down_interrupts_what_takes_longer_and_charges_nothing(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=2)
    answer = await hall.begin("What is 6 * 7?")
    await anext(answer.listen())
    await gate.reached()
    await hall.runs.drain(0)
    outcome = await answer.outcome()
    assert (outcome.reason, outcome.sentence) == (Reason.INTERRUPTED, "Not charged: interrupted")
    assert outcome.text
    await released(hall, outcome.run_id, Reason.INTERRUPTED)
    with pytest.raises(Restarting):
        await hall.begin("And another?")


# The same message twice, and two at once.


async def test_the_same_message_twice_at_once_is_one_answer(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    first, second = await asyncio.gather(
        hall.begin("What is 6 * 7?", message_id="m1"),
        hall.begin("What is 6 * 7?", message_id="m1"),
    )
    gate.open()
    assert first is second
    await first.outcome()
    assert await hall.charges() == [-PRICE]


async def test_the_same_message_later_finds_the_same_receipt(hall: Hall) -> None:
    first = await hall.begin("What is 6 * 7?", message_id="m1")
    outcome = await first.outcome()
    again = await hall.begin("What is 6 * 7?", message_id="m1")
    assert again.answer_id == first.answer_id
    assert await listened(again) == outcome.text
    assert await again.outcome() == outcome
    assert await hall.charges() == [-PRICE]


async def test_a_failed_message_sent_again_replays_its_failure(hall: Hall) -> None:
    first = await (await hall.begin("/error", message_id="m1")).outcome()
    again = await (await hall.begin("/error", message_id="m1")).outcome()
    assert again == first
    assert hall.upstream.journal.count("POST", "/v1/responses") == 1


async def test_a_suspended_account_gets_no_answer_again_either(hall: Hall) -> None:
    subscriber = hall.shop.subscriber_id
    await (await hall.begin("What is 6 * 7?", message_id="m1")).outcome()
    await hall.database.run(
        lambda unit: set_state(unit.session, subscriber, AccountState.SUSPENDED)
    )
    for message_id in ("m1", "m2"):
        with pytest.raises(AccountSuspended):
            await hall.begin("What is 6 * 7?", message_id=message_id)


async def test_another_text_under_the_same_id_is_refused(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?", message_id="m1")
    with pytest.raises(IdempotencyConflict):
        await hall.begin("What is 6 * 8?", message_id="m1")
    gate.open()
    await answer.outcome()
    with pytest.raises(IdempotencyConflict):
        await hall.begin("What is 6 * 8?", message_id="m1")
    with pytest.raises(IdempotencyConflict):
        await hall.begin("What is 6 * 7?", message_id="m1", thread_id="another")
    with pytest.raises(IdempotencyConflict):  # nor may the answer's own id be a question's
        await hall.begin("What is 6 * 7?", message_id=answer.answer_id)


async def test_an_answer_cannot_take_the_place_of_another_message(hall: Hall) -> None:
    await (await hall.begin("What is 6 * 7?", message_id="m1")).outcome()
    with pytest.raises(IdempotencyConflict):
        await hall.runs.begin(
            account_id=hall.shop.subscriber_id,
            thread_id=THREAD,
            offering_slug=SLUG,
            text="What is 6 * 8?",
            message_id="m2",
            answer_id="m1",
        )
    assert await hall.available() == BOUGHT - PRICE
    assert len(await hall.said()) == 2


async def test_nobody_learns_or_gets_the_answer_to_somebody_elses_message(hall: Hall) -> None:
    await (await hall.begin("What is 6 * 7?", message_id="m1")).outcome()
    stranger = await hall.subscriber_with(hall.shop.plan)
    with pytest.raises(IdempotencyConflict):
        await hall.begin("What is 6 * 7?", message_id="m1", account_id=stranger)


async def test_a_second_question_waits_for_nobody_unless_it_is_patient(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    first = await hall.begin("What is 6 * 7?")
    await gate.reached()
    with pytest.raises(CallInProgress) as refused:
        await hall.begin("What is 6 * 8?")
    assert "Retry-After" in refused.value.headers
    patient = asyncio.create_task(hall.begin("What is 6 * 8?", patience_s=10))
    gate.open()
    assert (await first.outcome()).charged == PRICE
    assert "48" in (await (await patient).outcome()).text


async def test_another_process_sees_that_the_thread_is_busy(hall: Hall) -> None:
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 7?", message_id="m1")
    await gate.reached()
    elsewhere = hall.reborn()
    for message_id in ("m1", "m2"):
        with pytest.raises(CallInProgress):
            await begin_at(elsewhere, hall, message_id=message_id)
    gate.open()
    await answer.outcome()
    again = await begin_at(elsewhere, hall, message_id="m1")
    assert (await again.outcome()).charged == PRICE
    assert await hall.charges() == [-PRICE]


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)  # two units at once
async def test_a_twin_answered_elsewhere_meanwhile_is_found(hall: Hall) -> None:
    question = Question(
        account_id=hall.shop.subscriber_id,
        thread_id=THREAD,
        offering_slug=SLUG,
        text="What is 6 * 7?",
        message_id="m1",
        answer_id="a1",
    )
    is_in_thread = threading.Event()

    def twin(unit: Unit) -> str:
        """Begin and end a run in one unit, once somebody waits for the thread it has locked."""
        now, meter = hall.clock.now(), hall.means.meter
        asking = Asking(question=question, run_id="r1", only_existing=False, now=now)
        opened = open_run(unit, asking, meter=meter)
        assert isinstance(opened, Opened)
        unit.session.flush()
        is_in_thread.set()
        until = time.monotonic() + 20
        while not unit.session.connection().execute(SOMEBODY_WAITS).scalar_one():
            assert time.monotonic() < until, "nobody came to the thread"
        ended = meter.capture_in(unit, opened.tab, MilliCredits(PRICE))
        run = unit.session.get_one(Run, "r1")
        run.state, run.charged, run.ended_at = RunState.COMPLETED, ended.captured, now
        return opened.tab.receipt_id

    elsewhere = asyncio.create_task(hall.database.run(twin))
    await asyncio.to_thread(is_in_thread.wait, 20)
    again = await hall.begin(question.text, message_id="m1")
    assert (await again.outcome()).receipt_id == await elsewhere
    assert await hall.charges() == [-PRICE]


SOMEBODY_WAITS = sql(
    "SELECT count(*) FROM pg_locks"
    " WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
)


async def begin_at(runs: Runs, hall: Hall, *, message_id: str) -> LiveAnswer:
    return await runs.begin(
        account_id=hall.shop.subscriber_id,
        thread_id=THREAD,
        offering_slug=SLUG,
        text="What is 6 * 7?",
        message_id=message_id,
    )


async def test_of_twenty_messages_at_once_seven_are_paid_and_thirteen_refused(hall: Hall) -> None:
    for number in range(13):  # 100 credits, of which 35 are left
        await hall.ask("What is 6 * 7?", thread_id=f"before-{number}")
    assert await hall.available() == 7 * PRICE
    gate = hall.upstream.hold_answers(after_words=1)
    begun = await asyncio.gather(
        *(hall.begin("What is 6 * 7?", thread_id=f"t{number}") for number in range(20)),
        return_exceptions=True,
    )
    answers = [answer for answer in begun if isinstance(answer, LiveAnswer)]
    refused = [error for error in begun if isinstance(error, CreditsExhausted)]
    assert (len(answers), len(refused)) == (7, 13)
    gate.open()
    for answer in answers:
        assert (await answer.outcome()).charged == PRICE
    assert await hall.available() == 0


# Refused before the upstream: nothing stored, nothing charged, nobody called.


async def nothing_happened(hall: Hall, error: type[FareboxError], **how: object) -> None:
    arguments: dict[str, object] = {
        "account_id": hall.shop.subscriber_id,
        "thread_id": THREAD,
        "offering_slug": SLUG,
        "text": "What is 6 * 7?",
        "message_id": "m1",
    }
    with pytest.raises(error):
        await hall.runs.begin(**{**arguments, **how})  # type: ignore[arg-type]
    assert await hall.holds() == []
    assert hall.upstream.journal.requests == []

    def rows(session: Session) -> int:
        return sum(len(session.exec(select(table)).all()) for table in (Thread, Message, Run))

    assert await hall.database.read(rows) == 0


@SQLITE_ALONE
@pytest.mark.parametrize("text", ["", "  \n", "x" * (TEXT_MAX + 1), "a\0b", "\ud800"])
async def test_what_is_no_message_is_refused(hall: Hall, text: str) -> None:
    await nothing_happened(hall, MalformedRequest, text=text)


@SQLITE_ALONE
@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 129])
@pytest.mark.parametrize("which", ["thread_id", "message_id", "answer_id", "offering_slug"])
async def test_what_is_no_name_is_refused(hall: Hall, which: str, name: str) -> None:
    if (which, name) == ("answer_id", ""):  # which asks for one of ours
        return
    await nothing_happened(hall, MalformedRequest, **{which: name})


async def test_an_assistant_nobody_offers_is_refused(hall: Hall) -> None:
    await nothing_happened(hall, UnknownOffering, offering_slug="no-such-thing")


async def test_without_a_plan_a_message_is_refused(hall: Hall) -> None:
    stranger = await hall.subscriber_with()
    await nothing_happened(hall, NotInPlan, account_id=stranger)


async def test_with_a_plan_and_no_credits_a_message_is_refused(hall: Hall) -> None:
    poor = await hall.subscriber_with(hall.shop.plan)
    await nothing_happened(hall, CreditsExhausted, account_id=poor)


async def test_past_the_daily_limit_a_message_is_refused_until_the_day_is_over(
    hall: Hall,
) -> None:
    wallet_id = hall.shop.wallet_id

    async def limit(cap: int) -> None:
        now, most = hall.clock.now(), MilliCredits(cap)
        await hall.database.run(
            lambda unit: unit.books.set_cap(wallet_id=wallet_id, cap=most, now=now)
        )

    await limit(PRICE - 1)
    await nothing_happened(hall, SpendCapReached)
    await limit(2 * PRICE - 1)
    assert (await hall.ask("What is 6 * 7?")).charged == PRICE
    with pytest.raises(SpendCapReached) as refused:
        await hall.begin("What is 6 * 8?")
    assert len(await hall.holds()) == 1
    hall.clock.advance(int(refused.value.headers["Retry-After"]) * SECOND)
    assert (await hall.ask("What is 6 * 8?")).charged == PRICE


async def test_a_paused_assistant_refuses(hall: Hall) -> None:
    def pause(session: Session) -> None:
        session.get_one(Offering, hall.shop.offering_id).state = OfferingState.PAUSED

    await hall.database.run(lambda unit: pause(unit.session))
    await nothing_happened(hall, OfferingPaused)


async def test_an_unknown_thread_is_refused_where_only_known_ones_will_do(hall: Hall) -> None:
    await nothing_happened(hall, UnknownThread, only_existing=True)


async def test_a_thread_belongs_to_one_person(hall: Hall) -> None:
    await hall.ask("What is 6 * 7?")
    stranger = await hall.subscriber_with(hall.shop.plan)
    with pytest.raises(UnknownThread):
        await hall.begin("What is 6 * 8?", account_id=stranger)
    gate = hall.upstream.hold_answers(after_words=1)
    answer = await hall.begin("What is 6 * 8?")
    with pytest.raises(UnknownThread):  # nor does it say that it is busy
        await hall.begin("What is 6 * 9?", account_id=stranger)
    gate.open()
    await answer.outcome()


# Trying an assistant, and keeping secrets.


async def test_a_rehearsal_answers_for_nothing_and_leaves_nothing(hall: Hall) -> None:
    rehearsal = await hall.runs.rehearse(hall.assistant, "What is 6 * 7?")
    assert rehearsal.ok
    assert "42" in rehearsal.text
    assert rehearsal.sentence == "It answered in 0.0 s."
    assert await hall.holds() == []
    assert await hall.said() == []


@SQLITE_ALONE
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("/401", "It did not answer. The upstream does not accept the key."),
        ("/cut tell me", "Its answer broke off."),
        ("/empty", "It answered with nothing. Check the model and the instructions."),
        ("/incomplete tell me", "Its answer was cut short by the upstream."),
    ],
)
async def test_a_rehearsal_that_fails_tells_the_builder_why(
    hall: Hall, text: str, sentence: str
) -> None:
    rehearsal = await hall.runs.rehearse(hall.assistant, text)
    assert (rehearsal.ok, rehearsal.sentence) == (False, sentence)


async def test_a_key_that_does_not_open_costs_the_subscriber_nothing(hall: Hall) -> None:
    await hall.means.vault.replace(hall.assistant.secret_id, "sk-not-the-upstreams-key")
    outcome = await hall.ask("What is 6 * 7?")
    await released(hall, outcome.run_id, Reason.UPSTREAM_REFUSES)


async def test_the_key_is_in_no_table_no_log_and_no_error(
    hall: Hall, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    errors = []
    for text in ("What is 6 * 7?", "/401", "/reset tell me a secret", "/junk"):
        await hall.ask(text)
    try:
        await hall.begin("a secret" * TEXT_MAX)
    except FareboxError as error:
        errors.append("".join(traceback.format_exception(error)))
    everything = caplog.text + "".join(errors)
    everything += await hall.database.read(every_row)
    if database_url.startswith("sqlite"):
        path = Path(database_url.removeprefix("sqlite:///"))
        files = [path, *path.parent.glob(f"{path.name}-*")]
        everything += "".join(file.read_bytes().decode("latin-1") for file in files)
    assert PLANTED_KEY not in everything
    assert PLANTED_KEY[8:20] not in everything
    assert "secret" not in caplog.text


def every_row(session: Session) -> str:
    from storage.models.base import metadata

    return "".join(
        repr(row) for table in metadata().sorted_tables for row in session.execute(table.select())
    )
