"""How much of what an order gave goes back when money goes back, decided without a database.

Refunds converge, they are not added up: what is told is how much has been given back *in all*, and
what is taken back follows from that alone. So an event that comes twice, late, or out of order
ends in the same place. What is spent stays spent: no balance goes below zero, and what cannot be
taken back any more is written off. What is held may come back, so it is *claimed*: the ledger
takes it when it does, and lets no other hold have it.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Refunding:
    """An order as refunds see it; `gives` and what is taken are milli-credits, or seconds."""

    gives: int
    amount_minor: int
    refunded_minor: int = 0
    taken_back: int = 0
    claimed: int = 0
    """What will be taken back of what is held, unless the work that holds it uses it."""

    def __post_init__(self) -> None:
        assert self.amount_minor > 0, "of nothing there is nothing to give back"
        assert 0 <= self.refunded_minor <= self.amount_minor

    @property
    def target(self) -> int:
        """What should be taken back in all: in proportion to the money, rounded down."""
        return self.gives * self.refunded_minor // self.amount_minor

    @property
    def still_to_take(self) -> int:
        """What should be taken back now, if it is there."""
        return max(0, self.target - self.taken_back)

    @property
    def unclaimed(self) -> int:
        """What of that is neither taken nor claimed yet."""
        return max(0, self.still_to_take - self.claimed)

    @property
    def is_all(self) -> bool:
        """Whether all of the money has been given back."""
        return self.refunded_minor == self.amount_minor

    def told(self, refunded_minor: int) -> "Refunding":
        """After hearing how much was refunded in all; less than is known is an old story."""
        return replace(self, refunded_minor=max(self.refunded_minor, refunded_minor))

    def took(self, amount: int) -> "Refunding":
        """After taking something back."""
        return replace(self, taken_back=self.taken_back + amount)


def take_from(unspent: tuple[int, ...], wanted: int) -> tuple[int, ...]:
    """How much to take from each of these, in their order, to make up `wanted` or come near."""
    taken: list[int] = []
    for here in unspent:
        part = min(here, wanted)
        taken.append(part)
        wanted -= part
    return tuple(taken)
