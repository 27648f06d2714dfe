"""Many callers' verbs in one round trip to PostgreSQL, and one commit for them all.

A wallet's row can be locked by one transaction at a time, and each waits for its own commit to
reach the disk: one at a time, a hot wallet gets no more than one verb for each write of the disk.
So what is waiting for a wallet travels together. Every wallet belongs to one *lane*, a connection
with a thread of its own; what waits in a lane goes as one call of `ledger_batch`, which takes the
wallets in order of their ids, so that two processes cannot wait for each other.

If a batch is refused as a whole, because one of its items is nothing the database can hold or
somebody else keeps one of its wallets locked, nothing of it was written, and its items are sent
again one by one: that one alone is refused. If the connection is lost, nobody knows what was
written, and it is sent again over a new one: a capture twice is a capture once, and a hold that is
found under our own receipt id is the one we had sent.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import psycopg

from storage.addresses import PATIENCE
from storage.batches import Batches, Done
from storage.books import (
    EndHold,
    HoldAnswer,
    HoldEnded,
    HoldOpened,
    HoldReplayed,
    OpenHold,
)
from storage.books_postgres import hold_answer, hold_ended, refuse
from storage.credits import HoldClosedError, HoldEvent, HoldState, MilliCredits, next_state
from storage.driver_errors import is_read_only
from storage.errors import LedgerBusy, LedgerDown

LANES: Final = 2
LANE_BATCH_MAX: Final = 16
"""Verbs to a call: each leaves a dead version of the wallet's row for the next to walk past."""
LOCK_TIMEOUT_MS: Final = 2_000
"""How long a wallet that somebody else has locked is waited for: units of work are far shorter."""

_SET_UP: Final = (
    f"SET lock_timeout = {LOCK_TIMEOUT_MS}",
    # The functions lock before they read, whatever this database's default is.
    "SET default_transaction_isolation = 'read committed'",
)
_BATCH: Final = (
    "SELECT position, outcome, hold_id, public_id, run_id, state, amount, captured, shortfall,"
    " at_version, available, cap, spent, resets_at, is_operators FROM ledger_batch(%s::text[])"
)


@dataclass(frozen=True, slots=True)
class Ending:
    """A hold to be ended, how, and what was used."""

    request: EndHold
    event: HoldEvent
    used: MilliCredits


_Verb: TypeAlias = OpenHold | Ending


@dataclass(frozen=True, slots=True)
class _Sent:
    """A verb, and as what it travels: written by its caller, whose fault it is if it cannot be."""

    verb: _Verb
    item: str

    @property
    def wallet_id(self) -> int:
        """Whose wallet it is about."""
        verb = self.verb
        return verb.wallet_id if isinstance(verb, OpenHold) else verb.request.wallet_id


