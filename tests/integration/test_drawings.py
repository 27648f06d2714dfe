"""Pictures that an upstream draws for an answer, kept on real tables as files of it."""

from base64 import b64decode
from collections.abc import AsyncIterator, Sequence

import pytest
from sqlmodel import col, select

from farebox.demo.upstream.drawing import HEIGHT, WIDTH, triangle
from host.files.files import Files
from host.runs.again import Again
from storage import attachments, deletions
from storage.credits import MilliCredits
from storage.database import Database
from storage.models.conversations import Attachment, AttachmentContent
from tests.conversing import PRICE, THREAD, Hall, open_hall
from tests.fakes.clock import START, ManualClock
from tests.integration.test_recovery import answered_upstream, left_behind

DRAWN = b64decode(triangle())


@pytest.fixture
async def hall(database: Database, database_url: str, clock: ManualClock) -> AsyncIterator[Hall]:
    async with open_hall(database, database_url, clock) as opened:
        yield opened


async def files(hall: Hall) -> Sequence[Attachment]:
    statement = select(Attachment).order_by(col(Attachment.id))
    return await hall.database.read(lambda s: s.exec(statement).all())


async def test_a_picture_is_a_file_of_its_answer_and_goes_with_the_conversation(
    hall: Hall,
) -> None:
    outcome = await hall.ask("/draw")
    assert outcome.charged == PRICE
    assert "I drew a triangle for you." in outcome.text
    (drawn,) = await files(hall)
    assert (drawn.message_id, drawn.thread_id) == (outcome.answer_id, THREAD)
    assert (drawn.name, drawn.media_type, drawn.size) == ("picture-1.png", "image/png", len(DRAWN))
    assert (drawn.width, drawn.height) == (WIDTH, HEIGHT)
    kept = await Files(hall.database, hall.clock).find(
        drawn.id, account_id=hall.shop.subscriber_id
    )
    assert kept.content == DRAWN

    await hall.database.run(lambda u: deletions.delete_thread(u.session, THREAD, START))
    assert await files(hall) == []
    left = await hall.database.read(lambda s: s.exec(select(AttachmentContent)).all())
    assert left == []


async def test_an_answer_that_is_a_picture_alone_is_paid_and_says_its_name(hall: Hall) -> None:
    outcome = await hall.ask("/draw-only")
    assert (outcome.text, outcome.charged, outcome.reason) == ("picture-1.png", PRICE, None)
    assert [one.message_id for one in await files(hall)] == [outcome.answer_id]


async def test_what_is_not_paid_leaves_no_picture(hall: Hall) -> None:
    outcome = await hall.ask("/draw-and-cut")
    assert outcome.charged == 0
    assert await files(hall) == []


async def test_what_the_provider_confirms_after_a_crash_has_its_picture(hall: Hall) -> None:
    run_id = await left_behind(hall, provider_run=await answered_upstream(hall, "/draw"))
    await hall.reborn().recover()
    (drawn,) = await files(hall)
    assert drawn.message_id == (await hall.run(run_id)).answer_id
    assert await hall.charges() == [-PRICE]


async def test_what_was_drawn_is_not_sent_when_the_question_is_asked_again(hall: Hall) -> None:
    first = await hall.ask("/draw")
    hall.clock.advance(1)
    answer, _ = await hall.runs.ask_again(
        account_id=hall.shop.subscriber_id,
        thread_id=THREAD,
        again=Again(first.answer_id, MilliCredits(PRICE)),
    )
    second = await answer.outcome()
    assert {one.message_id for one in await files(hall)} == {first.answer_id, second.answer_id}
    sent = await hall.database.read(lambda s: attachments.sent_with(s, answer.question_id))
    assert sent == []


async def test_it_counts_towards_what_its_owner_may_keep(hall: Hall) -> None:
    await hall.ask("/draw")
    account_id = hall.shop.subscriber_id
    size = await hall.database.read(lambda s: attachments.bytes_sent_by(s, account_id))
    assert size == len(DRAWN)
