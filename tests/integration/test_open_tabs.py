"""What is asked again for every message: who may come in, and what they may use.

A page stays open for days. Whatever ended since it was opened stops its next message, in a
sentence and for free; and who is no longer signed in has no socket at all.
"""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import httpx
import pytest

from tests.acceptance.servers import ServerProcess
from tests.chatting import (
    MATH,
    Chat,
    Newcomer,
    newcomer,
    operate,
    page,
    signed_in,
    tables,
)


@dataclass(frozen=True, slots=True)
class Tab:
    """A page that has been open for a while: something was answered there."""

    server: ServerProcess
    folder: Path
    eve: Newcomer
    chat: Chat
    slug: str

    def charges(self) -> int:
        with tables(self.folder) as rows:
            (number,) = rows.execute(
                "SELECT count(*) FROM hold JOIN wallet ON wallet.id = hold.wallet_id"
                " JOIN account ON account.id = wallet.subscriber_id WHERE email = ?",
                (self.eve.email,),
            ).fetchone()
        return int(number)

    async def answered(self, times: int) -> None:
        await self.chat.say("What is 6 * 7?")
        await self.chat.receipt(times)


Ending: TypeAlias = Callable[[Tab], Awaitable[object]]


@asynccontextmanager
async def open_tab(
    server: ServerProcess, folder: Path, *, slug: str = MATH, plan: str = "pack-100"
) -> AsyncIterator[Tab]:
    async with (
        newcomer(server, folder, plan) as eve,
        page(server, eve.http, profile=slug) as chat,
    ):
        tab = Tab(server, folder, eve, chat, slug)
        await tab.answered(1)
        yield tab


async def take_the_plan_back(tab: Tab) -> None:
    facts = {"email": tab.eve.email, "plan": "pack-100", "note": "", "request": uuid4().hex}
    await operate(tab.folder, "revoke", **facts)


async def let_the_plan_end(tab: Tab) -> None:
    with tables(tab.folder) as rows:
        rows.execute(
            "UPDATE subscription SET ends_at = starts_at + 1 WHERE account_id ="
            " (SELECT id FROM account WHERE email = ?)",
            (tab.eve.email,),
        )


async def spend_the_rest(tab: Tab) -> None:
    facts = {"email": tab.eve.email, "credits_": "5"}
    await operate(tab.folder, "set_cap", **facts)


async def pause(tab: Tab) -> None:
    await operate(tab.folder, "move_offering", slug=tab.slug, step="pause")


async def resume(tab: Tab) -> None:
    await operate(tab.folder, "move_offering", slug=tab.slug, step="resume")


async def retire(tab: Tab) -> None:
    await pause(tab)
    await operate(tab.folder, "move_offering", slug=tab.slug, step="retire")


@pytest.fixture
def short_lived(folder: Path) -> str:
    """An assistant like Math Tutor that nobody else needs."""
    slug = f"short-lived-{uuid4().hex[:8]}"
    with tables(folder) as rows:
        (old,) = rows.execute("SELECT id FROM offering WHERE slug = ?", (MATH,)).fetchone()
        new = copied(rows, "offering", "id", old, slug=slug)
        for table in ("assistant", "plan_offering"):
            copied(rows, table, "offering_id", old, offering_id=new)
    return slug


def copied(rows: sqlite3.Connection, table: str, key: str, old: int, **changed: object) -> int:
    """Write the rows of a table again, for another offering; returns the last id."""
    columns = [str(row[1]) for row in rows.execute(f"PRAGMA table_info({table})")]
    kept = [name for name in columns if name != "id" and name not in changed]
    names = ", ".join([*changed, *kept])
    values = ", ".join(["?" for _ in changed] + kept)
    into = f"INSERT INTO {table} ({names}) SELECT {values} FROM {table}"  # noqa: S608 - our own
    done = rows.execute(f"{into} WHERE {key} = ?", (*changed.values(), old))
    assert done.lastrowid is not None
    return done.lastrowid


