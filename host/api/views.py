"""What all of the API's shapes share: they are frozen, and write amounts and moments in one way.

Credits are decimal numbers of credits, moments are ISO 8601 in UTC, and what never ends is null.
Which view is made when, and for whom, is `host.api.routes`'s.
"""

from datetime import datetime
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from storage.moments import NEVER, Micros, to_datetime

Credits: TypeAlias = int | float


class View(BaseModel):
    """What is answered."""

    model_config = ConfigDict(frozen=True)


class Body(BaseModel):
    """What is asked for."""

    # A field that is not understood is an error: it was meant to do something.
    model_config = ConfigDict(frozen=True, extra="forbid")


def moment_or_none(moment: Micros | None) -> datetime | None:
    """A moment; none for what has not come, and for what never does."""
    return None if moment is None or moment >= NEVER else to_datetime(moment)