class PostgresTeller:
    """Serves many callers over a few connections."""

    def __init__(self, address: str, *, waiting_max: int) -> None:
        self._lanes = [_Lane(address, waiting_max=waiting_max // LANES) for _ in range(LANES)]

    async def open_hold(self, request: OpenHold) -> HoldAnswer:
        """Set credits aside."""
        lane = self._lanes[request.wallet_id % LANES]
        answer: HoldAnswer = await lane.batches.submit(_Sent(request, hold_item(request)))
        return answer

    async def capture(self, request: EndHold, used: MilliCredits) -> HoldEnded:
        """Charge what was used."""
        return await self._end(Ending(request, HoldEvent.CAPTURE, used))

    async def release(self, request: EndHold) -> HoldEnded:
        """Charge nothing."""
        return await self._end(Ending(request, HoldEvent.RELEASE, MilliCredits(0)))

    async def close(self) -> None:
        """Send what is queued and take no more, then close the connections."""
        await asyncio.gather(*(lane.close() for lane in self._lanes))

    async def _end(self, end: Ending) -> HoldEnded:
        lane = self._lanes[end.request.wallet_id % LANES]
        ended: HoldEnded = await lane.batches.submit(_Sent(end, end_item(end)), must_land=True)
        return ended


class _Lane:
    """One connection, and what waits for it."""

    def __init__(self, address: str, *, waiting_max: int) -> None:
        self._address = address
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self.batches: Batches[_Sent] = Batches(
            self._send, waiting_max=waiting_max, name="farebox-teller", batch_max=LANE_BATCH_MAX
        )

    async def close(self) -> None:
        """Send what is queued, then close the connection."""
        await self.batches.close(self._disconnect)

    def _send(self, batch: Sequence[_Sent], *, was_sent: bool = False) -> list[Done]:
        """In the lane's thread: all in one call, or each in its own if one of them spoils it.

        `was_sent`: an earlier call was never answered, so any of it may have been written.
        """
        try:
            dones = self._call(batch)
        except LedgerDown as error:
            return (
                [Done(error=error)] * len(batch) if was_sent else self._send(batch, was_sent=True)
            )
        except Exception as error:  # noqa: BLE001 - of this call nothing was written, whoever's fault
            if len(batch) == 1:
                return [Done(error=_unsure(error) if was_sent else error)]
            return self._send_each(batch, was_sent=was_sent)
        if not was_sent:
            return dones
        return [_own(sent.verb, done) for sent, done in zip(batch, dones, strict=True)]

    def _send_each(self, batch: Sequence[_Sent], *, was_sent: bool) -> list[Done]:
        """Each in its own call. Once one has waited for a locked wallet, others are told so."""
        dones: list[Done] = []
        locked: dict[int, Done] = {}
        for sent in batch:
            done = locked.get(sent.wallet_id)
            if done is None:
                done = self._send([sent], was_sent=was_sent)[0]
            if isinstance(done.error, (LedgerBusy, LedgerDown)):
                locked[sent.wallet_id] = done
            dones.append(done)
        return dones

    def _call(self, batch: Sequence[_Sent]) -> list[Done]:
        """One round trip.

        Raises:
            LedgerBusy: somebody else kept a wallet locked; nothing was written.
            LedgerDown: the connection was lost: whether anything was written is unknown.
            StatementBroke: one of them is nothing the database can hold; nothing was written.
        """
        items = [sent.item for sent in batch]
        try:
            rows = self._connected().execute(_BATCH, (items,)).fetchall()
        except psycopg.Error as error:
            if is_read_only(error):  # perhaps another server is the right one by now
                self._disconnect()
            if self._connection is not None and self._connection.closed:
                self._connection = None
            refuse(error)
        answers = {row[0]: row[1:] for row in rows}
        return [answer_of(sent.verb, answers.get(at)) for at, sent in enumerate(batch, start=1)]

    def _connected(self) -> "psycopg.Connection[tuple[Any, ...]]":
        if self._connection is None:
            connection = psycopg.connect(self._address, autocommit=True, **PATIENCE)
            for statement in _SET_UP:
                connection.execute(statement)
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()


def hold_item(request: OpenHold) -> str:
    """A hold to be opened, as `ledger_batch` reads it."""
    return json.dumps(
        {
            "wallet": request.wallet_id,
            "public": request.public_id,
            "operation": request.operation.value,
            "key": request.key,
            "print": request.fingerprint.hex(),
            "amount": request.amount,
            "plans": request.plan_ids,
            "owner": request.owner,
            "now": request.now,
            "expires": request.expires_at,
            "offering": request.offering_id,
            "run": request.run_id,
        }
    )


def end_item(end: Ending) -> str:
    """A hold to be ended, as `ledger_batch` reads it."""
    return json.dumps(
        {
            "wallet": end.request.wallet_id,
            "hold": end.request.hold_id,
            "plans": end.request.plan_ids,
            "now": end.request.now,
            "state": next_state(HoldState.OPEN, end.event).value,
            "amount": end.used,
        }
    )


def _unsure(error: Exception) -> Exception:
    """What an error means when an earlier call may have landed: "busy" promises that none has."""
    return LedgerDown(type(error).__name__) if isinstance(error, LedgerBusy) else error


def _own(verb: _Verb, done: Done) -> Done:
    """The answer to what may have been sent before: our own hold is opened, not replayed."""
    answer = done.result
    is_ours = (
        isinstance(verb, OpenHold)
        and isinstance(answer, HoldReplayed)
        and answer.public_id == verb.public_id
        and answer.state is HoldState.OPEN
    )
    if not is_ours:
        return done
    return Done(
        HoldOpened(
            hold_id=answer.hold_id,
            public_id=answer.public_id,
            version=answer.version,
            available=answer.available,
        )
    )


def answer_of(verb: _Verb, row: tuple[Any, ...] | None) -> Done:
    """The answer to a verb, or what it has to be refused with."""
    if row is None:
        return Done(error=LookupError("there is no such wallet, or no such hold in it"))
    outcome, hold_id, public_id, run_id, state, amount, captured, shortfall, version, *rest = row
    if isinstance(verb, OpenHold):
        return Done(
            hold_answer(
                (outcome, hold_id, public_id, run_id, state, amount, captured, version, *rest)
            )
        )
    try:
        return Done(
            hold_ended(
                (outcome, public_id, state, captured, shortfall, version, rest[0]), verb.event
            )
        )
    except HoldClosedError as error:
        return Done(error=error)
