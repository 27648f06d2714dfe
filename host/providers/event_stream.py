"""Server-sent events out of bytes, however the bytes are cut. Pure.

The story: `LineDecoder` makes lines of pieces, `EventDecoder` makes events of lines. Of an event
only its data is kept, for what we read says in its data what it is; so comments, names, ids and
events without data come to nothing. What follows the last blank line is no event, as the standard
has it. An event has a greatest size, because what is not whole yet waits in memory.
"""

from collections.abc import Iterator
from typing import Final

from host.providers.base import FailureKind, UpstreamError

EVENT_MAX: Final = 32 * 1024 * 1024
"""In bytes. The last event of an answer repeats the answer, with the pictures made for it."""


class LineDecoder:
    """Makes lines of pieces. A line ends with CR, LF, or both, also when a cut is between them."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._skips_lf = False

    @property
    def rest_size(self) -> int:
        """How long the line is that has not ended yet."""
        return len(self._rest)

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that end in this piece, without their ends."""
        if not piece:
            return []
        if self._skips_lf:
            piece = piece.removeprefix(b"\n")
        # A line that ends with CR ends now: what is told live does not wait for what may be an LF.
        self._skips_lf = piece.endswith(b"\r")
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = piece.split(b"\n")
        if lines and self._rest:
            lines[0] = bytes(self._rest) + lines[0]
            self._rest.clear()
        self._rest += rest
        return lines


class EventDecoder:
    """Makes the data of events of pieces."""

    def __init__(self, *, event_max: int = EVENT_MAX) -> None:
        self._event_max = event_max
        self._lines = LineDecoder()
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The data of the events that end in this piece. To be read to its end.

        Raises:
            UpstreamError: an event, or a line, is longer than any may be.
        """
        for line in self._lines.feed(piece):
            if line:
                self._take(line)
            elif self._data:
                data = b"\n".join(self._data)
                self._data, self._size = [], 0
                yield data
        self._check(self._lines.rest_size)

    def _take(self, line: bytes) -> None:
        self._check(len(line))
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(line)

    def _check(self, more: int) -> None:
        if self._size + more > self._event_max:
            raise UpstreamError(FailureKind.GARBLED)
