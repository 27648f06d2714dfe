"""Files that go with messages: kept, sent once, seen by the provider, gone when they should."""

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from sqlmodel import func, select
from typing_extensions import override

from farebox.demo.upstream.refusals import Refusal
from host.catalogue.catalogue import Catalogue
from host.errors import (
    FareboxError,
    IdempotencyConflict,
    MalformedRequest,
    PayloadTooLarge,
    PriceChanged,
    RateLimited,
    UnknownFile,
    UnsupportedFile,
)
from host.files.files import QUARTER_S, REFUSED_MAX, UNSENT_LIFE, Files
from host.files.limits import ACCOUNT_BYTES_MAX, FILE_BYTES_MAX, UNSENT_MAX
from host.identity.access_tokens import AccessTokens
from host.identity.former import FormerPeople
from host.personal.deletion import Deletion
from host.runs.again import Again
from host.runs.answers import LiveAnswer
from host.runs.forgetting import Forgetting
from storage import chat_history
from storage.attachments import keep_with, kept_with, sent_with
from storage.cards import OfferingCard
from storage.catalogue import find_card
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.file_kinds import Accepts
from storage.models.catalogue import Assistant
from storage.models.conversations import Attachment, AttachmentContent, Step
from storage.moments import SECOND
from storage.subscriptions import lock_wallet
from tests.conversing import SLUG, THREAD, Hall, open_hall
from tests.databases import verify_ledger
from tests.fakes.clock import START, ManualClock
from tests.fakes.pictures import HTML, PDF, png
from tests.integration.test_forgetting import PLANTED, upstream_remembers

PICTURE = png(640, 480)


@dataclass(frozen=True)
class Desk:
    """A hall whose assistant takes files, and where they are kept."""

    hall: Hall
    files: Files
    account_id: int

    async def card(self) -> OfferingCard:
        found = await self.hall.database.read(lambda s: find_card(s, SLUG))
        assert found is not None
        return found

    async def keep(
        self,
        content: bytes = PICTURE,
        name: str = "figure.png",
        *,
        thread_id: str = THREAD,
        account_id: int | None = None,
    ) -> str:
        return await self.files.keep(
            account_id or self.account_id, thread_id, await self.card(), name=name, content=content
        )

    async def send(
        self,
        *files: str,
        text: str = "What is this?",
        message_id: str | None = None,
        thread_id: str = THREAD,
    ) -> LiveAnswer:
        return await self.hall.runs.begin(
            account_id=self.account_id,
            thread_id=thread_id,
            offering_slug=SLUG,
            text=text,
            message_id=message_id or uuid4().hex,
            files=files,
        )

    async def kept(self) -> tuple[int, int]:
        """How many files there are, and how many have bytes."""

        async def count(table: type[Attachment] | type[AttachmentContent]) -> int:
            return await self.hall.database.read(
                lambda s: s.exec(select(func.count()).select_from(table)).one()
            )

        return await count(Attachment), await count(AttachmentContent)

    async def accept(self, accepts: Accepts) -> None:
        def change(unit: Unit) -> None:
            unit.session.get_one(Assistant, self.hall.shop.offering_id).accepts = accepts.value

        await self.hall.database.run(change)


@pytest_asyncio.fixture
async def desk(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Desk]:
    async with open_hall(database, database_url, clock) as hall:
        opened = Desk(hall, Files(database, clock), hall.shop.subscriber_id)
        await opened.accept(Accepts.BOTH)
        yield opened


async def test_what_was_sent_is_seen_by_the_provider_and_costs_one_message(desk: Desk) -> None:
    picture, paper = await desk.keep(), await desk.keep(PDF, "paper.pdf")
    outcome = await (await desk.send(picture, paper)).outcome()
    assert "You sent an image, 640×480." in outcome.text
    assert "You sent a PDF, “paper.pdf” (1 KB)." in outcome.text
    assert await desk.hall.charges() == [-5_000]
    kept = await desk.files.find(picture, account_id=desk.account_id)
    assert (kept.content, kept.attachment.media_type) == (PICTURE, "image/png")


async def test_a_picture_without_a_word_is_a_message_named_after_it(desk: Desk) -> None:
    outcome = await (await desk.send(await desk.keep(), text="")).outcome()
    assert outcome.text.endswith("You sent an image, 640×480.")
    (asked, _) = await desk.hall.said()
    assert asked.message.text == ""
    with pytest.raises(MalformedRequest, match="empty"):
        await desk.send(text="")


