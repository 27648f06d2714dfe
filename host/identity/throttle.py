"""How often somebody may try: counted in memory, over a sliding window, for a bounded crowd.

An attempt is counted *before* it is made, and given back when it turns out well: many tries sent
at once are all counted before any is answered.
"""

from collections import OrderedDict, deque
from typing import Final

from host.clock import Clock
from host.errors import RateLimited
from host.language import _, _n
from storage.moments import SECOND, Micros

KEYS_MAX: Final = 10_000
"""Names remembered; the ones not seen for longest are forgotten first."""


class Throttle:
    """Allows `most` attempts within `window_s` seconds for each key.

    `sentence` says what was too much, in English: it is said by `_` to whom it stops.
    """

    def __init__(self, clock: Clock, *, most: int, window_s: int, sentence: str) -> None:
        self._clock = clock
        self._most = most
        self._window = window_s * SECOND
        self._sentence = sentence
        self._attempts: OrderedDict[str, deque[Micros]] = OrderedDict()

    def spend(self, key: str) -> None:
        """Count an attempt.

        Raises:
            RateLimited: there were too many; says when the next one is welcome.
        """
        now = self._clock.now()
        attempts = self._attempts.setdefault(key, deque())
        self._attempts.move_to_end(key)
        if len(self._attempts) > KEYS_MAX:
            self._attempts.popitem(last=False)
        while attempts and attempts[0] <= now - self._window:
            attempts.popleft()
        if len(attempts) >= self._most:
            wait_s = -(-(attempts[0] + self._window - now) // SECOND)
            raise RateLimited(
                f"{_(self._sentence)} {_try_again_in(wait_s)}",
                headers={"Retry-After": str(wait_s)},
            )
        attempts.append(now)

    def give_back(self, key: str) -> None:
        """The last attempt turned out well: it does not count."""
        attempts = self._attempts.get(key)
        if attempts:
            attempts.pop()

    def forget(self, key: str) -> None:
        """Begin anew for this key."""
        self._attempts.pop(key, None)


def _try_again_in(seconds: int) -> str:
    minutes = -(-seconds // 60)
    return _n("Try again in a minute.", "Try again in {n} minutes.", minutes, n=minutes)
