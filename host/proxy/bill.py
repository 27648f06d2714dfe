"""The end of one call's hold: started once, on time, and finished whatever happens around it.

What is due is decided by the answer (`host.proxy.calls`). A charge need not delay the last byte,
so it can be begun early and waited for at the end; a connection that breaks, or a server that is
stopped, cancels the waiting and not the writing. Whoever stops the server finds the writing that
is under way in a set and waits for that (`host.proxy.calls`).
"""

import asyncio
from typing import Final, TypeAlias

import structlog

from host.errors import LedgerUnavailable
from host.metering.meter import Meter
from host.metering.tabs import Tab
from host.proxy.answers import Charge
from storage.books import HoldEnded
from storage.credits import HoldClosedError

Ending: TypeAlias = asyncio.Task[HoldEnded | None]
"""The writing down of one call's end."""

log = structlog.get_logger(__name__)


class Bill:
    """What one call comes to. Without a tab the call is free for everyone."""

    def __init__(self, meter: Meter, tab: Tab | None, endings: set[Ending]) -> None:
        """`endings` holds the writing while it is under way, also when nobody waits for it."""
        self.is_due = False
        self._meter: Final = meter
        self._tab: Final = tab
        self._endings: Final = endings
        self._ending: Ending | None = None

    def begin(self) -> None:
        """Start writing down what is due now; what is decided later changes nothing."""
        if self._ending is None:
            self._ending = asyncio.create_task(self._write())
            self._endings.add(self._ending)
            self._ending.add_done_callback(self._endings.discard)

    async def end(self) -> None:
        """Wait until it is written down."""
        self.begin()
        assert self._ending is not None
        await asyncio.shield(self._ending)

    def charge(self) -> Charge | None:
        """What the headers say; of a charge that was begun it is known before it is written."""
        tab = self._tab
        if tab is None:
            return None
        if tab.is_free:
            return Charge(charged=0)
        if self.is_due and self._ending is None:  # perhaps, once the first byte has come
            return Charge(charged=None, receipt_id=tab.receipt_id)
        if self.is_due:
            return Charge(charged=tab.amount, remaining=tab.available, receipt_id=tab.receipt_id)
        ended = self._ending.result() if self._ending and self._ending.done() else None
        return Charge(charged=0, remaining=ended.available if ended else None)

    async def _write(self) -> HoldEnded | None:
        tab = self._tab
        if tab is None or tab.is_free:
            return None
        try:
            if self.is_due:
                return await self._meter.capture(tab, tab.amount)
            return await self._meter.release(tab)
        except (LedgerUnavailable, HoldClosedError) as error:
            # The answer is out or about to be; the sweeper ends the hold, and nobody is charged.
            log.warning("call.hold_left", receipt_id=tab.receipt_id, error=type(error).__name__)
            return None
        except Exception:
            # A fault of ours is for the log: it may not take the place of what the caller is told.
            log.exception("call.hold_left", receipt_id=tab.receipt_id)
            return None
