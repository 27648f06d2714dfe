"""Files over the chat's own routes and socket, and what else a browser may send, good or not."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import MATH, PICTURE, SAM, Chat, balance, page, tables, upload, uploaded
from tests.fakes.pictures import EXECUTABLE, HTML, PDF, SVG, png

TRAVEL = "travel-helper"


def said(chat: Chat) -> list[str]:
    return [str(message["output"]) for message in chat.all("new_message")]


async def test_a_picture_and_a_document_are_sent_seen_and_there_again_later(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        files = [await uploaded(chat), await uploaded(chat, PDF, "../../notes.pdf")]
        sent = await chat.say("What is this?", files)
        await chat.until(lambda c: len(c.all("element")) >= 3)
        assert "You sent an image, 640×480." in chat.answer()
        stored = await chat.thread()
    drawn = [(e["type"], e["name"], e["forId"]) for e in stored["elements"][:2]]
    assert drawn == [("image", "figure.png", sent), ("file", "notes.pdf", sent)]
    assert [e["url"] for e in stored["elements"][:2]] == [f"/files/{one}" for one in files]
    assert await balance(sam) == before - 5

    picture, paper = [await sam.get(f"/files/{one}") for one in files]
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    assert picture.headers["content-disposition"].startswith("inline;")
    assert paper.headers["content-disposition"].startswith('attachment; filename="notes.pdf"')
    for answer in (picture, paper):
        assert "sandbox" in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    known = {"If-None-Match": picture.headers["etag"]}
    assert (await sam.get(f"/files/{files[0]}", headers=known)).status_code == 304


async def test_another_persons_file_and_page_do_not_exist(
    server: ServerProcess, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    async with page(server, sam) as his, page(server, sam) as other:
        file_id = await uploaded(his)
        for wanted in (file_id, str(uuid4()), "x"):
            assert (await olga.get(f"/files/{wanted}")).status_code == 404
        async with httpx.AsyncClient(base_url=server.address) as nobody:
            assert (await nobody.get(f"/files/{file_id}")).status_code == 303
        into_his = await olga.post(
            f"/project/file?session_id={his.session_id}", files={"file": ("a.png", PICTURE)}
        )
        assert into_his.status_code == 404
        # In another conversation of his own it cannot be sent either.
        await other.say("What is this?", [file_id])
        await other.until(lambda c: any("attach it again" in text for text in said(c)))
        assert not other.all("element")


@pytest.mark.parametrize(
    ("content", "name", "status", "sentence"),
    [
        pytest.param(b"", "a.txt", 415, "is empty", id="zero bytes"),
        pytest.param(HTML, "cat.png", 415, "is called a picture", id="HTML named PNG"),
        pytest.param(SVG, "cat.png", 415, "is called a picture", id="a script in an SVG"),
        pytest.param(EXECUTABLE, "tool.exe", 415, "is no image", id="a program"),
        pytest.param(b"x" * 10_000_001, "a.txt", 413, "larger than 10 MB", id="too large"),
        pytest.param(b"x" * 12_000_000, "a.txt", 413, "at most 10 MB", id="far too large"),
    ],
)
async def test_a_file_that_is_no_good_is_refused_in_a_sentence(
    server: ServerProcess,
    sam: httpx.AsyncClient,
    content: bytes,
    name: str,
    status: int,
    sentence: str,
) -> None:
    async with page(server, sam) as chat:
        answer = await upload(chat, content, name)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json", "the page shows no other"
    assert sentence in answer.json()["detail"]
    assert "Nothing was kept" in answer.json()["detail"]


async def test_markup_is_saved_and_never_shown(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        for name in ("page.html", "drawing.svg"):
            file_id = await uploaded(chat, SVG, name)
            answer = await sam.get(f"/files/{file_id}")
            assert answer.headers["content-type"].startswith("text/plain")
            assert answer.headers["content-disposition"].startswith("attachment;")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        pytest.param("x" * 300 + ".pdf", "x" * 96 + ".pdf", id="300 characters"),
        pytest.param("photo\u202efdp.pdf", "photofdp.pdf", id="right to left"),
        pytest.param("a\x00b.pdf", "ab.pdf", id="a NUL"),
    ],
)
async def test_a_hostile_name_is_made_harmless(
    server: ServerProcess, sam: httpx.AsyncClient, name: str, shown: str
) -> None:
    form = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: image/png\r\n\r\n%b\r\n--b--\r\n"
    ) % (name.encode(), PDF)
    async with page(server, sam) as chat:
        answer = await sam.post(
            f"/project/file?session_id={chat.session_id}",
            content=form,
            headers={"Content-Type": "multipart/form-data; boundary=b"},
        )
        assert answer.status_code == 200, answer.text
        kept = await sam.get(f"/files/{answer.json()['id']}")
    assert f'filename="{shown}"' in kept.headers["content-disposition"]


async def test_too_many_files_are_refused_and_nothing_is_charged(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        files = [await uploaded(chat, png(1, 1)) for _ in range(6)]
        await chat.say("What are these?", files)
        await chat.until(lambda c: any("At most 5 files" in text for text in said(c)))
        await chat.say("", [str(uuid4())] * 101)
        await chat.until(lambda c: bool(c.all("toast")))
        await chat.say("And now?", files[:5])
        await chat.receipt(6)
    assert await balance(sam) == before - 5


async def test_an_assistant_that_takes_no_files_has_no_button_and_no_door(
    server: ServerProcess, cookies: dict[str, httpx.Cookies]
) -> None:
    address = server.address
    async with httpx.AsyncClient(base_url=address, cookies=cookies[SAM]) as http:
        for profile, is_offered in ((MATH, True), ("home", False)):
            settings = await http.get(f"/project/settings?chat_profile={profile}")
            button = settings.json()["features"]["spontaneous_file_upload"]
            assert button["enabled"] is is_offered
        async with page(server, http, profile="home") as chat:
            answer = await upload(chat, PICTURE)
            assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_file")
        async with page(server, http, profile=TRAVEL) as chat:  # and is not his
            assert (await upload(chat, PICTURE)).status_code == 415


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 1_200_000, id="over a megabyte"),
        pytest.param("x" * 200_001, id="longer than a page can draw"),
        pytest.param(" \n\t ", id="nothing but spaces"),
        pytest.param("a\0b", id="a NUL"),
    ],
)
async def test_a_message_that_is_no_good_is_refused_in_a_sentence_and_the_page_goes_on(
    server: ServerProcess, sam: httpx.AsyncClient, text: str
) -> None:
    before = await balance(sam)
    async with page(server, sam) as chat:
        await chat.say(text)
        await chat.until(lambda c: bool(c.all("toast")))
        assert "Nothing was charged" in chat.all("toast")[0]["message"]
        await chat.say("What is 4 * 4?")
        await chat.receipt()
    assert await balance(sam) == before - 5


async def test_a_message_that_is_too_long_for_the_assistant_says_how_long(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("x" * 40_000)
        await chat.until(lambda c: any("at most 32000" in text for text in said(c)))
        assert not chat.all("element")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("line\n" * 6_000 + "What is 2 * 2?", id="six thousand lines"),
        pytest.param("\n" * 10_000 + "What is 2 * 2?", id="ten thousand empty lines"),
        pytest.param("\x07 \x1b[31m What is 2 * 2? \u202e\u200b", id="control characters"),
    ],
)
async def test_odd_text_is_a_message_like_any_other(
    server: ServerProcess, sam: httpx.AsyncClient, text: str
) -> None:
    async with page(server, sam) as chat:
        await chat.say(text)
        assert (await chat.receipt())["line"].startswith("−5 credits")
        asked = next(s for s in (await chat.thread())["steps"] if s["type"] == "user_message")
    assert asked["output"] == text


async def search(http: httpx.AsyncClient, wanted: str) -> list[dict[str, str]]:
    """What the sidebar's search shows."""
    body = {"pagination": {"first": 20}, "filter": {"search": wanted}}
    found: list[dict[str, str]] = (await http.post("/project/threads", json=body)).json()["data"]
    return found


