"""The end of an account: nothing of the person is left, and the books are as they were."""

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlmodel import Session, select

from host.errors import AccountBusy, NotAllowed, NotSignedIn
from host.identity.entrance import Newcomer, Visit
from host.identity.own_login import GUESSES, QUARTER_S
from host.metering.revoking import RevokeRequest
from host.vault.envelope import SecretUnreadable
from storage.books import EndHold, HoldOpened
from storage.conversations import NewRun, add_run, claim_thread
from storage.credits import MilliCredits
from storage.database import Unit
from storage.ids import new_id
from storage.models.accounts import Account, AccountState, Role
from storage.models.base import metadata
from storage.models.catalogue import Offering, OfferingState
from storage.models.conversations import Element, Feedback, Run, Step
from storage.models.money import Entry, Hold, Wallet
from storage.models.vault import Secret
from storage.moments import SECOND, Micros
from storage.run_states import RunState
from tests.builders import PlanIds, Shop, hold_of
from tests.databases import SQLITE_ALONE, verify_ledger
from tests.integration.test_account_pages import sam
from tests.integration.test_pages import (
    GOOD,
    PagesHost,
    add,
    browser,
    host,
    open_browser,
    paid_message,
    sign_in,
)
from tests.proxy_world import World, problem_of

__all__ = ["browser", "host", "sam"]
SAID = "a sentence that only Sam could have written"
NAMED = "Sam's own laptop"
MINE = {"email": "sam@example.com", "current": GOOD}
VISIT = Visit(browser="Firefox of somebody", address="192.0.2.7")


@pytest_asyncio.fixture
async def receipt(host: PagesHost, browser: httpx.AsyncClient, sam: int) -> AsyncIterator[str]:
    """Everything that can be known of Sam, and a receipt."""
    receipt = await paid_message(host, sam)
    await host.database.run(lambda unit: converse(unit, sam))
    form = {"offering": "math-tutor", "name": NAMED, "days": "30"}
    await browser.post("/account/tokens", data=form)
    await browser.post(f"/receipts/{receipt}/report", data={"report": SAID})
    await host.accounts.reset_link("sam@example.com")
    yield receipt


def converse(unit: Unit, account_id: int, thread: str = "sams-thread") -> None:
    """A conversation with everything that can be in one, its answer finished."""
    now = Micros(1_000)
    claim_thread(unit.session, thread, account_id=account_id, offering_id=1, title=SAID, now=now)
    question, answer, run = new_id(), new_id(), new_id()
    add_run(
        unit.session,
        NewRun(
            run_id=run,
            thread_id=thread,
            account_id=account_id,
            offering_id=1,
            question_id=question,
            answer_id=answer,
            text=SAID,
            provider="responses",
            hold_id=None,
            receipt_id=new_id(),
            price=MilliCredits(0),
            included_until=None,
            owner="nobody",
            now=now,
        ),
    )
    stored = unit.session.get_one(Run, run)
    stored.ended_at, stored.state = now, RunState.COMPLETED
    unit.session.add(
        Step(id=question, thread_id=thread, type="user_message", output=SAID, created_at=now)
    )
    unit.session.add(
        Element(
            id=new_id(), thread_id=thread, for_id=answer, type="text", name="x", content=SAID,
            created_at=now,
        )
    )  # fmt: skip
    unit.session.add(
        Feedback(
            id=new_id(), for_id=answer, thread_id=thread, value=1, comment=SAID, created_at=now
        )
    )
    unit.session.flush()


def everything(session: Session) -> str:
    """All that stands in any table, as one text."""
    told = []
    for table in metadata().sorted_tables:
        rows = session.connection().execute(table.select()).all()
        told.append(f"{table.name}: {[tuple(row) for row in rows]}")
    return "\n".join(told)


def books(session: Session) -> list[Any]:
    """What may not change: wallets, holds and entries."""
    return [
        tuple(row)
        for table in (Wallet, Hold, Entry)
        for row in session.connection().execute(metadata().tables[table.__tablename__].select())
    ]


