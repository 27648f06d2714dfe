"""What the setup bot remembers of an offering being described, as plain values.

A draft is three things: *answers* (what will be published), a *place* (which question is open and
what hangs in the air there) and its identity. Only the answers make up the review version, so
moving about changes nothing, and any changed answer asks for a fresh look before publishing. No
database and no words people read: those are `host.drafts.drafts` and
`chat_ui.setup_bot.questions`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Final

from storage.credits import MilliCredits
from storage.moments import Micros

NO_CREDITS: Final = MilliCredits(0)


class DraftLife(StrEnum):
    """open → PUBLISHED, DISCARDED or EXPIRED."""

    OPEN = "open"
    PUBLISHED = "published"
    DISCARDED = "discarded"
    EXPIRED = "expired"


class Question(StrEnum):
    """Where in the dialogue a draft is: the fields in order, a small aside, then the review."""

    TITLE = "title"
    DESCRIPTION = "description"
    MODEL = "model"
    INSTRUCTIONS = "instructions"
    KEY = "key"
    PRICE = "price"
    PLAN = "plan"
    PLAN_TITLE = "plan_title"
    PLAN_PRICE = "plan_price"
    PLAN_GIVES = "plan_gives"
    REVIEW = "review"


FIELDS: Final = (
    Question.TITLE,
    Question.DESCRIPTION,
    Question.MODEL,
    Question.INSTRUCTIONS,
    Question.KEY,
    Question.PRICE,
    Question.PLAN,
)
ASIDE: Final = (Question.PLAN_TITLE, Question.PLAN_PRICE, Question.PLAN_GIVES)
"""The nested dialogue that describes a new plan and returns to the assistant."""
STEPS: Final = len(FIELDS) + 2
"""The fields, then a test, then publishing."""


class Pending(StrEnum):
    """A question about the draft itself that must be answered first."""

    CANCEL = "cancel"
    START_OVER = "start_over"


class KeyCheckResult(StrEnum):
    """What the upstream said when the key was tried once."""

    VALID = "valid"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNote:
    """What may be known about a sealed key; never the key."""

    secret_id: str
    last4: str
    added_at: Micros
    base_url: str
    """The upstream it was checked against, and the only one it is ever sent to."""
    verdict: KeyCheckResult
    is_accepted: bool = False
    """The builder chose to keep it although it could not be checked."""

    @property
    def is_usable(self) -> bool:
        """Whether the dialogue may go on with it."""
        return self.verdict is KeyCheckResult.VALID or self.is_accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """A plan being described; it is made when the draft is published."""

    title: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    credits: MilliCredits = NO_CREDITS
    duration_s: int | None = None
    """How long the credits, or the access, last; None never ends."""

    @property
    def is_complete(self) -> bool:
        """Whether it has a title, a price and something to give."""
        return bool(self.title) and self.price_minor is not None and self.gives_something

    @property
    def gives_something(self) -> bool:
        """Whether it has been said what buyers get."""
        return self.credits > 0 or self.duration_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What will be published."""

    title: str | None = None
    description: str | None = None
    model: str | None = None
    instructions: str | None = None
    key: KeyNote | None = None
    price: MilliCredits | None = None
    plan_slug: str | None = None
    new_plan: NewPlan | None = None

    def has(self, question: Question) -> bool:
        """Whether the field has been answered well enough to publish."""
        match question:
            case Question.KEY:
                return self.key is not None and self.key.is_usable
            case Question.PRICE:
                return self.price is not None
            case Question.PLAN:
                return self.plan_slug is not None or bool(
                    self.new_plan and self.new_plan.is_complete
                )
            case Question.TITLE | Question.DESCRIPTION | Question.MODEL | Question.INSTRUCTIONS:
                return getattr(self, question.value) is not None
            case _:
                return False

    @property
    def missing(self) -> tuple[Question, ...]:
        """The fields still to be answered, in order."""
        return tuple(question for question in FIELDS if not self.has(question))


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the dialogue stands."""

    at: Question = Question.TITLE
    return_to: Question | None = None
    """Where an edit that jumped here goes back to."""
    pending: Pending | None = None
    failures: int = 0
    """Answers to this question that were refused in a row."""
    is_tested: bool = False
    """Whether these very answers have answered a test message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftState:
    """One draft as it was last saved."""

    draft_id: str
    version: int = 0
    """Advances with every save; 0 is a draft that nobody has written to yet."""
    life: DraftLife = DraftLife.OPEN
    offering_slug: str | None = None
    answers: Answers = field(default_factory=Answers)
    place: Place = field(default_factory=Place)

    @property
    def review_version(self) -> str:
        """A fingerprint of the answers: what a review showed, a publish must still find."""
        text = json.dumps(asdict(self.answers), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def done(self) -> int:
        """How many of the steps are behind this draft."""
        if self.life is DraftLife.PUBLISHED:
            return STEPS
        return len(FIELDS) - len(self.answers.missing) + int(self.place.is_tested)

    def answered(self, answers: Answers) -> "DraftState":
        """This draft with other answers; what was tested were the old ones."""
        is_tested = self.place.is_tested and answers == self.answers
        return replace(self, answers=answers, place=replace(self.place, is_tested=is_tested))

    def moved(self, at: Question, *, return_to: Question | None = None) -> "DraftState":
        """This draft with another question open and nothing hanging in the air."""
        place = replace(self.place, at=at, return_to=return_to, pending=None, failures=0)
        return replace(self, place=place)
