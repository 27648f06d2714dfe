"""A clock that only the test moves."""

from typing import Final

from storage.moments import Micros

START: Final = Micros(1_795_000_000_000_000)
"""18 November 2026, some time in the morning."""


class ManualClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: Micros = START) -> None:
        self._now = now

    def now(self) -> Micros:
        return self._now

    def advance(self, by: int) -> Micros:
        """Let `by` microseconds pass; back, when negative. Returns the new time."""
        self._now = Micros(self._now + by)
        return self._now