async def test_nothing_of_the_person_is_left_and_the_books_are_as_they_were(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, receipt: str
) -> None:
    known = await host.database.read(everything)
    for trace in ("sam@example.com", "'Sam'", SAID, NAMED):
        assert trace in known
    before = await host.database.read(books)
    done = await browser.post("/account/delete", data={**MINE, "email": " SAM@example.com "})
    assert (done.status_code, done.headers["location"]) == (303, "/login?notice=deleted")
    assert "Max-Age=0" in done.headers["set-cookie"]
    assert "account is deleted" in (await browser.get(done.headers["location"])).text

    left = await host.database.read(everything)
    for trace in ("sam@example.com", "'Sam'", SAID, NAMED):
        assert trace not in left
    assert await host.database.read(books) == before
    account = await host.database.read(lambda s: s.get_one(Account, sam))
    assert (account.email, account.state, account.password_hash) == (
        f"deleted:{sam}", AccountState.DELETED, None
    )  # fmt: skip
    await verify_ledger(host.database)
    assert receipt in left


async def test_who_was_deleted_is_out_everywhere_and_the_address_is_free(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, receipt: str
) -> None:
    assert receipt
    cookie = browser.cookies["farebox_login"]
    (token,) = await host.access_tokens.list(sam)
    async with open_browser(host) as phone:
        await sign_in(phone, "sam")
        await browser.post("/account/delete", data=MINE)
        assert (await phone.get("/account")).status_code == 303
        assert (await sign_in(phone, "sam")).status_code == 401
    assert await host.login_sessions.find(cookie) is None
    for address in ("sam@example.com", f"deleted:{sam}"):
        with pytest.raises(NotSignedIn):
            await host.entrance.sign_in(address, GOOD, VISIT)
    (ended,) = await host.access_tokens.list(sam)
    assert (token.revoked_at, ended.revoked_at) == (None, host.clock.now())
    assert sam not in {account.id for account in await host.accounts.list()}
    new = Newcomer(name="Sam", email="sam@example.com", password=GOOD)
    await host.entrance.sign_up(new, VISIT)
    assert (await host.accounts.find("sam@example.com")).id != sam


async def test_deleting_again_changes_nothing(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, receipt: str
) -> None:
    assert receipt
    await browser.post("/account/delete", data=MINE)
    once = await host.database.read(everything)
    await host.deletion.delete(sam, actor=None)
    assert await host.database.read(everything) == once


async def test_nobody_elses_things_go_with_it(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, receipt: str
) -> None:
    assert receipt
    eve = await add(host, "Eve")
    await host.database.run(lambda unit: converse(unit, eve, "eves-thread"))
    async with open_browser(host) as stranger:
        await sign_in(stranger, "eve")
        await browser.post("/account/delete", data=MINE)
        assert (await stranger.get("/account")).status_code == 200
    left = await host.database.read(everything)
    assert "eve@example.com" in left
    assert left.count(SAID) == 5  # her thread, message, step, element and feedback
    assert sam != eve


@SQLITE_ALONE
@pytest.mark.parametrize("typed", ["", "sam", "eve@example.com", "deleted:1", "yes"])
async def test_without_the_address_nothing_is_deleted(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, typed: str
) -> None:
    await add(host, "Eve")
    refused = await browser.post("/account/delete", data={**MINE, "email": typed})
    assert refused.status_code == 422
    assert 'id="email-wrong" role="alert"' in refused.text
    assert (await browser.get("/account")).status_code == 200
    assert len(await host.accounts.list()) == 2
    assert sam


async def delete_with(browser: httpx.AsyncClient, password: str) -> httpx.Response:
    return await browser.post("/account/delete", data={**MINE, "current": password})


