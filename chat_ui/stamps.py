"""Moments as Chainlit writes them: ISO 8601 with a Z."""

from datetime import datetime

from storage.moments import Micros, to_datetime, to_micros


def iso(moment: int) -> str:
    """A stored moment as text."""
    return to_datetime(Micros(moment)).isoformat().replace("+00:00", "Z")


def moment_of(text: str | None, default: Micros) -> Micros:
    """The moment that a text names; `default` if it names none."""
    if not text:
        return default
    try:
        return to_micros(datetime.fromisoformat(text))
    except ValueError:
        return default
