"""What the setup bot remembers of an offering being described, as plain values.

A draft is three things: *answers* (what will be published), a *place* (which question is open and
what hangs in the air there) and its identity. Only the answers make up the review version, so
moving about changes nothing, and any changed answer asks for a fresh look before publishing. No
database and no words people read: those are `host.drafts.drafts` and
`chat_ui.setup_bot.questions`.
"""

import hashlib
import json
from collections.abc import Mapping
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


class Kind(StrEnum):
    """What is put on sale."""

    ASSISTANT = "assistant"
    SERVICE = "service"

    @property
    def article(self) -> str:
        """`an` assistant, `a` service."""
        return "an" if self is Kind.ASSISTANT else "a"


class Question(StrEnum):
    """Where in the dialogue a draft is: a field, a part of a small aside, or the review."""

    KIND = "kind"
    DOCUMENT = "document"
    ENDPOINTS = "endpoints"
    UPSTREAM = "upstream"
    TITLE = "title"
    DESCRIPTION = "description"
    TAGS = "tags"
    MODEL = "model"
    INSTRUCTIONS = "instructions"
    KEY = "key"
    STARTERS = "starters"
    FILES = "files"
    PRICE = "price"
    PLAN = "plan"
    PLAN_TITLE = "plan_title"
    PLAN_PRICE = "plan_price"
    PLAN_GIVES = "plan_gives"
    REVIEW = "review"


FIELDS: Final[Mapping[Kind, tuple[Question, ...]]] = {
    Kind.ASSISTANT: (
        Question.KIND,
        Question.TITLE,
        Question.DESCRIPTION,
        Question.TAGS,
        Question.MODEL,
        Question.INSTRUCTIONS,
        Question.KEY,
        Question.STARTERS,
        Question.FILES,
        Question.PRICE,
        Question.PLAN,
    ),
    Kind.SERVICE: (
        Question.KIND,
        Question.DOCUMENT,
        Question.ENDPOINTS,
        Question.UPSTREAM,
        Question.TITLE,
        Question.DESCRIPTION,
        Question.TAGS,
        Question.KEY,
        Question.PRICE,
        Question.PLAN,
    ),
}
"""What is asked about each kind, in order."""
OPTIONAL: Final[Mapping[Kind, frozenset[Question]]] = {
    Kind.ASSISTANT: frozenset({Question.TAGS, Question.STARTERS, Question.FILES}),
    Kind.SERVICE: frozenset({Question.TAGS, Question.KEY}),
}
"""What may be skipped: a service may need no credential."""
ASIDE: Final = (Question.PLAN_TITLE, Question.PLAN_PRICE, Question.PLAN_GIVES)
"""The nested dialogue that describes a new plan and returns to the offering."""


class Pending(StrEnum):
    """A question about the draft itself that must be answered first."""

    CANCEL = "cancel"
    START_OVER = "start_over"


class KeyCheckResult(StrEnum):
    """What the upstream said when the key was tried once."""

    VALID = "valid"
    REJECTED = "rejected"
    UNREACHABLE = "unreachable"
    UNTRIED = "untried"
    """There is no call that every service takes; the test before publishing shows it."""


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
        is_known = self.verdict in {KeyCheckResult.VALID, KeyCheckResult.UNTRIED}
        return is_known or self.is_accepted


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlan:
    """A plan being described; it is made when the draft is published."""

    title: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    credits: MilliCredits = NO_CREDITS
    duration_s: int | None = None
    """How long the credits, or the access, last; None never ends."""
    is_trial: bool = False
    """Free, and once for each person."""

    @property
    def is_complete(self) -> bool:
        """Whether it has a title, a price and something to give."""
        return bool(self.title) and self.price_minor is not None and self.gives_something

    @property
    def gives_something(self) -> bool:
        """Whether it has been said what buyers get."""
        return self.credits > 0 or self.duration_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointNote:
    """One operation of a service's document, and what its builder wants of it."""

    method: str
    path: str
    summary: str
    risk: str
    """What a caller could do with it, in a word (`host.catalogue.openapi.Risk`)."""
    is_on: bool
    is_open: bool = False
    price: MilliCredits | None = None
    """Where it differs from the service's."""

    @property
    def name(self) -> str:
        """As people name it: `POST /upsert`."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What will be published."""

    kind: Kind | None = None
    endpoints: tuple[EndpointNote, ...] = ()
    are_endpoints_agreed: bool = False
    """Whether the builder has looked at them and said that they are right."""
    upstream_url: str | None = None
    """Where a service is."""
    title: str | None = None
    description: str | None = None
    tags: tuple[str, ...] | None = None
    model: str | None = None
    instructions: str | None = None
    key: KeyNote | None = None
    starters: tuple[str, ...] | None = None
    files: str | None = None
    """Which files may be sent to an assistant."""
    price: MilliCredits | None = None
    plan_slugs: tuple[str, ...] = ()
    """The plans it is sold on, but for one that is still to be made."""
    new_plan: NewPlan | None = None
    skipped: frozenset[Question] = frozenset()
    """Optional fields that the builder wants to leave out."""

    @property
    def fields(self) -> tuple[Question, ...]:
        """What is asked, in order."""
        return FIELDS[self.kind or Kind.ASSISTANT]

    def is_optional(self, question: Question) -> bool:
        """Whether the field may be left out."""
        return question in OPTIONAL[self.kind or Kind.ASSISTANT]

    def has(self, question: Question) -> bool:
        """Whether the field has been answered well enough to publish."""
        match question:
            case Question.KEY:
                return self.key is not None and self.key.is_usable
            case Question.PLAN:
                is_new = self.new_plan is not None and self.new_plan.is_complete
                return bool(self.plan_slugs) or is_new
            case Question.DOCUMENT:
                return bool(self.endpoints)
            case Question.ENDPOINTS:
                return self.are_endpoints_agreed and any(one.is_on for one in self.endpoints)
            case Question.UPSTREAM:
                return self.upstream_url is not None
            case _:
                return getattr(self, question.value, None) is not None

    @property
    def missing(self) -> tuple[Question, ...]:
        """The fields without which it cannot be published, in order."""
        return tuple(one for one in self.to_ask if not self.is_optional(one))

    @property
    def to_ask(self) -> tuple[Question, ...]:
        """The fields still to be asked, in order: also those that may then be skipped."""
        return tuple(
            question
            for question in self.fields
            if not self.has(question)
            and not (self.is_optional(question) and question in self.skipped)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the dialogue stands."""

    at: Question = Question.KIND
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
        text = json.dumps(asdict(self.answers), sort_keys=True, default=sorted)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def done(self) -> int:
        """How many of the steps are behind this draft."""
        if self.life is DraftLife.PUBLISHED:
            return self.steps
        asked = len(self.answers.fields) - len(self.answers.to_ask)
        return asked + int(self.place.is_tested)

    @property
    def steps(self) -> int:
        """How many there are: the fields, then a test, then publishing."""
        return len(self.answers.fields) + 2

    def answered(self, answers: Answers) -> "DraftState":
        """This draft with other answers; what was tested were the old ones."""
        is_tested = self.place.is_tested and answers == self.answers
        return replace(self, answers=answers, place=replace(self.place, is_tested=is_tested))

    def moved(self, at: Question, *, return_to: Question | None = None) -> "DraftState":
        """This draft with another question open and nothing hanging in the air."""
        place = replace(self.place, at=at, return_to=return_to, pending=None, failures=0)
        return replace(self, place=place)
