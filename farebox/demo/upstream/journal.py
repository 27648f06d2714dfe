"""What was asked of this upstream, so that tests can say "called once" and "with her key".

A key appears only by its last four characters, which is what the product shows of it as well.
"""

from dataclasses import dataclass

SHOWN: int = 4


@dataclass(frozen=True, slots=True)
class Received:
    """One request."""

    method: str
    path: str
    key_ends: str | None


class Journal:
    """All requests, in the order they came."""

    def __init__(self) -> None:
        self.requests: list[Received] = []

    def note(self, method: str, path: str, key: str | None) -> None:
        """Write one down."""
        ends = None if key is None else key[-SHOWN:]
        self.requests.append(Received(method, path, ends))

    def count(self, method: str, path: str) -> int:
        """How often exactly this was asked."""
        return sum(r.method == method and r.path == path for r in self.requests)

    @property
    def answers_asked(self) -> int:
        """How often an answer was asked for: POST /v1/responses."""
        return self.count("POST", "/v1/responses")
