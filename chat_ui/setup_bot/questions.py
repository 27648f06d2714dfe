"""What the setup bot asks, and what it says about each question: words only, no decisions.

Every question has one example and one constraint, a reason for `why?` and a longer explanation for
`help`. `chat_ui.setup_bot.interview` puts them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from chat_ui.setup_bot.amounts import PRICE_RULE
from host.catalogue import offering_fields
from host.drafts.state import ASIDE, FIELDS, STEPS, Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What is said about one question."""

    label: str
    asks: str
    example: str
    rule: str
    why: str
    help: str


WORDING: Final[Mapping[Question, Wording]] = {
    Question.TITLE: Wording(
        label="Title",
        asks="What should your assistant be called?",
        example="Math Tutor",
        rule=f"{offering_fields.TITLE_MIN} to {offering_fields.TITLE_MAX} characters on one line",
        why="It is the name that subscribers pick in their chat, and its address is made of it.",
        help="A short name says what it is for. You can change it until you publish.",
    ),
    Question.DESCRIPTION: Wording(
        label="Description",
        asks="What does it do, in a sentence or two?",
        example="Explains algebra step by step, at the pace of whoever asks.",
        rule=f"1 to {offering_fields.DESCRIPTION_MAX} characters",
        why="It is what somebody reads before buying.",
        help="Say what it is good at and who it is for.",
    ),
    Question.MODEL: Wording(
        label="Model",
        asks="Which model answers?",
        example="gpt-6-luna",
        rule=f"a model's name at the upstream, at most {offering_fields.MODEL_MAX} characters,"
        " no spaces",
        why="Your key pays the upstream for this model; a larger one costs you more per message.",
        help="Choose one of the buttons, or type the name of any model that your key may use.",
    ),
    Question.INSTRUCTIONS: Wording(
        label="Instructions",
        asks="What should it know before every conversation?",
        example="You are a patient maths tutor. Explain every step and ask one question back.",
        rule=f"1 to {offering_fields.INSTRUCTIONS_MAX:,} characters, as many lines as you like",
        why="The instructions make it your assistant and not just a model. Subscribers do not see"
        " them.",
        help="Write as if briefing a colleague: its role, its tone, what it must not do.",
    ),
    Question.KEY: Wording(
        label="Key",
        asks="Which key should it use at the upstream? Enter it in the form below.",
        example="sk-…x9Qd",
        rule="typed into the form, never into the chat; checked once with a harmless call",
        why="Your assistant runs with your key, so the upstream bills you and you are paid in"
        " credits. Nobody can read it back, not even you.",
        help="The form sends the key straight to the vault. Afterwards only its last four"
        " characters are shown.",
    ),
    Question.PRICE: Wording(
        label="Price",
        asks="How many credits does one message cost?",
        example="5",
        rule=PRICE_RULE,
        why="Subscribers see it before they send. A message that fails costs them nothing.",
        help="With a price of 5, somebody with 100 credits can ask 20 times. `free` makes it 0.",
    ),
    Question.PLAN: Wording(
        label="Plan",
        asks="On which of your plans is it sold?",
        example="create one",
        rule="one of your plans, by its number or title, or `create one`",
        why="Subscribers buy plans; whoever holds this one may use the assistant.",
        help="A plan gives credits to spend, or time in which everything on it is included. You"
        " can make a new one right here.",
    ),
    Question.PLAN_TITLE: Wording(
        label="Plan title",
        asks="A new plan, then. What is it called?",
        example="Pack 100",
        rule=f"{offering_fields.TITLE_MIN} to {offering_fields.TITLE_MAX} characters on one line",
        why="It is the name people see when they buy.",
        help="Name what buyers get. Say `back` to choose one of your plans instead.",
    ),
    Question.PLAN_PRICE: Wording(
        label="Plan price",
        asks="What does the plan cost to buy?",
        example="5 USD",
        rule="an amount with its currency, or `free`",
        why="It is the money one purchase takes.",
        help="Write it like `5 USD`, `9.50 EUR` or `free`.",
    ),
    Question.PLAN_GIVES: Wording(
        label="Plan gives",
        asks="What do buyers get: credits, or time?",
        example="100 credits",
        rule="credits (`100 credits`, `100 credits for 30 days`) or time (`7 days`)",
        why="Credits are spent message by message; within a time everything is included.",
        help="Say the number together with the word: `100 credits` or `7 days`.",
    ),
    Question.REVIEW: Wording(
        label="Review",
        asks="Everything is there. Look it over, send a test message, then publish.",
        example="change the price to 4",
        rule="`test` is free and charges nobody; `publish` puts it on sale",
        why="Nothing is on sale before you publish it on this screen.",
        help="Say `test`, or `test: ` with a message of your own. Say `publish` when it is right,"
        " or change a field, as in `change the title to Algebra Coach`.",
    ),
}

COMMANDS_LINE: Final = "You can say back, review, help, cancel."
COMMANDS_HELP: Final = (
    "**back** asks the one before · **next** leaves this as it is · **review** shows everything ·"
    " **why?** says why it is asked · **change the title to …** sets any field ·"
    " **save and exit** · **start over** · **cancel**. Quotation marks make any text an answer:"
    ' `"help"`.'
)


def step_of(question: Question) -> str:
    """Where a question stands in the whole: `Step 3 of 9`, `Step 7 of 9, part 2 of 3`."""
    if question in FIELDS:
        return f"Step {FIELDS.index(question) + 1} of {STEPS}"
    if question in ASIDE:
        part = f"part {ASIDE.index(question) + 1} of {len(ASIDE)}"
        return f"Step {FIELDS.index(Question.PLAN) + 1} of {STEPS}, {part}"
    return f"Step {STEPS - 1} of {STEPS}"
