"""The catalogue as the chat's cards ask for it: one person's view, told again when it changes."""

import time
from typing import Any

import httpx
import pytest

from host.catalogue.currencies import Money
from host.catalogue.offering_terms import PlanTerms
from host.metering.revoking import RevokeRequest
from storage.credits import MilliCredits
from storage.database import Unit
from storage.models.accounts import Role
from storage.models.catalogue import OfferingState
from tests.builders import add_offering, add_plan
from tests.proxy_world import World, add_draft, problem_of

HUNDREDS = 300


async def look(world: World, headers: dict[str, str]) -> dict[str, Any]:
    answer = await world.client.get("/api/v1/catalogue", headers=headers)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def test_it_is_told_to_nobody_who_is_not_signed_in(world: World) -> None:
    problem_of(await world.client.get("/api/v1/catalogue"), 401, "not_signed_in")


async def test_somebody_new_sees_what_there_is_and_what_would_bring_it(each_world: World) -> None:
    world = each_world
    await add_draft(world)
    told = await look(world, await world.sign_in(world.subscriber))
    cards = {one["slug"]: one for one in told["offerings"]}
    assert set(cards) == {"tutor", "mirror", "songs"}
    assert cards["tutor"]["price"] == "5 credits per message"
    assert cards["tutor"]["buys"] == "100 credits = 20 messages"
    assert cards["songs"]["price"] == "1–2.5 credits per call"
    assert [(c["is_mine"], c["badge"], c["proxy_url"]) for c in cards.values()] == [
        (False, None, None)
    ] * 3
    assert cards["tutor"]["plans"] == ["pack", "week"]
    plans = {plan["slug"]: plan for plan in told["plans"]}
    assert (plans["pack"]["gives"], plans["pack"]["price"], plans["pack"]["way"]) == (
        "100 credits", "$5.00", "pay",
    )  # fmt: skip
    assert plans["week"]["gives"] == "7 days"
    assert sorted(plans["week"]["covers"]) == ["mirror", "songs", "tutor"]


async def test_what_was_got_shows_at_once(each_world: World) -> None:
    world = each_world
    headers = await world.sign_in(world.subscriber)
    assert not any(one["is_mine"] for one in (await look(world, headers))["offerings"])
    await world.buy("pack")
    told = await look(world, headers)
    cards = {one["slug"]: one for one in told["offerings"]}
    assert cards["tutor"]["badge"] == {"tone": "mine", "text": "100 credits left"}
    assert cards["songs"]["proxy_url"].endswith("/s/songs")
    assert cards["tutor"]["proxy_url"] is None
    note = next(plan["note"] for plan in told["plans"] if plan["slug"] == "pack")
    assert note == "100 credits left; getting it again adds 100 credits."
    await world.buy("week")
    again = await look(world, headers)
    badges = {one["badge"]["text"] for one in again["offerings"]}
    assert len(badges) == 1
    assert badges.pop().startswith("Included until ")


async def test_a_trial_is_for_trying_until_it_was_had_and_taken_back(world: World) -> None:
    trial = PlanTerms(
        title="Taste",
        slug="taste",
        price=Money(0, "USD"),
        credits=MilliCredits(20_000),
        is_trial=True,
    )
    await world.host.catalogue.create_plan(world.builder, trial)
    await world.host.catalogue.attach(world.builder, plan_slug="taste", offering_slug="tutor")
    headers = await world.sign_in(world.subscriber)

    async def tutor() -> dict[str, Any]:
        offerings = (await look(world, headers))["offerings"]
        return next(one for one in offerings if one["slug"] == "tutor")

    before = await tutor()
    assert (before["badge"]["text"], before["plans"][0]) == ("Free to try", "taste")
    await world.buy("taste")
    assert (await tutor())["badge"]["text"] == "20 credits left"
    await world.host.corrections.revoke(
        None,
        RevokeRequest(account_id=world.subscriber, plan_slug="taste", request="1", note=""),
    )
    after = await tutor()
    assert (after["badge"], after["plans"]) == (None, ["pack", "week"])


async def test_a_paused_offering_is_there_for_its_holders_alone(world: World) -> None:
    stranger = await world.host.accounts.create("eve@example.com", "Eve", None, [Role.SUBSCRIBER])
    await world.buy("pack")
    await world.host.catalogue.pause(world.builder, "tutor")
    mine = await look(world, await world.sign_in(world.subscriber))
    theirs = await look(world, await world.sign_in(stranger.id))
    paused = next(one for one in mine["offerings"] if one["slug"] == "tutor")
    assert paused["badge"]["text"] == "Paused by its builder"
    assert "tutor" not in {one["slug"] for one in theirs["offerings"]}


async def test_whoever_has_seen_it_is_told_when_it_still_holds(world: World) -> None:
    headers = await world.sign_in(world.subscriber)
    first = await world.client.get("/api/v1/catalogue", headers=headers)
    known = {**headers, "If-None-Match": first.headers["etag"]}
    again = await world.client.get("/api/v1/catalogue", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["cache-control"] == "no-store"
    await world.buy("pack")
    assert (await world.client.get("/api/v1/catalogue", headers=known)).status_code == 200


async def test_one_persons_view_is_not_anothers(world: World) -> None:
    stranger = await world.host.accounts.create("eve@example.com", "Eve", None, [Role.SUBSCRIBER])
    await world.buy("pack")
    mine = await world.client.get(
        "/api/v1/catalogue", headers=await world.sign_in(world.subscriber)
    )
    theirs = await world.sign_in(stranger.id)
    guessed = await world.client.get(
        "/api/v1/catalogue", headers={**theirs, "If-None-Match": mine.headers["etag"]}
    )
    assert guessed.status_code == 200
    assert not any(one["is_mine"] for one in guessed.json()["offerings"])
    assert "credits left" not in guessed.text


@pytest.fixture
async def crowded(world: World) -> World:
    """Hundreds of offerings on hundreds of plans."""

    def fill(unit: Unit) -> None:
        for number in range(HUNDREDS):
            plan = add_plan(unit.session, world.builder, title=f"Plan {number}")
            add_offering(unit.session, world.builder, plan, title=f"Offering {number}")
        add_offering(unit.session, world.builder, title="Hidden", state=OfferingState.RETIRED)

    await world.host.database.run(fill)
    return world


async def test_hundreds_of_offerings_are_read_without_asking_for_each(crowded: World) -> None:
    await crowded.buy("pack")
    headers = await crowded.sign_in(crowded.subscriber)
    told = await look(crowded, headers)
    assert len(told["offerings"]) == HUNDREDS + 3
    spent = await _cpu_of(crowded.client, headers, times=10)
    # Some 10 ms here; so much more that only asking for each offering would come to it.
    assert spent < 0.1


async def _cpu_of(client: httpx.AsyncClient, headers: dict[str, str], *, times: int) -> float:
    """Seconds of this process for one request, in the mean: client and server are both in it."""
    began = time.process_time()
    for _ in range(times):
        assert (await client.get("/api/v1/catalogue", headers=headers)).status_code == 200
    return (time.process_time() - began) / times
