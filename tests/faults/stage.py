"""What every fault test stands on, and what it looks at in the end."""

import random
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from storage.database import Database
from tests.builders import Shop, add_shop
from tests.databases import verify_ledger
from tests.faults.checking import Complaint, Found, Wrong, find, find_wrong
from tests.faults.journal import Call
from tests.profile import LONG

WALLETS: Final = 4
LINES_MAX: Final = 2_000 if LONG else 600
"""Of the journal, between one kill and the next."""


async def open_shops(address: str) -> list[Shop]:
    """A few wallets without credits. The database is closed again: the worker writes alone."""
    database = Database.open(address)
    shops = [await database.run(add_shop) for _ in range(WALLETS)]
    await database.close()
    return shops


async def find_effects(address: str) -> Found:
    """Everything in the ledger, after checking that it adds up and that its chain verifies."""
    database = Database.open(address)
    try:
        await verify_ledger(database)
        return await database.read(find)
    finally:
        await database.close()


async def find_complaints(
    address: str, calls: Sequence[Call], shops: Sequence[Shop]
) -> list[Complaint]:
    """What does not fit, when nobody works any more."""
    return find_wrong(calls, await find_effects(address), shops)


def figures(calls: Sequence[Call], complaints: Sequence[Complaint]) -> str:
    """What happened, in one line."""
    wrong = Counter(complaint.wrong for complaint in complaints)
    answers = [answer for call in calls for _, answer in call.answers]
    applied = [
        answer for answer in answers if answer.is_new is False or answer.kind == "HoldReplayed"
    ]
    return (
        f"{len(answers)} answers ({Counter(answer.kind for answer in answers)}), "
        f"{sum(len(call.tries_ns) - 1 for call in calls)} retries of which at least "
        f"{len(applied)} had been applied, {wrong[Wrong.LOST]} lost, {wrong[Wrong.TWICE]} twice, "
        f"{wrong[Wrong.OUT_OF_ORDER]} out of order, {wrong[Wrong.DIFFERENT]} unlike the model"
    )


def report(line: str) -> None:
    """Shown by `pytest -s` and for a test that fails."""
    sys.stdout.write(f"\n{line}\n")


def some_lines(dice: random.Random) -> int:
    """How far to let them come: often only just back at work, at times well into it."""
    return int(LINES_MAX * dice.random() ** 2)
