"""The button under the last answer: its question asked again, once, at the price agreed to."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from host.errors import (
    AnswerNotLast,
    CallInProgress,
    CreditsExhausted,
    PlanEnded,
    PriceChanged,
    UnknownThread,
)
from host.runs.again import Again
from host.runs.answers import LiveAnswer
from host.runs.outcomes import Outcome
from storage.credits import HoldState, MilliCredits
from storage.database import Database, Unit
from storage.models.catalogue import Offering
from storage.models.conversations import Speaker
from storage.moments import DAY
from tests.conversing import BOUGHT, PRICE, THREAD, Hall, open_hall
from tests.fakes.clock import ManualClock

AGREED = MilliCredits(PRICE)


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


async def pressed(
    hall: Hall,
    outcome: Outcome,
    *,
    price: MilliCredits = AGREED,
    account_id: int | None = None,
    thread_id: str = THREAD,
) -> tuple[LiveAnswer, bool]:
    return await hall.runs.ask_again(
        account_id=account_id or hall.shop.subscriber_id,
        thread_id=thread_id,
        again=Again(outcome.answer_id, price),
    )


async def repriced(hall: Hall, price: int) -> None:
    def work(unit: Unit) -> None:
        unit.session.get_one(Offering, hall.shop.offering_id).price = price

    await hall.database.run(work)


@pytest.mark.charges("the last question asked again, by its button")
async def test_the_same_question_is_answered_as_a_new_message_at_its_price(hall: Hall) -> None:
    first = await hall.ask("What is 6 * 7?")
    hall.clock.advance(1)
    answer, is_new = await pressed(hall, first)
    second = await answer.outcome()

    assert is_new
    assert second.charged == PRICE
    assert second.answer_id != first.answer_id
    questions = [
        s.message.text for s in await hall.said() if s.message.speaker == Speaker.SUBSCRIBER
    ]
    assert questions == ["What is 6 * 7?"] * 2
    assert "You said earlier: “What is 6 * 7?”" in second.text  # what the upstream was sent
    assert await hall.charges() == [-PRICE, -PRICE]


@pytest.mark.charges("asked again twice by one button")
async def test_pressed_twice_it_is_asked_and_charged_once(hall: Hall) -> None:
    first = await hall.ask("What is 6 * 7?")
    hall.clock.advance(1)
    both = await asyncio.gather(pressed(hall, first), pressed(hall, first))
    outcomes = {(await answer.outcome()).answer_id for answer, _ in both}
    later, is_new = await pressed(hall, first)

    assert sorted(is_new for _, is_new in both) == [False, True]
    assert not is_new
    assert outcomes == {later.answer_id}
    assert await hall.charges() == [-PRICE, -PRICE]


@pytest.mark.charges("asked again after something else was said")
async def test_only_the_last_answer_can_be_asked_for_again(hall: Hall) -> None:
    first = await hall.ask("What is 6 * 7?")
    hall.clock.advance(1)
    last = await hall.ask("What is 6 * 8?")
    hall.clock.advance(1)

    with pytest.raises(AnswerNotLast, match="Nothing was charged"):
        await pressed(hall, first)
    assert len(await hall.holds()) == 2
    answer, _ = await pressed(hall, last)
    assert (await answer.outcome()).charged == PRICE


async def test_not_while_another_message_is_being_answered(hall: Hall) -> None:
    first = await hall.ask("What is 6 * 7?")
    hall.clock.advance(1)
    gate = hall.upstream.hold_answers(after_words=1)
    under_way = await hall.begin("What is 6 * 8?")
    await gate.reached()

    with pytest.raises(CallInProgress):
        await pressed(hall, first)
    gate.open()
    await under_way.outcome()
    assert await hall.charges() == [-PRICE, -PRICE]


@pytest.mark.charges("asked again at another price than the button's")
async def test_another_price_than_the_one_agreed_to_charges_nothing(hall: Hall) -> None:
    first = await hall.ask("What is 6 * 7?")
    await repriced(hall, 2 * PRICE)
    hall.clock.advance(1)

    with pytest.raises(PriceChanged, match="asking again costs 10 credits now"):
        await pressed(hall, first)
    assert await hall.available() == BOUGHT - PRICE
    assert [hold.state for hold in await hall.holds()] == [HoldState.CAPTURED]
    answer, _ = await pressed(hall, first, price=MilliCredits(2 * PRICE))
    assert (await answer.outcome()).charged == 2 * PRICE


async def test_what_was_included_when_the_button_was_drawn_is_not_charged_when_it_ended(
    hall: Hall,
) -> None:
    account_id = await hall.pass_ending_at(hall.clock.now() + DAY)
    first = await (await hall.begin("What is 6 * 7?", account_id=account_id)).outcome()
    hall.clock.advance(DAY)

    with pytest.raises(PlanEnded):
        await pressed(hall, first, price=MilliCredits(0), account_id=account_id)
    assert [hold.captured for hold in await hall.holds()] == [0]


async def test_an_answer_in_another_persons_conversation_is_not_there(hall: Hall) -> None:
    first = await hall.ask("What is 6 * 7?")
    stranger = await hall.pass_ending_at(hall.clock.now() + DAY)
    own = await (await hall.begin("/error", account_id=stranger, thread_id="theirs")).outcome()

    for thread_id in (THREAD, "theirs"):
        with pytest.raises(UnknownThread):
            await pressed(hall, first, account_id=stranger, thread_id=thread_id)
    with pytest.raises(UnknownThread):  # nor one's own answer in another's conversation
        await pressed(hall, own, account_id=stranger)
    assert await hall.charges() == [-PRICE]


async def test_without_credits_it_is_refused_as_any_message(hall: Hall) -> None:
    await repriced(hall, BOUGHT)
    first = await hall.ask("What is 6 * 7?")
    hall.clock.advance(1)

    with pytest.raises(CreditsExhausted):
        await pressed(hall, first, price=MilliCredits(BOUGHT))
    assert len(await hall.holds()) == 1
