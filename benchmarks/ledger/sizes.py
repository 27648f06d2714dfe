"""How much each benchmark does: as little as proves that it runs, a look, a figure to quote."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The size of a run."""

    rounds: int
    """How often everybody has a turn; a ratio is the median over rounds."""
    turn_s: float
    callers: int
    """How many wait at a time where throughput is measured."""
    few_callers: int
    """How many where the time that one waits is measured."""
    wallets: int
    """How many wallets "many wallets" are."""
    histories: tuple[int, ...]
    """Entries that a ledger already has, smallest first, which is what the others stand beside."""
    audited: tuple[int, int]
    """Entries of the two ledgers that are verified and exported."""
    audits: tuple[str, ...]
    """The commands that are run over both, each in a process of its own."""
    written: int
    """Messages by the verbs themselves, to weigh what they leave on disk."""


SMALLEST: Final = Sizes(
    rounds=1,
    turn_s=0.05,
    callers=1,  # the default pattern lets others wait for five seconds
    few_callers=1,
    wallets=3,
    histories=(20, 60),
    audited=(20, 60),
    audits=("verify",),  # each is a process to start, and the tests of both are elsewhere
    written=20,
)
QUICK: Final = Sizes(
    rounds=3,
    turn_s=1.0,
    callers=64,
    few_callers=16,
    wallets=1_000,
    histories=(10_000, 100_000),
    audited=(20_000, 100_000),
    audits=("verify", "export"),
    written=10_000,
)
FULL: Final = Sizes(
    rounds=7,
    turn_s=3.0,
    callers=64,
    few_callers=16,
    wallets=1_000,
    histories=(10_000, 1_000_000, 10_000_000),
    audited=(20_000, 1_000_000),
    audits=("verify", "export"),
    written=50_000,
)
