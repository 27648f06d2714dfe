"""How much each benchmark does: as little as proves that it runs, a look, a figure to quote."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The size of a run."""

    rounds: int
    """How often everybody has a turn; a ratio is the median over rounds."""
    threads: int
    """Conversations that one person has."""
    messages: int
    """In each of them."""
    long_thread: int
    """Messages in the conversation that is opened."""
    views: int
    """Page views in one turn."""
    chats: int
    """How many are connected and idle."""


SMALLEST: Final = Sizes(rounds=1, threads=3, messages=4, long_thread=6, views=1, chats=3)
QUICK: Final = Sizes(rounds=5, threads=500, messages=20, long_thread=200, views=5, chats=100)
FULL: Final = Sizes(rounds=15, threads=500, messages=20, long_thread=200, views=20, chats=300)
