"""What one page draws of answers: each to its end, and nobody waits for one that never comes."""

import asyncio
from dataclasses import dataclass, field

from chat_ui.shown import Following, Pen, Shown
from host.runs.answers import LiveAnswer, Question
from host.runs.outcomes import Outcome
from storage.credits import MilliCredits
from storage.run_states import RunState

PATIENCE_S = 5


@dataclass
class Paper:
    """A page that is slow with the end of an answer: it is drawn when the test lets it."""

    lines: list[str] = field(default_factory=list)
    may_end: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pen(self) -> Pen:
        return Pen(self._draw, self._rest)

    async def _draw(self, live: LiveAnswer) -> None:
        self._write(f"{live.run_id} begins")
        await live.outcome()
        await self.may_end.wait()
        self._write(f"{live.run_id} ends")

    async def _rest(self) -> None:
        self._write("rest")

    def _write(self, line: str) -> None:
        self.lines.append(line)
        self.news.set()
        self.news = asyncio.Event()

    async def until(self, *lines: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while self.lines != list(lines):
                await self.news.wait()


def answer(run_id: str) -> LiveAnswer:
    question = Question(
        account_id=1,
        thread_id="t",
        offering_slug="math-tutor",
        text="?",
        message_id=f"question of {run_id}",
        answer_id=f"answer of {run_id}",
    )
    return LiveAnswer(question, run_id)


def end(live: LiveAnswer) -> None:
    outcome = Outcome(
        run_id=live.run_id,
        answer_id=live.answer_id,
        state=RunState.COMPLETED,
        text="42",
        price=MilliCredits(0),
        charged=MilliCredits(0),
        available=None,
        receipt_id="r",
        included_until=None,
        reason=None,
        seconds=1.0,
    )
    live.close(outcome)


async def drawn(following: Following) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await following.done.wait()


async def test_an_answer_that_is_over_is_drawn_to_its_end_before_the_next_begins() -> None:
    paper, shown = Paper(), Shown()
    a, b = answer("A"), answer("B")
    first = shown.follow(a, paper.pen)
    await paper.until("A begins")
    end(a)
    second = shown.follow(b, paper.pen)
    end(b)
    assert shown.follow(b, paper.pen) is second
    paper.may_end.set()
    await drawn(first)
    await drawn(second)
    await paper.until("A begins", "A ends", "B begins", "B ends", "rest")


async def test_who_waits_for_an_answer_that_is_given_up_is_let_go() -> None:
    paper, shown = Paper(), Shown()
    a, b = answer("A"), answer("B")
    first = shown.follow(a, paper.pen)
    await paper.until("A begins")
    second = shown.follow(b, paper.pen)
    await drawn(first)
    paper.may_end.set()
    end(b)
    await drawn(second)
    await paper.until("A begins", "B begins", "B ends", "rest")


async def test_giving_one_up_leaves_the_end_of_the_one_before_it() -> None:
    paper, shown = Paper(), Shown()
    a, b, c = answer("A"), answer("B"), answer("C")
    first = shown.follow(a, paper.pen)
    await paper.until("A begins")
    end(a)
    second, third = shown.follow(b, paper.pen), shown.follow(c, paper.pen)
    await drawn(second)
    end(c)
    paper.may_end.set()
    await drawn(first)
    await drawn(third)
    await paper.until("A begins", "A ends", "C begins", "C ends", "rest")


async def test_a_page_that_is_drawn_anew_takes_up_both_in_order() -> None:
    paper, shown = Paper(), Shown()
    a, b = answer("A"), answer("B")
    first = shown.follow(a, paper.pen)
    await paper.until("A begins")
    end(a)
    second = shown.follow(b, paper.pen)
    end(b)
    shown.pause()
    paper.may_end.set()
    assert not first.done.is_set()
    shown.go_on(paper.pen)
    await drawn(first)
    await drawn(second)
    await paper.until("A begins", "A begins", "A ends", "B begins", "B ends", "rest")


async def test_what_was_drawn_to_its_end_is_not_drawn_again() -> None:
    paper, shown = Paper(), Shown()
    a = answer("A")
    end(a)
    paper.may_end.set()
    await drawn(shown.follow(a, paper.pen))
    await drawn(shown.follow(a, paper.pen))
    await paper.until("A begins", "A ends", "rest")
