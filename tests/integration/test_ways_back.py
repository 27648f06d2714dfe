"""Addresses that lead nowhere, and assistants one has no plan for: always a way on, never JSON."""

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import MATH, OLGA, page, signed_in

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


async def test_an_assistant_without_a_plan_leads_to_the_plan_that_covers_it(
    sam: httpx.AsyncClient,
) -> None:
    sent = await sam.get("/a/travel-helper", headers=AS_BROWSER)
    assert (sent.status_code, sent.headers["location"]) == (303, "/buy/travel-pass")
    assert "7-day travel pass" in (await sam.get("/buy/travel-pass")).text


@pytest.mark.parametrize("slug", ["no-such-assistant", "elvis-song-summarizer"])
async def test_what_is_no_assistant_is_an_error_page(sam: httpx.AsyncClient, slug: str) -> None:
    refused = await sam.get(f"/a/{slug}", headers=AS_BROWSER)
    assert refused.status_code == 404
    assert "There is no " in refused.text
    assert 'href="/">Go to the chat' in refused.text


async def test_home_offers_the_trial_to_who_has_nothing_and_the_trial_opens_its_assistant(
    server: ServerProcess,
) -> None:
    async with signed_in(server, OLGA) as olga:
        async with page(server, olga, profile="home") as chat:
            await chat.say("Hello")
            await chat.until(lambda one: bool(one.all("new_message")))
            said = [str(step["output"]) for step in chat.all("new_message")]
            assert any("[Start the free trial: Trial 20](/buy/trial-20)" in one for one in said)
            assert any("[Pack 100](/buy/pack-100)" in one for one in said)
        started = await olga.post("/buy/trial-20", content=b"")
        opened = await olga.get(started.headers["location"], headers=AS_BROWSER)
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
