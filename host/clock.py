"""Time as an input: nothing below asks the machine for it."""

import time
from typing import Protocol

from storage.moments import Micros


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> Micros:
        """Microseconds since 1970, UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> Micros:
        """Microseconds since 1970, UTC."""
        return Micros(time.time_ns() // 1000)
