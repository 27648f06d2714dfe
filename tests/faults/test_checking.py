"""The checker bites: a sound journal passes, and each kind of doctored one is complained about."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.builders import Shop
from tests.databases import Databases
from tests.faults.checking import Found, Wrong, find_wrong
from tests.faults.journal import Answer, Call, Verb, fold, read_calls, records
from tests.faults.processes import workers
from tests.faults.stage import find_effects, open_shops


@dataclass(frozen=True, slots=True)
class Story:
    """What was journaled and what the database holds; true until a test doctors it."""

    calls: list[Call]
    found: Found
    shops: list[Shop]

    def wrongs(self) -> set[Wrong]:
        return {complaint.wrong for complaint in find_wrong(self.calls, self.found, self.shops)}

    def answered(self, kind: str, verb: Verb | None = None) -> Call:
        """A call that was answered so, in the middle of the story."""
        fitting = [
            call
            for call in self.calls
            if call.answer
            and call.answer.kind == kind
            and verb in {None, call.ask.verb}
            and call.answer.captured != 0
        ]
        return fitting[len(fitting) // 2]

    def doctor(self, call: Call, change: Callable[[Answer], Answer]) -> None:
        when_ns, answer = call.answers[-1]
        call.answers[-1] = when_ns, change(answer)


@pytest.fixture(scope="module")
def recorded(
    databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Found, list[Shop]]:
    """What really happened, once."""
    journal = tmp_path_factory.mktemp("story") / "journal"
    with databases.fresh("sqlite") as address:
        shops = asyncio.run(open_shops(address))
        with workers(journal) as lives:
            lives.start("writer", address, shops, clients=8, steps=40)
            lives.finish()
        return journal, asyncio.run(find_effects(address)), shops


@pytest.fixture
def story(recorded: tuple[Path, Found, list[Shop]]) -> Story:
    journal, found, shops = recorded
    return Story(read_calls(journal), found, shops)


def test_a_true_story_raises_no_complaint(story: Story) -> None:
    assert story.wrongs() == set()


def test_an_acknowledged_hold_that_is_missing_is_lost(story: Story) -> None:
    key = story.answered("HoldOpened").ask.key
    without = [hold for hold in story.found.holds if hold.key != key]
    found = replace(story.found, holds=without)
    assert Wrong.LOST in replace(story, found=found).wrongs()


def test_a_grant_with_another_amount_than_was_told_is_lost(story: Story) -> None:
    first, *others = story.found.grants
    found = replace(story.found, grants=[replace(first, amount=first.amount + 1), *others])
    assert Wrong.LOST in replace(story, found=found).wrongs()


def test_an_effect_that_is_there_two_times_is_seen(story: Story) -> None:
    again = replace(story.found.holds[0], id=10**6)
    found = replace(story.found, holds=[*story.found.holds, again])
    assert Wrong.TWICE in replace(story, found=found).wrongs()


def test_a_call_that_was_applied_two_times_is_seen(story: Story) -> None:
    call = story.answered("HoldOpened")
    when_ns, answer = call.answers[0]
    call.answers.append((when_ns + 1, replace(answer, version=answer.version + 1)))
    assert Wrong.TWICE in story.wrongs()


def test_an_effect_that_nobody_asked_for_is_seen(story: Story) -> None:
    stray = replace(story.found.grants[0], key="nobody's", id=10**6)
    found = replace(story.found, grants=[*story.found.grants, stray])
    assert Wrong.UNASKED in replace(story, found=found).wrongs()


def test_a_call_that_was_never_answered_is_seen(story: Story) -> None:
    story.answered("HoldOpened").answers.clear()
    assert Wrong.UNANSWERED in story.wrongs()


def test_an_answer_before_one_with_a_smaller_version_was_asked_for_is_out_of_order(
    story: Story,
) -> None:
    call = story.answered("HoldOpened")
    wallet = [other for other in story.calls if other.ask.wallet_id == call.ask.wallet_id]
    last_ns = max(when_ns for other in wallet for when_ns, _ in other.answers)
    call.tries_ns[:] = [last_ns + 1]
    call.answers[0] = last_ns + 2, call.answers[0][1]
    assert story.wrongs() == {Wrong.OUT_OF_ORDER}


def test_a_look_that_missed_an_answered_write_is_out_of_order(story: Story) -> None:
    look = story.answered("Looked")
    assert look.answer is not None
    version = look.answer.version
    later = next(
        other
        for other in story.calls
        if other.ask.wallet_id == look.ask.wallet_id
        and other.answer
        and other.answer.version > version
    )
    look.tries_ns[:] = [later.answers[0][0] + 1]
    assert story.wrongs() == {Wrong.OUT_OF_ORDER}


def test_a_retry_is_judged_by_its_first_try(story: Story) -> None:
    call = story.answered("HoldEnded", Verb.CAPTURE)
    wallet = [other for other in story.calls if other.ask.wallet_id == call.ask.wallet_id]
    last_ns = max(when_ns for other in wallet for when_ns, _ in other.answers)
    call.tries_ns.append(last_ns + 1)
    call.answers[0] = last_ns + 2, call.answers[0][1]
    assert story.wrongs() == set()


def test_refused_for_want_of_credits_that_were_there_is_unlike_the_model(
    story: Story,
) -> None:
    call = story.answered("Insufficient")
    call.ask = replace(call.ask, amount=1)
    story.doctor(call, lambda answer: replace(answer, available=5))
    assert Wrong.DIFFERENT in story.wrongs()


@pytest.mark.parametrize("name", ["available", "captured", "version"])
def test_a_capture_told_another_number_does_not_fit(story: Story, name: str) -> None:
    call = story.answered("HoldEnded", Verb.CAPTURE)
    told = getattr(call.answer, name)
    story.doctor(call, lambda answer: replace(answer, **{name: told + 1}))
    assert Wrong.DIFFERENT in story.wrongs()


def test_a_line_that_a_kill_tore_hides_no_other() -> None:
    torn = b'\n{"ask": {"key": "a", "verb\n{"key": "b", "answer": 1}'
    assert [record["key"] for record in records(torn.splitlines())] == ["b"]
    assert fold(()) == []