async def test_the_sidebars_search_shows_where_it_was_found_and_deleting_ends_it(
    server: ServerProcess, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 7 * 8, for a xylophone?")
        await chat.receipt()
        thread_id = chat.thread_id
    (line,) = await search(sam, "XYLO")
    assert line["id"] == thread_id
    assert " — " in line["name"]
    assert await search(olga, "xylo") == []
    theirs = await olga.request("DELETE", "/project/thread", json={"threadId": thread_id})
    assert theirs.status_code in {401, 404}
    assert await search(sam, "xylo")
    mine = await sam.request("DELETE", "/project/thread", json={"threadId": thread_id})
    assert mine.json() == {"success": True}
    assert await search(sam, "xylo") == []
    assert (await sam.get(f"/api/v1/threads/{thread_id}")).status_code == 404


async def test_a_thread_that_is_opened_speaks_with_its_own_assistant(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 7 * 9?")
        await chat.receipt()
        thread_id = chat.thread_id
    async with page(server, sam, profile="home", thread_id=thread_id) as again:
        await again.until(lambda c: bool(c.all("resume_thread")))
        assert again.all("resume_thread")[0]["metadata"]["chat_profile"] == MATH
        await again.say("What is 7 * 10?")
        await again.receipt()
        assert "70" in again.answer()


@contextmanager
def provider_out_of_reach(folder: Path) -> Iterator[None]:
    """Assistants whose upstream is none that this host talks to."""
    with tables(folder) as kept:
        known = kept.execute("SELECT offering_id, base_url FROM assistant").fetchall()
        kept.execute("UPDATE assistant SET base_url = 'https://elsewhere.example/v1'")
    try:
        yield
    finally:
        with tables(folder) as kept:
            for offering_id, base_url in known:
                kept.execute(
                    "UPDATE assistant SET base_url = ? WHERE offering_id = ?",
                    (base_url, offering_id),
                )


async def test_it_is_said_when_the_provider_could_not_be_told_to_delete(
    server: ServerProcess, folder: Path, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat, page(server, olga, profile="home") as hers:
        await chat.say("What is 2 * 21?")
        await chat.receipt()
        thread_id = chat.thread_id
        with provider_out_of_reach(folder):
            gone = await sam.request("DELETE", "/project/thread", json={"threadId": thread_id})
        assert gone.json() == {"success": True}
        await chat.until(lambda c: bool(c.all("toast")))
        assert "provider could not be told yet" in chat.all("toast")[0]["message"]
        assert not hers.all("toast")
    (waiting,) = (await sam.get("/api/v1/deletions")).json()
    assert (waiting["thread"], waiting["is_given_up"]) == (thread_id, False)
    assert (await olga.get("/api/v1/deletions")).json() == []
