"""Addresses that lead nowhere, and assistants one has no plan for: always a way on, never JSON."""

from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import MATH, OLGA, signed_in

AS_BROWSER = {"Accept": "text/html,application/xhtml+xml"}


async def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(
    sam: httpx.AsyncClient,
) -> None:
    shown = await sam.get("/nowhere/at/all", headers=AS_BROWSER)
    assert shown.status_code == 404
    assert 'href="/">Go to the chat' in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    told = await sam.get("/nowhere/at/all")
    assert (told.status_code, told.json()["code"]) == (404, "not_found")
    assert told.headers["content-type"] == "application/problem+json"


async def test_an_assistant_that_one_has_a_plan_for_opens_the_chat(
    sam: httpx.AsyncClient,
) -> None:
    opened = await sam.get(f"/a/{MATH}", headers=AS_BROWSER)
    assert (opened.status_code, opened.headers["location"]) == (303, "/")


@pytest.mark.parametrize("slug", ["travel-helper", "elvis-song-summarizer"])
async def test_what_the_chat_cannot_be_opened_on_leads_to_its_card(
    sam: httpx.AsyncClient, slug: str
) -> None:
    sent = await sam.get(f"/a/{slug}", headers=AS_BROWSER)
    assert (sent.status_code, sent.headers["location"]) == (303, f"/?open={slug}")
    assert "7-day travel pass" in (await sam.get("/buy/travel-pass")).text


async def test_a_link_to_nothing_is_an_error_page(sam: httpx.AsyncClient) -> None:
    refused = await sam.get("/a/no-such-assistant", headers=AS_BROWSER)
    assert refused.status_code == 404
    assert "There is nothing called “no-such-assistant” here" in refused.text
    assert 'href="/">Go to the chat' in refused.text


async def test_a_trial_that_was_started_opens_its_assistant(server: ServerProcess) -> None:
    async with signed_in(server, OLGA) as olga:
        started = await olga.post("/buy/trial-20", data={"key": str(uuid4())})
        opened = await olga.get(started.headers["location"], headers=AS_BROWSER)
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
