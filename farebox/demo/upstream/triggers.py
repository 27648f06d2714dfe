"""What anyone can type to see this upstream show off or misbehave, as one table.

A trigger is the first word of a message; what follows it is answered where an answer is given.
Some have an answer of their own to look at, some refuse the request before a stream begins, the
others end the stream in an odd way. Those for people are named in the demo; the rest exist so
that tests can play every upstream the host must survive.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from farebox.demo.upstream import refusals, showpieces
from farebox.demo.upstream.refusals import Refusal
from farebox.demo.upstream.showpieces import Showpiece


class Ending(Enum):
    """How an answer ends on the wire."""

    COMPLETED = "response.completed, the only good one"
    REFUSED_TO_ANSWER = "response.completed, after a refusal in place of text"
    EMPTY = "response.completed, and no text"
    CUT_SHORT = "response.incomplete at the limit of output tokens"
    FAILED = "response.failed"
    ERROR_EVENT = "an `error` event with flat fields, then response.failed"
    NESTED_ERROR = "an `error` event with a nested object, which the SDK raises"
    NOVELTY = "an event type nobody knows, then response.completed"
    JUNK = "a line that is no JSON, then end of file"
    END_OF_FILE = "a clean end of file and no terminal event"
    TORN = "the connection breaks inside the body"
    JSON = "one JSON answer where a stream was asked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What one word does; `refuses` decides before the rest."""

    refuses: Callable[[], Refusal] | None = None
    ending: Ending = Ending.COMPLETED
    is_slow: bool = False
    is_long: bool = False
    has_text: bool = True
    shows: Showpiece | None = None


TO_LOOK_AT: Final[Mapping[str, Trigger]] = {
    "/table": Trigger(shows=showpieces.TABLE),
    "/code": Trigger(shows=showpieces.CODE),
    "/cite": Trigger(shows=showpieces.CITED),
    "/tool": Trigger(shows=showpieces.TOOLS),
    "/picture": Trigger(shows=showpieces.PICTURE),
    "/draw": Trigger(shows=showpieces.DRAWN),
}

FOR_PEOPLE: Final[Mapping[str, Trigger]] = {
    "/slow": Trigger(is_slow=True),
    "/long": Trigger(is_long=True),
    "/empty": Trigger(ending=Ending.EMPTY, has_text=False),
    "/error": Trigger(refuses=refusals.server_error),
    "/error-mid": Trigger(ending=Ending.FAILED),
    "/cut": Trigger(ending=Ending.END_OF_FILE),
    "/429": Trigger(refuses=refusals.too_fast),
    "/quota": Trigger(refuses=refusals.quota_used_up),
    "/401": Trigger(refuses=lambda: refusals.key_unknown("sk-revoked-0000000000000000")),
}

TRIGGERS: Final[Mapping[str, Trigger]] = {
    **TO_LOOK_AT,
    **FOR_PEOPLE,
    "/403": Trigger(refuses=refusals.not_allowed_there),
    "/404": Trigger(refuses=lambda: refusals.model_unknown("gpt-withdrawn")),
    "/503": Trigger(refuses=refusals.overloaded),
    "/locked": Trigger(refuses=refusals.conversation_locked),
    "/failed": Trigger(ending=Ending.FAILED, has_text=False),
    "/error-event": Trigger(ending=Ending.ERROR_EVENT),
    "/error-nested": Trigger(ending=Ending.NESTED_ERROR),
    "/junk": Trigger(ending=Ending.JUNK),
    "/reset": Trigger(ending=Ending.TORN),
    "/hangup": Trigger(ending=Ending.TORN, has_text=False),
    "/json": Trigger(ending=Ending.JSON),
    "/novelty": Trigger(ending=Ending.NOVELTY),
    "/incomplete": Trigger(ending=Ending.CUT_SHORT),
    "/draw-only": Trigger(shows=showpieces.DRAWN_ALONE, has_text=False),
    "/draw-and-cut": Trigger(shows=showpieces.DRAWN, ending=Ending.END_OF_FILE),
    "/refusal": Trigger(ending=Ending.REFUSED_TO_ANSWER),
}

NONE: Final = Trigger()


def split_trigger(message: str) -> tuple[Trigger, str]:
    """The trigger a message begins with, and the message without it."""
    first, _, rest = message.strip().partition(" ")
    trigger = TRIGGERS.get(first.lower())
    return (NONE, message.strip()) if trigger is None else (trigger, rest.strip())