@SQLITE_ALONE
async def test_without_the_password_nothing_is_deleted_and_guesses_are_counted(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    page = (await browser.get("/account/data")).text
    assert 'type="password"' in page
    assert 'autocomplete="current-password"' in page
    for typed in ("", "another one", GOOD + " ", GOOD.upper()):
        refused = await delete_with(browser, typed)
        assert refused.status_code == 422
        assert 'id="current-wrong" role="alert">That is not your current password.' in refused.text
        assert typed == "" or f'value="{typed}"' not in refused.text
    forgotten = await browser.post("/account/delete", data={"email": MINE["email"]})
    assert forgotten.status_code == 422
    for _ in range(GUESSES - 5):
        await delete_with(browser, "another one")
    refused = await delete_with(browser, GOOD)
    assert (refused.status_code, "Too many wrong passwords." in refused.text) == (429, True)
    assert [account.id for account in await host.accounts.list()] == [sam]
    host.clock.advance(QUARTER_S * SECOND)
    assert (await delete_with(browser, GOOD)).status_code == 303
    assert await host.accounts.list() == []


async def test_what_is_under_way_has_to_end_first(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    wallet = await host.database.run(lambda unit: unit.books.open_wallet(sam))
    (plan,) = await host.catalogue.plans()
    shop = Shop(0, sam, wallet, 1, PlanIds(plan.id, plan.version.id))
    hold = await host.database.run(lambda unit: unit.books.open_hold(hold_of(shop, 5_000)))
    assert isinstance(hold, HoldOpened)
    assert "Not possible yet." in (await browser.get("/account/data")).text
    refused = await browser.post("/account/delete", data=MINE)
    assert (refused.status_code, "still being written" in refused.text) == (409, True)
    end = EndHold(
        wallet_id=wallet, hold_id=hold.hold_id, plan_ids=(plan.id,), now=host.clock.now()
    )
    await host.database.run(lambda unit: unit.books.release(end))
    done = await browser.post("/account/delete", data=MINE)
    assert done.status_code == 303


@SQLITE_ALONE
async def test_the_last_operator_stays(host: PagesHost) -> None:
    olga = await add(host, "Olga", Role.OPERATOR)
    with pytest.raises(NotAllowed):
        await host.deletion.delete(olga, actor=olga)
    await add(host, "Otto", Role.OPERATOR)
    await host.deletion.delete(olga, actor=olga)
    assert [account.email for account in await host.accounts.list()] == ["otto@example.com"]


async def test_a_builder_stays_while_others_hold_what_they_offer(each_world: World) -> None:
    world, host = each_world, each_world.host
    await world.buy("pack")
    await world.buy("week")
    bearer = await world.bearer("mirror")
    secrets = await host.database.read(lambda s: s.exec(select(Secret)).all())
    with pytest.raises(AccountBusy, match="Math Tutor"):
        await host.deletion.delete(world.builder, actor=world.builder)
    for plan in ("pack", "week"):
        request = RevokeRequest(account_id=world.subscriber, plan_slug=plan, request=plan)
        await host.corrections.revoke(None, request)
    await host.deletion.delete(world.builder, actor=world.builder)

    states = await host.database.read(lambda s: s.exec(select(Offering.state)).all())
    assert set(states) == {OfferingState.RETIRED}
    assert await host.catalogue.plans() == ()
    for secret in secrets:
        if secret.owner_id == world.builder:
            with pytest.raises(SecretUnreadable):
                await host.vault.reveal(secret.id)
    assert sum(secret.owner_id == world.builder for secret in secrets) == 3
    problem_of(
        await world.client.get("/s/mirror/status/200", headers=bearer), 502, "upstream_failed"
    )
    assert (await world.client.get("/readyz")).status_code == 200
    again = await host.accounts.create("bea@example.com", "Bea", None, [Role.BUILDER])
    assert again.id != world.builder


async def test_a_call_with_a_deleted_accounts_token_is_refused_at_once(
    each_world: World,
) -> None:
    world = each_world
    await world.buy("pack")
    bearer = await world.bearer("mirror")
    assert (await world.client.get("/s/mirror/open/x", headers=bearer)).status_code == 200
    await world.host.deletion.delete(world.subscriber, actor=None)
    refused = await world.client.get("/s/mirror/status/200", headers=bearer)
    problem_of(refused, 401, "invalid_token")


async def test_calls_that_race_with_the_deletion_are_paid_or_refused(each_world: World) -> None:
    world = each_world
    await world.buy("pack")
    bearer = await world.bearer("mirror")

    async def deleted() -> bool:
        try:
            await world.host.deletion.delete(world.subscriber, actor=None)
        except AccountBusy:
            return False
        return True

    async with asyncio.timeout(60):
        deleting = asyncio.create_task(deleted())
        answers = await asyncio.gather(
            *(world.client.get("/s/mirror/status/200", headers=bearer) for _ in range(10))
        )
        is_deleted = await deleting
        while not is_deleted:  # once what was under way has ended, it can be
            is_deleted = await deleted()
    assert {answer.status_code for answer in answers} <= {200, 401, 403}
    paid = sum(answer.status_code == 200 for answer in answers)
    async with asyncio.timeout(20):
        while (wallet := await wallet_of(world)).held:
            pass
    assert (wallet.held, wallet.debits) == (0, paid * 1_000)
    refused = await world.client.get("/s/mirror/status/200", headers=bearer)
    problem_of(refused, 401, "invalid_token")


async def test_the_copy_has_everything_and_no_secret(
    host: PagesHost, browser: httpx.AsyncClient, sam: int, receipt: str
) -> None:
    await host.database.run(lambda unit: converse(unit, sam, "=cmd()"))
    eve = await add(host, "Eve")
    await host.database.run(lambda unit: converse(unit, eve, "eves-thread"))
    answer = await browser.post("/account/data/copy")
    assert answer.headers["content-type"] == "application/zip"
    files = unzipped(answer.content)
    profile = json.loads(files["profile.json"])
    assert (profile["email"], profile["available"]) == ("sam@example.com", "95")
    assert [one["receipt"] for one in json.loads(files["receipts.json"])] == [receipt]
    assert [one["credits"] for one in json.loads(files["usage.json"])] == [100, -5]
    assert [one["conversation"] for one in json.loads(files["conversations.json"])] == [
        "=cmd()", "sams-thread"
    ]  # fmt: skip
    assert [one["speaker"] for one in json.loads(files["messages.json"])] == [
        "subscriber", "assistant"
    ] * 2  # fmt: skip
    assert [one["text"] for one in json.loads(files["reports.json"])] == [SAID]
    assert [one["name"] for one in json.loads(files["access_tokens.json"])] == [NAMED]
    assert json.loads(files["drafts.json"]) == []
    assert files["messages.csv"].count("'=cmd()") == 2
    assert {name.rsplit(".")[0] for name in files if name.endswith(".csv")} == {
        "purchases", "receipts", "usage", "conversations", "messages", "files", "deletions",
        "access_tokens", "reports", "drafts",
    }  # fmt: skip
    whole = "\n".join(files.values())
    account = await host.database.read(lambda s: s.get_one(Account, sam))
    assert account.password_hash is not None
    assert account.password_hash not in whole
    assert browser.cookies["farebox_login"] not in whole
    assert "eves-thread" not in whole


async def test_a_long_conversation_is_copied_to_its_last_message(
    host: PagesHost, browser: httpx.AsyncClient, sam: int
) -> None:
    await paid_message(host, sam)
    names = [f"thread-{number:03}" for number in range(260)]

    def talk_a_lot(unit: Unit) -> None:
        for name in names:
            converse(unit, sam, name)

    await host.database.run(talk_a_lot)
    pieces = [piece async for piece in host.download.archive(sam)]
    files = unzipped(b"".join(pieces))
    assert len(json.loads(files["messages.json"])) == 520
    assert len(json.loads(files["conversations.json"])) == 260
    assert len(pieces) > 3
    assert (await browser.get("/account/data")).status_code == 200


@SQLITE_ALONE
async def test_copies_are_not_to_be_had_without_end(browser: httpx.AsyncClient, sam: int) -> None:
    answers = [await browser.post("/account/data/copy") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "You have just had a copy." in answers[-1].text
    assert sam


async def wallet_of(world: World) -> Wallet:
    asked = select(Wallet).where(Wallet.subscriber_id == world.subscriber)
    return await world.host.database.read(lambda s: s.exec(asked).one())


def unzipped(archive: bytes) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {
            name.removeprefix("farebox/"): opened.read(name).decode() for name in opened.namelist()
        }