async def test_the_same_message_again_is_answered_once_and_other_files_are_another_message(
    desk: Desk,
) -> None:
    picture, other = await desk.keep(), await desk.keep()
    first = await (await desk.send(picture, message_id="m")).outcome()
    again = await (await desk.send(picture, message_id="m")).outcome()
    assert again.receipt_id == first.receipt_id
    for files in ((), (other,), (picture, other)):
        with pytest.raises(IdempotencyConflict):
            await desk.send(*files, message_id="m")
    assert await desk.hall.charges() == [-5_000]


async def test_a_file_goes_with_one_message_once(desk: Desk) -> None:
    picture = await desk.keep()
    await (await desk.send(picture)).outcome()
    with pytest.raises(IdempotencyConflict, match="sent before"):
        await desk.send(picture)
    fresh = await desk.keep()
    with pytest.raises(MalformedRequest, match="twice"):
        await desk.send(fresh, fresh)
    assert len(await desk.hall.holds()) == 1


async def test_another_persons_and_another_threads_files_do_not_exist(desk: Desk) -> None:
    stranger = await desk.hall.subscriber_with()
    theirs = await desk.keep(account_id=stranger)
    elsewhere = await desk.keep(thread_id="another thread")
    for file_id in (theirs, elsewhere, str(uuid4())):
        with pytest.raises(UnknownFile, match="Nothing was charged"):
            await desk.send(file_id)
    for file_id, account_id in ((theirs, desk.account_id), (elsewhere, stranger)):
        with pytest.raises(UnknownFile):
            await desk.files.find(file_id, account_id=account_id)
    assert await desk.hall.holds() == []
    assert await desk.hall.said() == []


async def test_an_assistant_that_no_longer_takes_files_refuses_and_charges_nothing(
    desk: Desk,
) -> None:
    picture = await desk.keep()
    await desk.accept(Accepts.DOCUMENTS)
    with pytest.raises(UnsupportedFile, match="takes documents"):
        await desk.send(picture)
    await desk.accept(Accepts.NONE)
    with pytest.raises(UnsupportedFile, match="takes no files"):
        await desk.send(picture)
    with pytest.raises(UnsupportedFile):
        await desk.keep()
    assert await desk.hall.holds() == []


@pytest.mark.parametrize(
    ("content", "name", "error"),
    [
        pytest.param(b"", "empty.txt", UnsupportedFile, id="empty"),
        pytest.param(HTML, "cat.png", UnsupportedFile, id="HTML called PNG"),
        pytest.param(b"a" * (FILE_BYTES_MAX + 1), "big.txt", PayloadTooLarge, id="too large"),
    ],
)
async def test_nothing_is_kept_of_what_is_refused(
    desk: Desk, content: bytes, name: str, error: type[FareboxError]
) -> None:
    with pytest.raises(error, match="Nothing was kept"):
        await desk.keep(content, name)
    assert await desk.kept() == (0, 0)


async def test_six_files_are_too_many_and_so_is_what_piles_up_unsent(desk: Desk) -> None:
    files = [await desk.keep(png(1, 1)) for _ in range(UNSENT_MAX)]
    with pytest.raises(PayloadTooLarge, match="not sent"):
        await desk.keep()
    with pytest.raises(PayloadTooLarge, match="At most 5 files"):
        await desk.send(*files[:6])
    await (await desk.send(*files[:5])).outcome()
    assert await desk.keep()


class Watched(bytes):
    """Content that notes which threads look at it."""

    readers: set[int]

    @override
    def startswith(self, *args: Any) -> bool:
        self.readers.add(threading.get_ident())
        return super().startswith(*args)


async def test_a_file_is_looked_at_beside_the_loop_that_serves_everybody(desk: Desk) -> None:
    content = Watched(HTML)
    content.readers = set()
    with pytest.raises(UnsupportedFile):
        await desk.keep(content, "cat.png")
    assert content.readers
    assert threading.get_ident() not in content.readers


