"""The program that gets killed: clients of the real ledger that journal all they do.

`python -m tests.faults.worker` imports everything once and then bears *lives*: for each line on
its input, a `Life` as JSON, it forks a process with a group of its own and prints its id, so a new
life after a kill costs milliseconds and not a second of imports. `{"wait": id}` prints that
process's exit code once it has ended. No thread and no connection exists before the fork.
"""

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import text
from sqlmodel import Session

import storage.writer
from storage.books import Books, EndHold, GrantCredits, Granted, HoldAnswer, HoldEnded
from storage.credits import HoldClosedError, MilliCredits
from storage.database import Database
from storage.errors import LedgerBusy
from storage.ids import new_id
from storage.teller import UnitTeller
from tests.builders import PlanIds, Shop, grant_of, hold_of
from tests.fakes.clock import START
from tests.faults.journal import Answer, Ask, Call, Journal, Looked, Verb, read_calls

Result = TypeVar("Result")

LIFE_S_MAX: Final = 900
"""A life that hangs ends by itself, with a signal that no test expects."""
GRANTED_MAX: Final = 50_000
"""Somewhat less than is spent meanwhile, so that wallets are empty now and then."""
HELD_MAX: Final = 9_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What one process does until it is killed."""

    address: str
    journal: str
    process: str
    progress: int
    """A descriptor that gets one byte for each line of the journal."""
    shops: list[dict[str, Any]]
    clients: int
    seed: int
    steps: int
    """New operations of each client; then it finishes what it began."""
    reads_only: bool = False
    pragmas: Sequence[str] = ()
    """SQLite's, on the writer's connection after the product's own."""


class Client:
    """Asks for one thing after another, beginning with what its last life left unanswered."""

    def __init__(self, number: int, life: Life, last: Call | None) -> None:
        self.number = number
        self._life = life
        self._shops = {shop.wallet_id: shop for shop in map(shop_of, life.shops)}
        self._last = last
        self._left = life.steps
        self._random = random.Random(f"{life.seed} {life.process} {number}")

    async def run(self, database: Database, journal: Journal) -> None:
        """Until the steps are used up and nothing is left open."""
        while (ask := self._next()) is not None:
            journal.ask(self.number, ask)
            self._last = Call(self._life.process, self.number, ask)
            try:
                answer = Answer.of(await self._send(database, ask))
            except LedgerBusy:  # a dead neighbour's locks: nothing was written, so ask again
                continue
            except (LookupError, HoldClosedError) as error:
                # Its hold was answered and is gone, or is another's: for the checker to say.
                answer = Answer(kind=type(error).__name__, version=0)
            journal.answer(self.number, ask.key, answer)
            self._last.answers.append((0, answer))

    def _next(self) -> Ask | None:
        if self._last is not None:
            answer = self._last.answer
            if answer is None:
                return self._last.ask
            if answer.leaves_open:
                return self._end(self._last.ask, answer)
        if self._left <= 0:
            return None
        self._left -= 1
        return self._begin()

    def _begin(self) -> Ask:
        chance = 1.0 if self._life.reads_only else self._random.random()
        wallet_id = self._random.choice(list(self._shops))
        if chance < 0.06:
            amount, priority = self._random.randint(1, GRANTED_MAX), self._random.randrange(3)
            return _ask(Verb.GRANT, wallet_id, amount=amount, priority=priority)
        if chance < 0.9:
            return _ask(Verb.HOLD, wallet_id, amount=self._random.randint(1, HELD_MAX))
        return _ask(Verb.LOOK, wallet_id)

    def _end(self, opened: Ask, answer: Answer) -> Ask:
        assert answer.hold_id is not None
        if self._random.random() < 0.25:
            return _ask(Verb.RELEASE, opened.wallet_id, hold_id=answer.hold_id)
        used = self._random.choice(
            [0, opened.amount, opened.amount + 7, self._random.randint(1, opened.amount)]
        )
        return _ask(Verb.CAPTURE, opened.wallet_id, amount=used, hold_id=answer.hold_id)

    async def _send(
        self, database: Database, ask: Ask
    ) -> Granted | HoldAnswer | HoldEnded | Looked:
        if ask.verb is Verb.LOOK:
            return await database.read(partial(_look, ask.wallet_id))
        shop = self._shops[ask.wallet_id]
        if ask.verb is Verb.GRANT:
            return await database.run(lambda unit: unit.books.grant(grant_for(shop, ask)))
        # The ways that calls and messages take: the teller's batches, and units of work.
        teller = database.teller if self.number % 2 else UnitTeller(partial(_run_verb, database))
        end = EndHold(
            wallet_id=shop.wallet_id, hold_id=ask.hold_id, plan_ids=(shop.plan.plan_id,), now=START
        )
        match ask.verb:
            case Verb.HOLD:
                return await teller.open_hold(hold_of(shop, ask.amount, key=ask.key))
            case Verb.RELEASE:
                return await teller.release(end)
            case Verb.CAPTURE:
                return await teller.capture(end, MilliCredits(ask.amount))


def grant_for(shop: Shop, ask: Ask) -> GrantCredits:
    """The request that the ask stands for."""
    return grant_of(shop, ask.amount, source_ref=ask.key, priority=ask.priority)


def shop_of(values: dict[str, Any]) -> Shop:
    """A shop as it comes out of JSON."""
    return Shop(**values | {"plan": PlanIds(**values["plan"])})


def _ask(
    verb: Verb, wallet_id: int, *, amount: int = 0, hold_id: int = 0, priority: int = 0
) -> Ask:
    return Ask(
        key=new_id(),
        verb=verb,
        wallet_id=wallet_id,
        amount=amount,
        hold_id=hold_id,
        priority=priority,
    )


async def _run_verb(
    database: Database, verb: Callable[[Books], Result], *, must_land: bool
) -> Result:
    return await database.run(lambda unit: verb(unit.books), must_land=must_land)


def _look(wallet_id: int, session: Session) -> Looked:
    version, available = session.execute(
        text("SELECT version, credits - debits - held FROM wallet WHERE id = :id"),
        {"id": wallet_id},
    ).one()
    return Looked(version=version, available=available)


async def live(life: Life) -> None:
    """All clients at once, on one open database."""
    last = {call.client: call for call in read_calls(Path(life.journal), life.process)}
    journal = Journal(Path(life.journal), life.process, life.progress)
    database = Database.open(life.address)
    clients = [Client(number, life, last.get(number)) for number in range(life.clients)]
    async with asyncio.TaskGroup() as together:
        for client in clients:
            together.create_task(client.run(database, journal))
    await database.close()


def main() -> None:
    """Bear lives until the input ends. In the child: live, then leave."""
    for line in sys.stdin:
        command = json.loads(line)
        if "wait" in command:
            _, status = os.waitpid(command["wait"], 0)
            _tell(os.waitstatus_to_exitcode(status))
            continue
        child = os.fork()
        if child == 0:
            signal.alarm(LIFE_S_MAX)
            life = Life(**command)
            # Final for the program; this process lives one life, on a file of its own.
            storage.writer.PRAGMAS += tuple(life.pragmas)  # type: ignore[misc, assignment]
            asyncio.run(live(life))
            return
        os.setpgid(child, child)
        _tell(child)


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
