"""Twenty programs at three doors of two servers that share a wallet: what it holds is sold, once.

The servers share one PostgreSQL database, as replicas do. The clients are processes of their own,
wait for each other, and then all call at once.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from sqlmodel import Session, select

from storage.credits import MilliCredits
from storage.database import Database
from storage.models.money import Hold, Wallet
from tests.acceptance.client import OUT_OF_CREDITS, READY, Attempt, Door, Errand, attempts_in
from tests.acceptance.servers import environment, farebox
from tests.acceptance.shop import EMAIL, PRICE, WORDS, Shop, open_shop
from tests.databases import verify_ledger

REMAINDER: Final = PRICE - 1
CLIENTS: Final[dict[Door, int]] = {"chat": 7, "ask": 7, "call": 6}
WANTED: Final = 3
"""By each of the twenty: sixty in all."""
PAID: Final = 45
"""The M of the test: more than two doors can take together, so that the third sells too."""
DOUBLED: Final = 2
"""Every so-manieth client sends all it sends twice."""
PATIENCE_S: Final = 180
ROOT: Final = Path(__file__).parents[2]
BEFORE: Final = {"409 call_in_progress", "409 idempotency_conflict"}
"""What the second of two equal requests may be told in place of the answer."""


@pytest.mark.parametrize("database_kind", ["postgresql"], indirect=True)  # which replicas share
def test_of_sixty_deliveries_twenty_clients_want_exactly_the_forty_five_paid_for_are_sold(
    database_url: str, tmp_path: Path
) -> None:
    _in_a_loop_of_its_own(_sell_out(database_url, tmp_path))


def _in_a_loop_of_its_own(scenario: Coroutine[Any, Any, None]) -> None:
    """Run it in a thread: the browser of this package's other tests has this thread's loop."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, scenario).result()


async def _sell_out(database_url: str, folder: Path) -> None:
    async with (
        open_shop(database_url, folder, credits_=MilliCredits(PAID * PRICE + REMAINDER)) as shop,
        httpx.AsyncClient(base_url=shop.chat) as http,
    ):
        answer = await http.post("/login", data={"email": EMAIL, "password": WORDS})
        assert answer.status_code == 303
        cookie = "; ".join(f"{name}={value}" for name, value in http.cookies.items())
        async with _clients(list(_errands(shop, cookie))) as clients:
            rush = await _all_at_once(clients, WANTED)
            late = await _all_at_once(clients, 1)
        balance = (await http.get("/api/v1/balance")).json()
    told = _charges_told(rush)
    assert len(told) == PAID
    assert set(told.values()) == {PRICE}
    assert not _charges_told(late), "nothing is left, and each of the twenty is told so"
    assert {door for door, attempt in rush if _is_paid(attempt)} == set(CLIENTS)
    assert balance["available"] == REMAINDER / 1000
    await _compare_with_the_ledger(database_url, told)
    _compare_with_the_upstreams(shop, rush)
    verified = farebox("ledger", "verify", data_dir=shop.data_dir, settings=shop.settings)
    assert verified.returncode == 0, verified.stderr


def _errands(shop: Shop, cookie: str) -> Iterator[Errand]:
    """Twenty, for three doors."""
    tutor, songs = ({"Authorization": shop.bearers[slug]} for slug in ("tutor", "songs"))
    doors: tuple[tuple[Door, str, dict[str, str], dict[str, str]], ...] = (
        ("chat", "tutor", {"message": "What is 2 + 2?"}, {"Cookie": cookie}),
        ("ask", "/s/tutor/ask", {"message": "What is 2 + 3?"}, tutor),
        ("call", "/s/songs/query", {"query": "rain"}, songs),
    )
    for door, path, body, headers in doors:
        for number in range(CLIENTS[door]):
            yield Errand(
                door=door,
                addresses=(shop.chat, shop.proxy),
                path=path,
                body=body,
                headers=headers,
                is_doubled=number % DOUBLED == 0,
            )


