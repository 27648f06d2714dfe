"""An anchor kept outside shows what the ledger alone cannot: a past that was replaced whole."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from typer.testing import CliRunner, Result

from farebox.cli import app
from storage.addresses import driver_url
from storage.anchors import ANCHOR, BadAnchor, check_anchor, read_anchor, write_anchor
from storage.books import HoldOpened
from storage.chain import FIRST_HEAD, next_head
from storage.credits import MilliCredits
from storage.database import Database, Unit
from storage.invariants import CHAIN, NAMED, Violation, verify, violations_of
from storage.moments import NEVER, Micros
from tests.builders import Shop, add_shop, grant_of, hold_of
from tests.databases import Databases
from tests.fakes.clock import START
from tests.integration.test_books_holds import ending
from tests.integration.test_books_tampering import tamper

OF_A_WALLET: Final = ("credit_grant", "hold", "allocation", "entry")
"""What belongs to a wallet, each after what it refers to."""


SWAPPED: Final = ((1, 9), (2, 1), (9, 2))


class Ledger:
    """A database whose owner may do with it as he likes."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.shops: list[Shop] = []

    async def live(self) -> None:
        """Two wallets with some history, or more of it."""

        def work(unit: Unit) -> None:
            self.shops = self.shops or [add_shop(unit), add_shop(unit)]
            for shop in self.shops:
                unit.books.grant(grant_of(shop, 10_000))
                hold = unit.books.open_hold(hold_of(shop, 3_000))
                assert isinstance(hold, HoldOpened)
                unit.books.capture(ending(shop, hold.hold_id), MilliCredits(2_000))
                still_open = hold_of(shop, 1_000, expires_at=NEVER)
                assert isinstance(unit.books.open_hold(still_open), HoldOpened)

        await self._do(lambda database: database.run(work))

    async def anchored(self) -> BytesIO:
        """An anchor of the ledger as it is now."""
        file = BytesIO()
        await self._do(
            lambda database: database.read(lambda s: write_anchor(s, file, Micros(START)))
        )
        file.seek(0)
        return file

    async def violations(self, file: BytesIO | None = None) -> tuple[Violation, ...]:
        """What is found wrong, alone or against an anchor."""

        def work(session: Any) -> tuple[Violation, ...]:
            found = verify(session, Micros(0)).violations
            if file is None:
                return found
            return (*found, *check_anchor(session, read_anchor(file), file))

        found: tuple[Violation, ...] = await self._do(lambda database: database.read(work))
        return found

    def change(self, *statements: str) -> None:
        """Change rows past the guards."""
        tamper(self.address, *statements)

    def rehash(self, wallet_id: int) -> None:
        """Make the hashes of a wallet anew, as whoever knows how they are made can."""
        engine = create_engine(driver_url(self.address), poolclass=NullPool)
        with engine.begin() as connection:
            head, its = FIRST_HEAD, "SELECT * FROM entry WHERE wallet_id = :id ORDER BY seq"
            for entry in connection.execute(text(its), {"id": wallet_id}).all():
                head = next_head(head, entry[:-1])
                connection.execute(
                    text("UPDATE entry SET hash = :head WHERE wallet_id = :id AND seq = :seq"),
                    {"head": head, "id": wallet_id, "seq": entry.seq},
                )
            connection.execute(
                text("UPDATE wallet SET head = :head WHERE id = :id"),
                {"head": head, "id": wallet_id},
            )
        engine.dispose()

    async def _do(self, work: Any) -> Any:
        database = Database.open(self.address)
        try:
            return await work(database)
        finally:
            await database.close()


@pytest_asyncio.fixture
async def ledger(databases: Databases, database_kind: str) -> AsyncIterator[Ledger]:
    """A ledger with some history, and nobody verifying it afterwards."""
    with databases.fresh(database_kind) as address:
        made = Ledger(address)
        await made.live()
        yield made


