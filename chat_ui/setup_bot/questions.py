"""What the setup bot asks, and what it says about each question: words only, no decisions.

Every question has one example and one constraint, a reason for `why?` and a longer explanation for
`help`. `chat_ui.setup_bot.interview` puts them together.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from chat_ui.setup_bot.amounts import PRICE_RULE
from chat_ui.setup_bot.endpoints import RULE as ENDPOINTS_RULE
from host.catalogue import offering_fields
from host.drafts.state import ASIDE, Answers, DraftState, Kind, Question


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
    Question.KIND: Wording(
        label="Kind",
        asks="What do you want to put on sale: an assistant that people chat with, or a service"
        " that programs call?",
        example="an assistant",
        rule="`an assistant`, or `a service` (an HTTP API, such as a plugin)",
        why="They are asked about differently: an assistant is a model with your instructions, a"
        " service is an API that runs already.",
        help="An assistant answers in the chat here, with your key. A service stays where it is;"
        " calls of it go through a Proxy URL that counts them.",
    ),
    Question.DOCUMENT: Wording(
        label="Document",
        asks="Where is the OpenAPI document of your service?",
        example="https://api.example.com/openapi.json",
        rule="its address, or the document itself pasted here: OpenAPI 3.0 or 3.1, JSON or YAML",
        why="It says which calls there are, so that you need not type them, and what they do.",
        help="Most frameworks serve it at `/openapi.json`. It is read once; what deletes or writes"
        " is off until you turn it on.",
    ),
    Question.ENDPOINTS: Wording(
        label="Operations",
        asks="Are these the operations to sell?",
        example="remove 2",
        rule=ENDPOINTS_RULE,
        why="Only what is on can be called through the proxy, and an open one costs nothing.",
        help="What deletes or writes is off at first, because whoever buys the plan could use it."
        " Open is for what must be read before there is a token, such as `/.well-known/`.",
    ),
    Question.UPSTREAM: Wording(
        label="Address",
        asks="Where is the service? Its document does not say.",
        example="https://api.example.com",
        rule="`https://` and a public host, without a path",
        why="Calls that were paid for are forwarded there.",
        help="Scheme and host only; paths belong to the operations. Changing it forgets the"
        " credential, which was for the old address.",
    ),
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
    Question.TAGS: Wording(
        label="Tags",
        asks="Under which tags may people find it?",
        example="maths, school",
        rule=f"at most {offering_fields.TAGS_MAX}, divided by commas; optional",
        why="The catalogue can be narrowed by them.",
        help="A few words that somebody might look for. `skip` leaves them out.",
    ),
    Question.STARTERS: Wording(
        label="Starters",
        asks="Which questions should an empty conversation offer?",
        example="What is a prime number?",
        rule=f"at most {offering_fields.STARTERS_MAX}, one on each line; optional",
        why="People who see what can be asked begin sooner.",
        help="Short questions that show it at its best. `skip` leaves them out.",
    ),
    Question.FILES: Wording(
        label="Files",
        asks="May people send it files?",
        example="images",
        rule="`none`, `images`, `documents` or `images and documents`; optional",
        why="Pictures and documents make a message larger, and you pay the upstream for it.",
        help="They are sent with the message, as far as the model can read them. `skip` means"
        " none.",
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
        rule="one or more of your plans, by number or title, as in `1 and 2`; or `create one`",
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
        rule="an amount with its currency, `free`, or `trial`",
        why="It is the money one purchase takes.",
        help="Write it like `5 USD` or `9.50 EUR`. What is `free` or a `trial` is got once by each"
        " person; a trial is offered to whoever wants to try before buying.",
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


SERVICE_WORDING: Final[Mapping[Question, Wording]] = {
    Question.TITLE: replace(
        WORDING[Question.TITLE],
        asks="What should your service be called?",
        example="Song Summarizer",
        why="It is the name that people see in the catalogue, and its address is made of it.",
    ),
    Question.DESCRIPTION: replace(
        WORDING[Question.DESCRIPTION], example="Summarizes songs, and finds them by their words."
    ),
    Question.KEY: Wording(
        label="Credential",
        asks="Does your service want a credential? Enter it in the form below, or say `skip`.",
        example="the bearer token that your service accepts",
        rule="typed into the form, never into the chat; sent as `Authorization: Bearer …`",
        why="Calls that were paid for carry it, so that your service knows they come from here."
        " Callers never see it.",
        help="The form sends it straight to the vault. Afterwards only its last four characters"
        " are shown. `skip` if your service needs none.",
    ),
    Question.PRICE: replace(
        WORDING[Question.PRICE],
        asks="How many credits does one call cost?",
        rule=PRICE_RULE.replace("per message", "per call"),
        why="Callers see it before they buy. A call that does not succeed costs them nothing.",
        help="With a price of 5, somebody with 100 credits can call 20 times. Single operations"
        " can cost something else: `change the operations`.",
    ),
    Question.REVIEW: replace(
        WORDING[Question.REVIEW],
        help="Say `test`, or `test: POST /query {…}` for a call of your own. Say `publish` when it"
        " is right, or change a field, as in `change the title to Song Finder`.",
    ),
}


def wording(question: Question, answers: Answers) -> Wording:
    """What is said about a question to whoever sells this kind of thing."""
    if answers.kind is Kind.SERVICE and question in SERVICE_WORDING:
        return SERVICE_WORDING[question]
    return WORDING[question]


def step_of(state: DraftState) -> str:
    """Where the open question stands: `Step 3 of 13`, `Step 11 of 13, part 2 of 3`."""
    fields, at = state.answers.fields, state.place.at
    if at in ASIDE:
        part = f"part {ASIDE.index(at) + 1} of {len(ASIDE)}"
        return f"Step {fields.index(Question.PLAN) + 1} of {state.steps}, {part}"
    number = fields.index(at) + 1 if at in fields else state.steps - 1
    return f"Step {number} of {state.steps}"
