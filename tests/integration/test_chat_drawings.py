"""A picture in an answer, as pages of its conversation show it and as nobody else gets it."""

from base64 import b64decode
from typing import Any

import httpx

from farebox.demo.upstream.drawing import triangle
from tests.acceptance.servers import ServerProcess
from tests.chatting import Chat, page


def pictures(elements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in elements if one["type"] == "image"]


async def receipt(chat: Chat) -> None:
    await chat.until(lambda c: any(one["name"] == "Receipt" for one in c.all("element")))


async def test_it_stands_under_its_answer_on_every_page_and_again_when_it_is_opened(
    server: ServerProcess, sam: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("What is 6 * 7?")
        await receipt(chat)
        async with page(server, sam, thread_id=chat.thread_id) as other:
            await other.until(lambda c: bool(c.all("resume_thread")))
            asked = await chat.say("/draw")
            for one in (chat, other):
                await one.until(lambda c: bool(pictures(c.all("element"))))
            stored = await chat.thread()
    (shown,) = pictures(chat.all("element"))
    assert pictures(other.all("element")) == [shown]
    runs = {step["id"]: step["parentId"] for step in stored["steps"] if step["type"] == "run"}
    (answer,) = [step for step in stored["steps"] if step["id"] == shown["forId"]]
    assert (answer["type"], runs[answer["parentId"]]) == ("assistant_message", asked)
    assert [(one["id"], one["forId"]) for one in pictures(stored["elements"])] == [
        (shown["id"], shown["forId"])
    ]
    (line,) = [step for step in stored["steps"] if step["type"] == "tool"]
    assert line["name"].startswith("Drew a picture · ")
    assert line["output"].endswith("the picture stands under the finished answer.")

    async with page(server, sam, thread_id=stored["id"]) as again:
        await again.until(lambda c: bool(c.all("resume_thread")))
        drawn = again.all("resume_thread")[0]["elements"]
        assert [one["url"] for one in pictures(drawn)] == [shown["url"]]


async def test_it_is_for_its_owner_alone_listed_in_the_export_and_deleted_with_the_rest(
    server: ServerProcess, sam: httpx.AsyncClient, olga: httpx.AsyncClient
) -> None:
    async with page(server, sam) as chat:
        await chat.say("/draw")
        await receipt(chat)
        address = f"/api/v1/threads/{chat.thread_id}"
    (shown,) = pictures(chat.all("element"))
    served = await sam.get(shown["url"])
    assert served.content == b64decode(triangle())
    assert served.headers["content-type"] == "image/png"
    assert "sandbox" in served.headers["content-security-policy"]
    assert (await olga.get(shown["url"])).status_code == 404
    async with httpx.AsyncClient(base_url=server.address) as nobody:
        assert (await nobody.get(shown["url"])).status_code in {303, 401}

    export = (await sam.get(f"{address}/export?format=json")).json()
    assert [one["files"] for one in export["messages"] if one["files"]] == [
        [
            {
                "name": "picture-1.png",
                "media_type": "image/png",
                "bytes": len(served.content),
                "address": shown["url"],
            }
        ]
    ]
    markdown = (await sam.get(f"{address}/export?format=md")).text
    assert f"File: [picture-1.png]({export['host']}{shown['url']})" in markdown

    ours = {"X-Requested-With": "farebox"}
    assert (await sam.delete(address, headers=ours)).is_success
    assert (await sam.get(shown["url"])).status_code == 404