def gone(wallet_id: int) -> list[str]:
    """Statements that leave nothing of a wallet's history."""
    its = f"WHERE wallet_id = {wallet_id}"
    return [f"DELETE FROM {table} {its}" for table in OF_A_WALLET[::-1]]  # noqa: S608 - our own names


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param(["UPDATE entry SET amount = amount + 1 WHERE seq = 1"], id="edited"),
        pytest.param(["DELETE FROM entry WHERE seq = 1"], id="deleted"),
        pytest.param(
            [f"UPDATE entry SET seq = {to} WHERE seq = {of}" for of, to in SWAPPED],  # noqa: S608 - numbers of ours
            id="reordered",
        ),
    ],
)
async def test_the_chain_alone_finds_an_entry_that_was(
    ledger: Ledger, statements: list[str]
) -> None:
    ledger.change(*statements)

    assert CHAIN in {violation.rule for violation in await ledger.violations()}


async def test_only_the_anchor_finds_a_tail_that_was_rewound(ledger: Ledger) -> None:
    tables = ("wallet", *OF_A_WALLET)
    copies = (f"CREATE TABLE old_{table} AS SELECT * FROM {table}" for table in tables)  # noqa: S608 - our own names
    ledger.change(*copies)
    await ledger.live()
    file = await ledger.anchored()
    put_back = [*gone(1), "DELETE FROM wallet WHERE id = 1"]
    put_back += ["INSERT INTO wallet SELECT * FROM old_wallet WHERE id = 1"]
    put_back += [
        f"INSERT INTO {table} SELECT * FROM old_{table} WHERE wallet_id = 1"  # noqa: S608 - our own names
        for table in OF_A_WALLET
    ]
    ledger.change(*put_back)

    assert await ledger.violations() == ()
    assert await ledger.violations(file) == (
        Violation(ANCHOR, "wallet 1 entry 4 is gone; the wallet ends at 2"),
    )


async def test_only_the_anchor_finds_a_history_with_fresh_hashes(ledger: Ledger) -> None:
    file = await ledger.anchored()
    head = json.loads(file.getvalue().splitlines()[1])["head"]
    ledger.change("UPDATE entry SET created_at = created_at + 1 WHERE wallet_id = 2 AND seq = 1")
    ledger.rehash(2)

    assert await ledger.violations() == ()
    assert await ledger.violations(file) == (
        Violation(ANCHOR, f"wallet 2 entry 2 has another hash; it was {head}"),
    )


async def test_only_the_anchor_finds_a_wallet_that_is_gone(ledger: Ledger) -> None:
    file = await ledger.anchored()
    ledger.change(*gone(2), "DELETE FROM wallet WHERE id = 2")

    assert await ledger.violations() == ()
    assert await ledger.violations(file) == (
        Violation(ANCHOR, "wallet 2 is gone; it had 2 entries"),
    )


async def test_what_is_newer_than_the_anchor_is_as_it_should_be(ledger: Ledger) -> None:
    file = await ledger.anchored()
    await ledger.live()
    ledger.shops = []
    await ledger.live()

    assert await ledger.violations(file) == ()


async def test_the_same_ledger_has_the_same_root_and_anybody_can_compute_it(
    ledger: Ledger,
) -> None:
    *listed, last = (await ledger.anchored()).getvalue().splitlines(keepends=True)

    assert read_anchor(await ledger.anchored()).root == json.loads(last)["root"]
    assert hashlib.sha256(b"".join(listed)).hexdigest() == json.loads(last)["root"]
    assert json.loads(last) | {"root": ""} == {"root": "", "at": START, "wallets": 2, "entries": 4}
    assert [list(json.loads(line)) for line in listed] == [["wallet", "seq", "head"]] * 2


async def test_the_anchor_of_another_installation_is_refused(
    ledger: Ledger, databases: Databases, database_kind: str
) -> None:
    file = await ledger.anchored()
    with databases.fresh(database_kind) as address:
        other = Ledger(address)
        await other.live()
        with pytest.raises(BadAnchor, match="another installation"):
            await other.violations(file)


WALLET: Final = b'{"wallet":1,"seq":0,"head":"%s"}\n' % (b"0" * 64)
ROOT: Final = hashlib.sha256(WALLET).hexdigest().encode()
LAST: Final = b'{"root":"%s","at":1,"wallets":1,"entries":0}\n' % ROOT