def _is_paid(attempt: Attempt) -> bool:
    return any(one.is_delivered for one in attempt)


def _charges_told(attempts: list[tuple[str, Attempt]]) -> dict[str, int]:
    """By receipt, what clients were told that they paid; all else was refused for credits."""
    charges: dict[str, int] = {}
    for door, attempt in attempts:
        paid = {(one.receipt, one.charged) for one in attempt if one.is_delivered}
        refusals = {one.refusal for one in attempt if not one.is_delivered}
        if not paid:
            assert all(_is_out_of_credits(door, refusal) for refusal in refusals), attempt
            continue
        assert len(paid) == 1, f"one delivery was charged twice: {attempt}"
        [(receipt, charged)] = paid
        assert refusals <= BEFORE, attempt
        assert receipt is not None
        assert receipt not in charges, "a receipt is for one delivery"
        charges[receipt] = charged
    return charges


def _is_out_of_credits(door: str, refusal: str) -> bool:
    if door != "chat":
        return refusal == OUT_OF_CREDITS
    return " credits left for Tutor; this needs 1.5. Your message is kept." in refusal


async def _compare_with_the_ledger(database_url: str, told: dict[str, int]) -> None:
    database = Database.open(database_url)
    try:
        await verify_ledger(database)
        wallet, holds = await database.read(_books)
    finally:
        await database.close()
    assert {hold.public_id: hold.captured for hold in holds if hold.state == "captured"} == told
    assert {hold.state for hold in holds} == {"captured"}, "nothing failed, so nothing was let go"
    assert (wallet.debits, wallet.held) == (PAID * PRICE, 0)
    assert wallet.credits - wallet.debits == REMAINDER


def _books(session: Session) -> tuple[Wallet, list[Hold]]:
    return session.exec(select(Wallet)).one(), list(session.exec(select(Hold)))


def _compare_with_the_upstreams(shop: Shop, rush: list[tuple[str, Attempt]]) -> None:
    """Whoever was refused never reached the upstream, and whoever repeated reached it once."""
    delivered = [door for door, attempt in rush if _is_paid(attempt)]
    assert len(shop.song_calls) == delivered.count("call")
    questions = [
        item
        for path in shop.conversations.glob("*.json")
        for item in json.loads(path.read_text())["items"]
        if item.get("role") == "user"
    ]
    assert len(questions) == len(delivered) - delivered.count("call")


@dataclass(frozen=True, slots=True)
class _Client:
    """One of the twenty."""

    door: str
    process: asyncio.subprocess.Process

    async def hear(self) -> str:
        """The next line it prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE_S):
            line = await self.process.stdout.readline()
        assert line, f"a client at the door {self.door} ended: its errors are above"
        return line.decode().strip()

    def say(self, line: str) -> None:
        """Give it a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())


@asynccontextmanager
async def _clients(errands: list[Errand]) -> AsyncIterator[list[_Client]]:
    """One process for each errand, all of them ready to call."""
    clients: list[_Client] = []
    try:
        for errand in errands:
            clients.append(await _started(errand))  # noqa: PERF401 - those begun are ended below
        for client in clients:
            assert await client.hear() == READY
        yield clients
        for client in clients:
            assert client.process.stdin is not None
            client.process.stdin.close()
        assert {await client.process.wait() for client in clients} == {0}
    finally:
        for client in clients:
            if client.process.returncode is None:
                client.process.kill()
                await client.process.wait()


async def _started(errand: Errand) -> _Client:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.acceptance.client",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment({}),
        cwd=ROOT,
    )
    client = _Client(errand.door, process)
    client.say(json.dumps(asdict(errand)))
    return client


async def _all_at_once(clients: list[_Client], number: int) -> list[tuple[str, Attempt]]:
    """Let each try for so many deliveries; returns what each was told, with its door."""
    for client in clients:
        client.say(str(number))
    return [
        (client.door, attempt)
        for client in clients
        for attempt in attempts_in(await client.hear())
    ]
