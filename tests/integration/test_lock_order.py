"""Who takes a conversation away waits in the same order as those who write in it.

On one kind of database only: an SQLite file has one writer, and nobody waits inside a unit. Each
test holds one unit in the middle of its locks until another one waits for it; were their orders
different, PostgreSQL would end one of the two, and it would be told that the ledger is busy.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from typing_extensions import override

from host.catalogue.catalogue import Catalogue
from host.errors import AccountBusy, UnknownThread
from host.files.files import UNSENT_LIFE
from host.identity.access_tokens import AccessTokens
from host.identity.former import FormerPeople
from host.metering.meter import Meter
from host.metering.tabs import MeteredWork, Opening, Tab
from host.personal.deletion import Deletion
from host.runs.answers import LiveAnswer
from host.runs.runner import Runs
from storage import attachments, chat_history, deletions
from storage import conversations as saved
from storage.books import HoldEnded
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.erasing import erase_conversations
from storage.file_kinds import Accepts
from storage.models.accounts import Account, AccountState
from storage.models.catalogue import Assistant
from storage.models.conversations import Attachment, Step, Thread
from storage.moments import DAY, Micros
from tests.conversing import NAMING, PRICE, SLUG, THREAD, Hall, open_hall
from tests.fakes.clock import ManualClock
from tests.integration.test_recovery import PATIENCE_S, left_behind, until_somebody_waits_for

pytestmark = pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


class Pause:
    """Holds one unit where it is until somebody waits for it; only the first that comes."""

    def __init__(self) -> None:
        self._is_reached = threading.Event()

    def here(self, unit: Unit) -> None:
        if not self._is_reached.is_set():
            self._is_reached.set()
            until_somebody_waits_for(unit)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self._is_reached.wait, PATIENCE_S)


class PausingMeter(Meter):
    """Pauses before it locks the wallet, when a run begins and when one ends."""

    pause: Pause

    @override
    def open_in(self, unit: Unit, work: MeteredWork) -> Opening:
        self.pause.here(unit)
        return super().open_in(unit, work)

    @override
    def capture_in(self, unit: Unit, tab: Tab, used: MilliCredits) -> HoldEnded:
        self.pause.here(unit)
        return super().capture_in(unit, tab, used)


def pausing(hall: Hall, pause: Pause) -> Runs:
    """Runs of this process whose next unit pauses."""
    meter = PausingMeter(hall.database, hall.clock, hall.means.settings, owner="this process")
    meter.pause = pause
    return Runs(replace(hall.means, meter=meter), NAMING)


def begin(hall: Hall, runs: Runs, *, thread_id: str = THREAD) -> "asyncio.Task[LiveAnswer]":
    return asyncio.create_task(
        runs.begin(
            account_id=hall.shop.subscriber_id,
            thread_id=thread_id,
            offering_slug=SLUG,
            text="What is 6 * 7?",
            message_id=uuid4().hex,
        )
    )


def deletion_of(hall: Hall) -> Deletion:
    return Deletion(
        hall.database,
        hall.clock,
        AccessTokens(hall.database, hall.clock, hall.means.vault, "http://farebox.test"),
        Catalogue(hall.database, hall.clock, hall.means.settings),
        former=FormerPeople(hall.means.vault),
        told_of_erased_words=lambda: None,
    )


@pytest.mark.parametrize("thread_id", [THREAD, "a new thread"])
async def test_a_run_that_begins_while_its_account_is_deleted_is_waited_for(
    hall: Hall, thread_id: str
) -> None:
    await hall.ask("What is 6 * 7?")
    hall.clock.advance(1)
    gate = hall.upstream.hold_answers(after_words=1)
    pause = Pause()
    beginning = begin(hall, pausing(hall, pause), thread_id=thread_id)
    await pause.reached()
    with pytest.raises(AccountBusy, match="still being written"):
        await deletion_of(hall).delete(hall.shop.subscriber_id, actor=None)
    gate.open()
    assert (await (await beginning).outcome()).charged == PRICE


async def test_a_run_that_ends_while_its_conversation_is_erased_is_paid(hall: Hall) -> None:
    pause = Pause()
    gate = hall.upstream.hold_answers(after_words=1)
    runs = pausing(hall, NoPause())
    answer = await begin(hall, runs)
    await gate.reached()
    runs._means.meter.pause = pause  # type: ignore[attr-defined]
    gate.open()
    await pause.reached()
    account_id, now = hall.shop.subscriber_id, hall.clock.now()
    await hall.database.run(lambda unit: erase_conversations(unit.session, account_id, now))
    assert (await answer.outcome()).charged == PRICE
    assert await hall.said() == []


class NoPause(Pause):
    """Lets everybody pass."""

    @override
    def here(self, unit: Unit) -> None:
        pass


async def test_text_that_is_saved_while_its_conversation_is_erased_is_waited_for(
    hall: Hall,
) -> None:
    run = await hall.run(await left_behind(hall))

    def save(unit: Unit) -> bool:
        assert saved.is_unfinished(unit.session, run.id)
        pause.here(unit)
        return saved.save_text(
            unit.session, run.id, answer_id=run.answer_id, text="late", now=hall.clock.now()
        )

    pause = Pause()
    assert await while_erased(hall, pause, save)
    await hall.reborn().recover()  # its hold


async def test_a_step_that_is_drawn_while_its_conversation_is_erased_is_waited_for(
    hall: Hall,
) -> None:
    await hall.ask("What is 6 * 7?")
    step = Step(id="a step", thread_id=THREAD, type="user_message", created_at=1)
    later = Micros(hall.clock.now() + DAY)
    await hall.database.run(
        lambda unit: chat_history.save_step(unit.session, step, hall.clock.now())
    )

    def draw(unit: Unit) -> bool:
        is_saved = chat_history.save_step(unit.session, step, later)
        pause.here(unit)
        return is_saved

    pause = Pause()
    assert await while_erased(hall, pause, draw)


async def test_files_that_are_swept_while_their_conversation_is_erased_are_waited_for(
    hall: Hall,
) -> None:
    await hall.ask("What is 6 * 7?")
    await hall.database.run(lambda unit: add_file(hall, unit))
    before = Micros(hall.clock.now() + 2 * UNSENT_LIFE)

    def sweep(unit: Unit) -> int:
        attachments.find_attachments(unit.session, ["a file"], is_locked=True)
        pause.here(unit)
        return attachments.forget_unsent(unit.session, before=before)

    pause = Pause()
    assert await while_erased(hall, pause, sweep) == 1


async def test_a_question_with_files_waits_for_its_conversation_before_it_takes_them(
    hall: Hall,
) -> None:
    await hall.ask("What is 6 * 7?")
    await hall.database.run(lambda unit: add_file(hall, unit))
    pause = Pause()

    def delete(unit: Unit) -> None:
        unit.session.get_one(Thread, THREAD, with_for_update=True)
        pause.here(unit)
        deletions.delete_thread(unit.session, THREAD, hall.clock.now())

    deleting = asyncio.create_task(hall.database.run(delete))
    await pause.reached()
    with pytest.raises(UnknownThread):
        await hall.runs.begin(
            account_id=hall.shop.subscriber_id,
            thread_id=THREAD,
            offering_slug=SLUG,
            text="What is this?",
            message_id="m2",
            files=("a file",),
        )
    await deleting
    assert len(await hall.holds()) == 1


async def test_who_waited_for_a_thread_sees_what_became_of_it(hall: Hall) -> None:
    await hall.database.run(
        lambda unit: chat_history.open_thread(unit.session, THREAD, None, hall.clock.now())
    )
    pause = Pause()

    def claim(unit: Unit) -> None:
        unit.session.get_one(Thread, THREAD, with_for_update=True)
        pause.here(unit)
        claimed(hall, unit, hall.shop.builder_id)

    claiming = asyncio.create_task(hall.database.run(claim))
    await pause.reached()
    with pytest.raises(saved.NotTheirThread):
        await hall.database.run(lambda unit: claimed(hall, unit, hall.shop.subscriber_id))
    await claiming
    owner = await hall.database.read(lambda s: chat_history.author_of(s, THREAD))
    assert owner == hall.shop.builder_id


async def test_a_conversation_that_is_deleted_while_somebody_waits_for_it_is_not_there(
    hall: Hall,
) -> None:
    await hall.ask("What is 6 * 7?")
    pause = Pause()

    def delete(unit: Unit) -> None:
        unit.session.get_one(Thread, THREAD, with_for_update=True)
        pause.here(unit)
        deletions.delete_thread(unit.session, THREAD, hall.clock.now())

    deleting = asyncio.create_task(hall.database.run(delete))
    await pause.reached()
    with pytest.raises(UnknownThread):
        await hall.begin("What is 6 * 8?")
    await deleting
    assert len(await hall.holds()) == 1


async def test_deleting_and_asking_at_once_ends_in_one_of_the_two_again_and_again(
    hall: Hall,
) -> None:
    deletion = deletion_of(hall)
    for number in range(12):
        account_id = await hall.pass_ending_at(hall.clock.now() + DAY)
        for thread_id in (f"{number}", f"{number} too"):
            first = await hall.begin("6 * 7", thread_id=thread_id, account_id=account_id)
            await first.outcome()
        hall.clock.advance(1)
        asked = [
            hall.begin("6 * 8", thread_id=thread_id, account_id=account_id)
            for thread_id in (f"{number}", f"{number} too", f"{number} new")
        ]
        *begun, deleted = await asyncio.gather(
            *asked, deletion.delete(account_id, actor=None), return_exceptions=True
        )
        assert isinstance(deleted, AccountBusy | None)
        for answer in begun:
            if isinstance(answer, LiveAnswer):
                await answer.outcome()
            else:
                assert deleted is None, answer
        if deleted is not None:
            await deletion.delete(account_id, actor=None)
        account = await hall.database.read(lambda s, it=account_id: s.get_one(Account, it))  # type: ignore[misc]
        assert account.state == AccountState.DELETED


async def while_erased(hall: Hall, pause: Pause, work: Callable[[Unit], int]) -> int:
    """Run a unit that pauses, and meanwhile erase every conversation of the subscriber."""
    working = asyncio.create_task(hall.database.run(work))
    await pause.reached()
    account_id, now = hall.shop.subscriber_id, hall.clock.now()
    await hall.database.run(lambda unit: erase_conversations(unit.session, account_id, now))
    assert await hall.database.read(lambda s: s.get(Thread, THREAD)) is None
    return await working


def claimed(hall: Hall, unit: Unit, account_id: int) -> Thread:
    return saved.claim_thread(
        unit.session,
        THREAD,
        account_id=account_id,
        offering_id=hall.shop.offering_id,
        title="",
        now=hall.clock.now(),
    )


def add_file(hall: Hall, unit: Unit) -> None:
    """A file in the conversation that was not sent yet, to an assistant that takes it."""
    unit.session.get_one(Assistant, hall.shop.offering_id).accepts = Accepts.IMAGES
    attachment = Attachment(
        id="a file",
        account_id=hall.shop.subscriber_id,
        thread_id=THREAD,
        name="figure.png",
        kind="image",
        media_type="image/png",
        size=3,
        created_at=hall.clock.now(),
    )
    attachments.add_attachment(unit.session, attachment, b"png")