def test_an_anchor_of_a_wallet_without_entries_is_whole() -> None:
    assert read_anchor(BytesIO(WALLET + LAST)).root == ROOT.decode()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (WALLET.replace(b'seq":0', b'seq":1') + LAST, "was changed"),
        (WALLET + LAST.replace(ROOT, b"0" * 64), "was changed"),
        (WALLET + LAST.replace(b'entries":0', b'entries":2'), "was changed"),
        (LAST, "was changed"),
        (WALLET + WALLET + LAST, "line 2 of the anchor is out of order"),
        (WALLET, "its last line is missing"),
        (b"", "its last line is missing"),
        (WALLET + LAST[:-1], "line 2"),
        (WALLET + LAST + WALLET, "line 2"),
        (WALLET.replace(b"\n", b"\r\n") + LAST, "line 1"),
        (WALLET.replace(b":1", b": 1") + LAST, "line 1"),
        (WALLET.replace(b":0", b":9223372036854775808") + LAST, "line 1"),
        (bytes(1 << 20), "line 1"),
    ],
)
def test_a_file_that_is_no_whole_anchor_is_refused(content: bytes, told: str) -> None:
    with pytest.raises(BadAnchor, match=told):
        read_anchor(BytesIO(content))


def test_the_command_writes_a_private_file_once_and_prints_the_root(
    databases: Databases, tmp_path: Path
) -> None:
    anchor, elsewhere = tmp_path / "anchor", tmp_path / "nowhere" / "anchor"
    with databases.fresh("sqlite") as address:
        asyncio.run(Ledger(address).live())
        written = farebox(address, "ledger", "anchor", "--out", str(anchor))
        again = farebox(address, "ledger", "anchor", "--out", str(anchor))
        nowhere = farebox(address, "ledger", "anchor", "--out", str(elsewhere))
        listed = farebox(address, "ledger", "anchor")
        exported = farebox(address, "ledger", "export")

    assert (written.exit_code, again.exit_code, nowhere.exit_code) == (0, 1, 1)
    assert "exists" in again.stderr
    assert anchor.stat().st_mode & 0o777 == 0o600
    assert written.stdout.strip() == json.loads(anchor.read_bytes().splitlines()[-1])["root"]
    assert listed.stdout.splitlines()[:-1] == anchor.read_text().splitlines()[:-1]
    assert [json.loads(line)["seq"] for line in exported.stdout.splitlines()] == [1, 2, 1, 2]


def test_the_command_verifies_against_an_anchor(databases: Databases, tmp_path: Path) -> None:
    anchor, broken = tmp_path / "anchor", tmp_path / "broken"
    with databases.fresh("sqlite") as address:
        asyncio.run(Ledger(address).live())
        farebox(address, "ledger", "anchor", "--out", str(anchor))
        broken.write_bytes(anchor.read_bytes()[1:])
        sound = farebox(address, "ledger", "verify", "--against", str(anchor), "--json")
        refused = farebox(address, "ledger", "verify", "--against", str(broken))
        missing = farebox(address, "ledger", "verify", "--against", str(tmp_path / "none"))
        tamper(address, *gone(2), "DELETE FROM wallet WHERE id = 2")
        wrong = farebox(address, "ledger", "verify", "--against", str(anchor), "--json")

    assert (sound.exit_code, refused.exit_code, missing.exit_code) == (0, 1, 2)
    assert json.loads(sound.stdout) == {
        "ok": True,
        "wallets": 2,
        "entries": 4,
        "violations": [],
    }
    assert "line 1 is none of an anchor" in refused.stderr
    assert wrong.exit_code == 1
    assert json.loads(wrong.stdout)["ok"] is False
    assert [found["rule"] for found in json.loads(wrong.stdout)["violations"]] == [ANCHOR]


def test_a_rule_that_everything_breaks_is_told_in_a_bounded_list() -> None:
    found = list(violations_of("a rule", map(str, range(NAMED + 5))))

    assert [one.subject for one in found[-2:]] == [str(NAMED - 1), "and 5 more"]
    assert len(found) == NAMED + 1


def farebox(address: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, env={"FAREBOX_DATABASE_URL": address})