async def test_who_has_many_files_refused_has_to_wait_and_nobody_else_has(desk: Desk) -> None:
    for _ in range(REFUSED_MAX):
        with pytest.raises(UnsupportedFile):
            await desk.keep(b"\0")
    with pytest.raises(RateLimited, match=r"Nothing was kept\. Try again in 15 minutes"):
        await desk.keep()
    assert await desk.kept() == (0, 0)
    assert await desk.keep(account_id=await desk.hall.subscriber_with())
    desk.hall.clock.advance(QUARTER_S * SECOND)
    assert await desk.keep()


async def test_files_that_are_taken_are_no_reason_to_wait(desk: Desk) -> None:
    for _ in range(REFUSED_MAX // 5 + 1):
        await (await desk.send(*[await desk.keep(png(1, 1)) for _ in range(5)])).outcome()
    assert await desk.keep()


async def sent_before(desk: Desk, size: int) -> None:
    """Of so many bytes, as far as the tables say, in one message of the thread."""
    picture = await desk.keep(png(1, 1))
    await (await desk.send(picture)).outcome()

    def grow(unit: Unit) -> None:
        unit.session.get_one(Attachment, picture).size = size

    await desk.hall.database.run(grow)


async def test_an_account_that_is_full_keeps_no_more_until_conversations_are_deleted(
    desk: Desk,
) -> None:
    await sent_before(desk, ACCOUNT_BYTES_MAX - len(PICTURE))
    last = await desk.keep()
    with pytest.raises(PayloadTooLarge, match=r"500 MB\. Delete conversations"):
        await desk.keep()
    assert await desk.kept() == (2, 2)
    assert await desk.keep(account_id=await desk.hall.subscriber_with())
    kept = await desk.files.find(last, account_id=desk.account_id)
    assert kept.content == PICTURE
    forgetting = Forgetting(desk.hall.means, desk.hall.runs)
    assert await forgetting.delete(THREAD, account_id=desk.account_id)
    assert await desk.keep()


async def test_of_two_files_uploaded_at_once_the_second_sees_the_first(desk: Desk) -> None:
    picture = await desk.keep(png(1, 1))
    await (await desk.send(picture)).outcome()
    has_filled, may_end = threading.Event(), threading.Event()

    def fill(unit: Unit) -> None:
        """As another upload does that is not committed yet."""
        lock_wallet(unit.session, unit.books.open_wallet(desk.account_id))
        unit.session.get_one(Attachment, picture).size = ACCOUNT_BYTES_MAX
        unit.session.flush()
        has_filled.set()
        assert may_end.wait(20)

    first = asyncio.create_task(desk.hall.database.run(fill))
    assert await asyncio.to_thread(has_filled.wait, 20)
    second = asyncio.create_task(desk.keep())
    await asyncio.wait({second}, timeout=1)  # time enough to go past the first, if it could
    may_end.set()
    await first
    with pytest.raises(PayloadTooLarge, match="Delete conversations"):
        await second
    assert await desk.kept() == (1, 1)


async def test_what_is_not_sent_within_an_hour_is_removed(desk: Desk) -> None:
    sent, unsent = await desk.keep(), await desk.keep()
    await (await desk.send(sent)).outcome()
    desk.hall.clock.advance(UNSENT_LIFE)
    assert await desk.files.sweep() == 0
    desk.hall.clock.advance(1)
    assert await desk.files.sweep() == 1
    assert await desk.kept() == (1, 1)
    with pytest.raises(UnknownFile):
        await desk.send(unsent)


async def test_a_deleted_conversation_takes_its_files_along(desk: Desk) -> None:
    await (await desk.send(await desk.keep())).outcome()
    await desk.keep()
    forgetting = Forgetting(desk.hall.means, desk.hall.runs)
    assert await forgetting.delete(THREAD, account_id=desk.account_id)
    assert await desk.kept() == (0, 0)


async def test_a_file_that_the_upstream_does_not_take_costs_nothing(desk: Desk) -> None:
    picture = await desk.keep()
    await (await desk.send(text="hello")).outcome()
    desk.hall.upstream.refuse_next(Refusal(400, "unsupported_image", code="invalid_image"))
    outcome = await (await desk.send(picture)).outcome()
    assert outcome.charged == 0
    assert await desk.hall.charges() == [-5_000]


async def test_a_question_asked_again_takes_copies_of_its_files_along(desk: Desk) -> None:
    picture, paper = await desk.keep(), await desk.keep(PDF, "paper.pdf")
    first = await (await desk.send(picture, paper)).outcome()
    desk.hall.clock.advance(1)

    async def press() -> LiveAnswer:
        again = Again(first.answer_id, MilliCredits(5_000))
        answer, _ = await desk.hall.runs.ask_again(
            account_id=desk.account_id, thread_id=THREAD, again=again
        )
        return answer

    live, twice = await asyncio.gather(press(), press())
    second = await live.outcome()
    assert "You sent an image, 640×480." in second.text
    assert "You sent a PDF, “paper.pdf” (1 KB)." in second.text
    assert await desk.hall.charges() == [-5_000, -5_000]
    assert (twice.answer_id, (await press()).answer_id) == (second.answer_id,) * 2
    copies = await desk.hall.database.read(lambda s: sent_with(s, live.question_id))
    assert [one.name for one in copies] == ["figure.png", "paper.pdf"]
    assert not {one.id for one in copies} & {picture, paper}
    copied = await desk.files.find(copies[0].id, account_id=desk.account_id)
    assert copied.content == PICTURE
    assert await desk.kept() == (4, 4)
    forgetting = Forgetting(desk.hall.means, desk.hall.runs)
    await forgetting.delete(THREAD, account_id=desk.account_id)
    assert await desk.kept() == (0, 0)


async def test_asking_again_what_the_assistant_no_longer_takes_leaves_nothing_behind(
    desk: Desk,
) -> None:
    first = await (await desk.send(await desk.keep())).outcome()
    desk.hall.clock.advance(1)
    await desk.accept(Accepts.DOCUMENTS)
    again = Again(first.answer_id, MilliCredits(5_000))
    with pytest.raises(UnsupportedFile):
        await desk.hall.runs.ask_again(account_id=desk.account_id, thread_id=THREAD, again=again)
    await desk.accept(Accepts.IMAGES)
    dearer = Again(first.answer_id, MilliCredits(4_000))
    with pytest.raises(PriceChanged):
        await desk.hall.runs.ask_again(account_id=desk.account_id, thread_id=THREAD, again=dearer)
    assert await desk.kept() == (1, 1)
    assert await desk.hall.charges() == [-5_000]


async def test_a_deleted_account_leaves_no_file_and_its_provider_forgets_what_it_said(
    desk: Desk,
) -> None:
    hall = desk.hall
    await (await desk.send(await desk.keep(), text=PLANTED)).outcome()
    await desk.keep()
    forgetting = Forgetting(hall.means, hall.runs)
    deletion = Deletion(
        hall.database,
        hall.clock,
        AccessTokens(hall.database, hall.clock, hall.means.vault, "http://farebox.test"),
        Catalogue(hall.database, hall.clock, hall.means.settings),
        former=FormerPeople(hall.means.vault),
        told_of_erased_words=forgetting.words_were_erased,
    )
    assert PLANTED in upstream_remembers(hall)
    await deletion.delete(desk.account_id, actor=desk.account_id)
    assert await desk.kept() == (0, 0)
    assert await hall.said() == []
    await forgetting.work_off()
    assert PLANTED not in upstream_remembers(hall)
    await verify_ledger(hall.database)


async def test_what_waits_with_a_kept_message_stays_as_long_as_the_message_does(
    desk: Desk,
) -> None:
    stranger = await desk.hall.subscriber_with()
    picture, theirs = await desk.keep(), await desk.keep(account_id=stranger)
    refused = Step(id="refused", thread_id=THREAD, type="user_message", created_at=START)

    def keep(unit: Unit) -> None:
        chat_history.save_step(unit.session, refused, START)
        keep_with(
            unit.session,
            [picture, theirs],
            refused.id,
            account_id=desk.account_id,
            thread_id=THREAD,
        )

    await desk.hall.database.run(keep)
    desk.hall.clock.advance(2 * UNSENT_LIFE)
    assert await desk.files.sweep() == 1, "only what is the sender's own is kept with it"
    waiting = await desk.hall.database.read(lambda s: kept_with(s, THREAD, "refused"))
    assert [one.id for one in waiting] == [picture]
    await desk.hall.database.run(lambda u: chat_history.delete_step(u.session, THREAD, "refused"))
    assert await desk.files.sweep() == 1
    assert await desk.kept() == (0, 0)
