"""Where a run stands, in OpenAI's words; apart from the tables, so that rules can use them."""

from enum import StrEnum


class RunState(StrEnum):
    """The life of a run; the table of its steps is `host.runs.lifecycle`."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