@pytest.mark.parametrize(
    ("ending", "sentence"),
    [
        pytest.param(take_the_plan_back, "was taken back by the operator on", id="taken back"),
        pytest.param(let_the_plan_end, "Pack 100 ended on", id="ended"),
        pytest.param(spend_the_rest, "daily limit of 5", id="limited"),
        pytest.param(retire, "Math Tutor has been withdrawn.", id="withdrawn"),
    ],
)
async def test_what_ended_meanwhile_stops_the_next_message_in_a_sentence(
    server: ServerProcess, folder: Path, short_lived: str, ending: Ending, sentence: str
) -> None:
    async with open_tab(server, folder, slug=short_lived) as tab:
        await ending(tab)
        await tab.chat.say("What is 7 * 7?")
        told = await tab.chat.told(sentence)
        assert "charged" in told
        assert len(tab.chat.all("element")) == tab.charges() == 1
        assert "7 * 7" in str(await tab.chat.thread())


async def test_a_paused_assistant_answers_again_when_its_builder_resumes_it(
    server: ServerProcess, folder: Path, short_lived: str
) -> None:
    async with open_tab(server, folder, slug=short_lived) as tab:
        await pause(tab)
        await tab.chat.say("What is 7 * 7?")
        await tab.chat.told("Math Tutor is paused by its builder. Nothing was charged")
        assert tab.charges() == 1
        await resume(tab)
        await tab.answered(2)
        assert tab.charges() == 2


async def test_a_pass_that_runs_out_in_the_middle_of_a_conversation_says_so(
    server: ServerProcess, folder: Path
) -> None:
    async with open_tab(server, folder, slug="travel-helper", plan="travel-pass") as tab:
        assert "Included in your plan until" in (await tab.chat.receipt())["line"]
        await let_the_plan_end(tab)
        await tab.chat.say("And in the rain?")
        assert "Your message is kept." in await tab.chat.told("7-day travel pass ended on")
        assert tab.charges() == 1


async def suspend(tab: Tab) -> None:
    await operate(tab.folder, "suspend", email=tab.eve.email)


async def sign_out(tab: Tab) -> None:
    assert (await tab.eve.http.post("/logout")).status_code == 303


async def sign_out_from_elsewhere(tab: Tab) -> None:
    async with signed_in(tab.server, tab.eve.email) as phone:
        account = (await phone.get("/account/sign-in")).text
        logins = [int(number) for number in re.findall(r"/account/logins/(\d+)/end", account)]
        assert (await phone.post(f"/account/logins/{min(logins)}/end")).status_code == 303
        assert (await phone.get("/account")).status_code == 200


async def set_a_new_password(tab: Tab) -> None:
    link = await operate(tab.folder, "reset_link", email=tab.eve.email)
    form = {"key": link.partition("key=")[2], "password": "an even better one"}
    async with httpx.AsyncClient() as http:
        assert (await http.post(f"{tab.server.address}/reset", data=form)).is_redirect


LEAVING = [
    pytest.param(sign_out, id="signed out"),
    pytest.param(sign_out_from_elsewhere, id="signed out from elsewhere"),
    pytest.param(set_a_new_password, id="a new password"),
    pytest.param(suspend, id="suspended"),
]


@pytest.mark.parametrize("leaving", LEAVING)
async def test_who_is_no_longer_signed_in_is_not_heard_and_loses_the_socket(
    server: ServerProcess, folder: Path, leaving: Ending
) -> None:
    async with open_tab(server, folder) as tab:
        await leaving(tab)
        said = await tab.chat.say("Am I still here?")
        await tab.chat.gone()
        assert tab.charges() == 1
        assert (await tab.eve.http.get("/user")).status_code == 401
        with tables(folder) as rows:
            assert not rows.execute("SELECT 1 FROM step WHERE id = ?", (said,)).fetchall()


async def test_a_socket_over_which_an_answer_is_written_is_closed_and_the_answer_goes_on(
    server: ServerProcess, folder: Path
) -> None:
    async with open_tab(server, folder) as tab:
        tab.chat.heard.clear()
        await tab.chat.say("/long")
        await tab.chat.until(lambda c: len(c.all("stream_token")) > 2)
        thread_id = tab.chat.all("new_message")[0]["threadId"]
        await sign_out(tab)
        await tab.chat.gone()
        assert not tab.chat.all("element"), "it is still being written"
        async with (
            signed_in(server, tab.eve.email) as http,
            page(server, http, thread_id=thread_id) as again,
        ):
            await again.until(lambda c: bool(c.all("stream_token")))
            await again.client.emit("stop")
            assert (await again.receipt())["line"].startswith("Stopped, 5 credits")
