"""The setup bot understands its builders, and does nothing they did not ask for."""

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chat_ui.setup_bot.amounts import read_gives, read_money
from chat_ui.setup_bot.answers import Choices, PlanChoice, messages_for
from chat_ui.setup_bot.interview import (
    after_test,
    document_read,
    hear,
    key_entered,
    not_read,
)
from chat_ui.setup_bot.phrases import (
    Answer,
    Change,
    Command,
    Edit,
    Said,
    Told,
    UnknownCommand,
    read,
)
from chat_ui.setup_bot.prompts import Form, ask, greet
from chat_ui.setup_bot.questions import WORDING
from chat_ui.setup_bot.turns import Effect, Turn
from host.catalogue.currencies import Money
from host.drafts.state import (
    ASIDE,
    FIELDS,
    Answers,
    DraftLife,
    DraftState,
    KeyCheckResult,
    KeyNote,
    Kind,
    NewPlan,
    Pending,
    Place,
    Question,
)
from host.errors import InvalidInput
from host.redaction import STAND_IN
from storage.credits import MilliCredits
from storage.moments import DAY, SECOND
from tests.fakes.clock import START

CHOICES = Choices(
    models=("gpt-6-luna", "gpt-6-luna-mini"),
    plans=(
        PlanChoice("pack-100", "Pack 100", "5.00 USD · 100 credits"),
        PlanChoice("travel-pass", "Travel Pass", "9.00 USD · 7 days"),
    ),
)
KEY = KeyNote(
    secret_id="s-1",
    last4="x9Qd",
    added_at=START,
    base_url="https://upstream.example/v1",
    verdict=KeyCheckResult.VALID,
)
ASSISTANT = FIELDS[Kind.ASSISTANT]
FULL = Answers(
    kind=Kind.ASSISTANT,
    title="Math Tutor",
    description="Explains algebra.",
    tags=("maths",),
    model="gpt-6-luna",
    instructions="Be patient.",
    key=KEY,
    starters=("What is 2 + 2?",),
    files="none",
    price=MilliCredits(5_000),
    plan_slugs=("pack-100",),
)


def draft(answers: Answers = FULL, at: Question = Question.REVIEW, **place: object) -> DraftState:
    spot = replace(Place(at=at), **place)  # type: ignore[arg-type]
    return DraftState(draft_id="d-1", version=3, answers=answers, place=spot)


def say(state: DraftState, *texts: str) -> Turn:
    turn = Turn(state, ask(state, CHOICES))
    for text in texts:
        turn = hear(turn.state, text, CHOICES)
    return turn


def told(phrase: str, command: Command) -> tuple[str, Said]:
    return phrase, Told(command)


def sets(phrase: str, question: Question, value: str | None) -> tuple[str, Said]:
    return phrase, Edit((Change(question, value),))


def value(phrase: str, text: str | None = None) -> tuple[str, Said]:
    return phrase, Answer(phrase if text is None else text)


PHRASES: list[tuple[str, Said]] = [
    told("back", Command.BACK),
    told("Back", Command.BACK),
    told("  BACK  ", Command.BACK),
    told("go back", Command.BACK),
    told("Go Back please", Command.BACK),
    told("please go back", Command.BACK),
    told("go  back.", Command.BACK),
    told("previous", Command.BACK),
    told("undo", Command.BACK),
    told("/back", Command.BACK),
    told("/go-back", Command.BACK),
    told("next", Command.NEXT),
    told("keep it", Command.NEXT),
    told("continue", Command.NEXT),
    told("skip", Command.SKIP),
    told("/skip", Command.SKIP),
    told("help", Command.HELP),
    told("HELP!", Command.HELP),
    told("?", Command.HELP),
    told("/help", Command.HELP),
    told("help me, please", Command.HELP),
    told("why", Command.WHY),
    told("why?", Command.WHY),
    told("Why do you need this?", Command.WHY),
    told("review", Command.REVIEW),
    told("show me", Command.REVIEW),
    told("What did I enter?", Command.REVIEW),
    told("what did i enter", Command.REVIEW),
    told("/review", Command.REVIEW),
    told("cancel", Command.CANCEL),
    told("Cancel.", Command.CANCEL),
    told("/cancel", Command.CANCEL),
    told("quit", Command.CANCEL),
    told("discard", Command.DISCARD),
    told("save and exit", Command.LEAVE),
    told("Save & exit", Command.LEAVE),
    told("/save-and-exit", Command.LEAVE),
    told("start over", Command.START_OVER),
    told("restart", Command.START_OVER),
    told("save anyway", Command.SAVE_ANYWAY),
    told("test", Command.TEST),
    told("Test it", Command.TEST),
    ("test: What is 2+2?", Told(Command.TEST, "What is 2+2?")),
    ("/test what is 2+2?", Told(Command.TEST, "what is 2+2?")),
    told("publish", Command.PUBLISH),
    told("Publish it!", Command.PUBLISH),
    told("publish, please", Command.PUBLISH),
    told("/publish", Command.PUBLISH),
    told("new", Command.NEW),
    told("unpublish", Command.UNPUBLISH),
    told("take it off sale", Command.UNPUBLISH),
    told("republish", Command.REPUBLISH),
    told("One step back", Command.BACK),
    told("previous question", Command.BACK),
    told("Prevoius", Command.BACK),
    told("can you go back?", Command.BACK),
    told("could you please go back", Command.BACK),
    told("I'd like to go back", Command.BACK),
    told("ok, back", Command.BACK),
    told("let's go back", Command.BACK),
    told("undo that", Command.BACK),
    told("the one before", Command.BACK),
    told("I want to go back please", Command.BACK),
    told("next question", Command.NEXT),
    told("Carry on", Command.NEXT),
    told("ok next", Command.NEXT),
    told("go on, please", Command.NEXT),
    told("move on", Command.NEXT),
    told("leave it as it is", Command.NEXT),
    told("Contineu", Command.NEXT),
    told("can we continue?", Command.NEXT),
    told("/next", Command.NEXT),
    told("Skip it", Command.SKIP),
    told("skipp", Command.SKIP),
    told("leave it out", Command.SKIP),
    told("ok skip this one", Command.SKIP),
    told("Not needed", Command.SKIP),
    told("could we skip this?", Command.SKIP),
    told("pass, thanks", Command.SKIP),
    told("hlep", Command.HELP),
    told("I need help", Command.HELP),
    told("I'm stuck", Command.HELP),
    told("I am stuck!", Command.HELP),
    told("what should I enter?", Command.HELP),
    told("How does this work?", Command.HELP),
    told("What now?", Command.HELP),
    told("Can you help me?", Command.HELP),
    told("?? ", Command.HELP),
    told("commands", Command.HELP),
    told("What is this for?", Command.WHY),
    told("Why is this needed?", Command.WHY),
    told("why do I have to", Command.WHY),
    told("what for?", Command.WHY),
    told("/why", Command.WHY),
    told("ok, why?", Command.WHY),
    told("Show everything", Command.REVIEW),
    told("reveiw", Command.REVIEW),
    told("show my answers", Command.REVIEW),
    told("What do I have so far?", Command.REVIEW),
    told("overview", Command.REVIEW),
    told("can you show me everything please", Command.REVIEW),
    told("/show", Command.REVIEW),
    told("show me what I entered", Command.REVIEW),
    told("Could you show the draft?", Command.REVIEW),
    told("/what-did-i-enter", Command.REVIEW),
    told("cancle", Command.CANCEL),
    told("Never mind", Command.CANCEL),
    told("forget it", Command.CANCEL),
    told("stop it", Command.CANCEL),
    told("abort!", Command.CANCEL),
    told("I want to cancel", Command.CANCEL),
    told("ok cancel this", Command.CANCEL),
    told("save it", Command.LEAVE),
    told("Save for later", Command.LEAVE),
    told("finish later please", Command.LEAVE),
    told("exit", Command.LEAVE),
    told("I would like to finish later", Command.LEAVE),
    told("/save", Command.LEAVE),
    told("save and quit", Command.LEAVE),
    told("throw it away", Command.DISCARD),
    told("delete this draft", Command.DISCARD),
    told("/discard", Command.DISCARD),
    told("I want to discard it", Command.DISCARD),
    told("start from scratch", Command.START_OVER),
    told("Reset", Command.START_OVER),
    told("strat over", Command.START_OVER),
    told("let's start over", Command.START_OVER),
    told("can we start again?", Command.START_OVER),
    told("/start-over", Command.START_OVER),
    told("use it anyway", Command.SAVE_ANYWAY),
    told("/save-anyway", Command.SAVE_ANYWAY),
    told("keep the key please", Command.SAVE_ANYWAY),
    told("try it out", Command.TEST),
    told("can you test it?", Command.TEST),
    told("ok test", Command.TEST),
    told("run the test", Command.TEST),
    told("Send a test message, please", Command.TEST),
    told("I want to test it first", Command.TEST),
    told("publsih", Command.PUBLISH),
    told("go live!", Command.PUBLISH),
    told("Put it on sale", Command.PUBLISH),
    told("ok, publish it now", Command.PUBLISH),
    told("/go_live", Command.PUBLISH),
    told("publish this please", Command.PUBLISH),
    told("another one", Command.NEW),
    told("new service", Command.NEW),
    told("Create another", Command.NEW),
    told("/new", Command.NEW),
    told("can we start another?", Command.NEW),
    told("take it down", Command.UNPUBLISH),
    told("pause it", Command.UNPUBLISH),
    told("/unpublish", Command.UNPUBLISH),
    told("put it back on sale", Command.REPUBLISH),
    told("resume it", Command.REPUBLISH),
    told("sell it again please", Command.REPUBLISH),
    # what only begins like a command, or like an edit, is an answer
    value("Back Pain Helper"),
    value("The Help"),
    value("Why?! A philosophy tutor"),
    value("Review Coach"),
    value("Cancel Culture Explained"),
    value("Stop Smoking Coach"),
    value("Next Level Math"),
    value("Show me the money"),
    value("Skip the Queue"),
    value("Undo Depression"),
    value("New in Town"),
    value("Publish or Perish"),
    value("Restart your engine"),
    value("Save Our Seas"),
    value("Exit Interview Bot"),
    value("Test Prep"),
    value("Pause and Reflect"),
    value("Continue the story"),
    value("Keep Fit"),
    value("Resume Writer Pro"),
    value("Go on an adventure"),
    value("Quit your job"),
    value("Passport Helper"),
    value("Reset Button Therapy"),
    value("It helps you"),
    value("helping hands"),
    value("cancellation policy"),
    value("Backstage"),
    value("publisher"),
    value("reviewer"),
    value("skipping rope"),
    value("testing one two"),
    value("What did I enter the room for"),
    value("why not"),
    value("Why we sleep"),
    value("next door neighbour"),
    value("new assistant for maths"),
    value("another day in paradise"),
    value("save and exit strategies"),
    value("start over again from zero today"),
    value("help yourself to some tea"),
    value("can you help my students?"),
    value("I want to go back to school"),
    value("ok computer"),
    value("let's cook"),
    value("now and then"),
    value("could you be loved"),
    value("okay"),
    value("well done"),
    value("please teach me"),
    value("title"),
    value("price"),
    value("the price is right"),
    value("change is good"),
    value("set theory"),
    value("edit wars"),
    value("make me laugh"),
    value("instructions unclear"),
    value("plan B"),
    value("model citizen"),
    value("key lime pie"),
    value("tags along"),
    value("files under pressure"),
    value("describe: nothing"),
    value("5 credits"),
    value("free"),
    value("gpt-6-luna"),
    value("https://api.example.com/openapi.json"),
    value("/"),
    value("//"),
    value("/ test"),
    value("a/b"),
    value("100%"),
    value("¿ayuda?"),
    value("😀"),
    value("can I say"),
    sets("change the tags to maths, school", Question.TAGS, "maths, school"),
    sets("tags: a, b", Question.TAGS, "a, b"),
    sets("Set the starters to What is 2 + 2?", Question.STARTERS, "What is 2 + 2?"),
    sets("files: images", Question.FILES, "images"),
    sets("Change the kind to a service", Question.KIND, "a service"),
    sets("edit the operations", Question.ENDPOINTS, None),
    sets("fix the endpoints", Question.ENDPOINTS, None),
    sets("redo the document", Question.DOCUMENT, None),
    sets("replace the credential", Question.KEY, None),
    sets("change the address to https://b.example", Question.UPSTREAM, "https://b.example"),
    sets("address: https://b.example", Question.UPSTREAM, "https://b.example"),
    sets("the tags should be a", Question.TAGS, "a"),
    sets("update the files to none please", Question.FILES, "none"),
    sets("go to the price", Question.PRICE, None),
    sets("correct the title: Tea", Question.TITLE, "Tea"),
    sets("Set my title as Tea", Question.TITLE, "Tea"),
    told("my offerings", Command.MINE),
    told("What do I have on sale?", Command.MINE),
    told("earnings", Command.EARNINGS),
    told("How much did I earn?", Command.EARNINGS),
    told("/earnings", Command.EARNINGS),
    told("edit it", Command.EDIT),
    ("/edit math-tutor", Told(Command.EDIT, "math-tutor")),
    value("Earnings coach"),
    value("my offerings to the gods"),
    # a command counts only as the whole message
    value("Go Back In Time Tutor"),
    value("Help Desk"),
    value("Back to School"),
    value("publish my novel"),
    value("Review my essays, then help me"),
    value("bakc"),
    value("yes"),
    value("test\nme"),
    # quotation marks force literal text
    value('"help"', "help"),
    value("“Go back”", "Go back"),
    value('"title: A"', "title: A"),
    value('"A" and "B"'),
    # edits name their field
    sets("change the title to Algebra Coach", Question.TITLE, "Algebra Coach"),
    sets("Change title to Algebra Coach", Question.TITLE, "Algebra Coach"),
    sets("CHANGE THE TITLE TO Algebra Coach", Question.TITLE, "Algebra Coach"),
    sets("please set the title to X Y Z", Question.TITLE, "X Y Z"),
    value("rename"),
    sets("set price to 7", Question.PRICE, "7"),
    sets("set the price to 7 please", Question.PRICE, "7"),
    sets("make the price = 7", Question.PRICE, "7"),
    sets("update my description to Short.", Question.DESCRIPTION, "Short"),
    sets("the description should be Short and sweet", Question.DESCRIPTION, "Short and sweet"),
    sets("The price should be 3", Question.PRICE, "3"),
    sets("the model must be gpt-6-luna-mini", Question.MODEL, "gpt-6-luna-mini"),
    sets('change the title to "Back"', Question.TITLE, "Back"),
    sets("edit the key", Question.KEY, None),
    sets("Edit the API key", Question.KEY, None),
    sets("change key", Question.KEY, None),
    sets("fix the instructions", Question.INSTRUCTIONS, None),
    sets("change the plan", Question.PLAN, None),
    sets("edit the system prompt please", Question.INSTRUCTIONS, None),
    sets("title: Algebra Coach", Question.TITLE, "Algebra Coach"),
    sets("Name = Algebra Coach", Question.TITLE, "Algebra Coach"),
    sets("cost: 5", Question.PRICE, "5"),
    sets("plan: create one", Question.PLAN, "create one"),
    (
        "title: A Title; price: 5",
        Edit((Change(Question.TITLE, "A Title"), Change(Question.PRICE, "5"))),
    ),
    (
        "Title: Tea; Model: m-1; cost=2;",
        Edit(
            (
                Change(Question.TITLE, "Tea"),
                Change(Question.MODEL, "m-1"),
                Change(Question.PRICE, "2"),
            )
        ),
    ),
    value("title: A; and then something"),
    value("Change everything to blue"),
    value("the tone should be friendly"),
    value("Title: be formal\nPrice: never mention it"),
    value("https://example.com/title: x"),
    # slashes
    ("/bakc", UnknownCommand("bakc", ("back",))),
    ("/publsh", UnknownCommand("publsh", ("publish", "unpublish", "republish"))),
    ("/xyzzy", UnknownCommand("xyzzy", ())),
    value("/etc/passwd is a file"),
]


@pytest.mark.parametrize(("phrase", "said"), PHRASES, ids=[phrase for phrase, _ in PHRASES])
def test_a_phrase_is_read_as_what_it_says(phrase: str, said: Said) -> None:
    assert read(phrase) == said


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("5", 5),
        (" 5 ", 5),
        ("05", 5),
        ("make it 5 credits", 5),
        ("Make it 5 credits please", 5),
        ("five credits", 5),
        ("Five Credits.", 5),
        ("cost: 5", 5),
        ("price: 5", 5),
        ("price = 5", 5),
        ("5 credits per message", 5),
        ("5 per message", 5),
        ("5 credits each", 5),
        ("it costs 5", 5),
        ("5, please", 5),
        ("twenty", 20),
        ("one hundred", 100),
        ("free", 0),
        ("Free", 0),
        ("make it free", 0),
        ("0", 0),
        ("10000", 10_000),
    ],
)
def test_a_price_may_be_said_in_many_ways(text: str, amount: int) -> None:
    before = draft(replace(FULL, price=None), Question.PRICE)

    after = say(before, text).state

    assert after.answers.price == amount * 1000
    assert after.place.at is Question.REVIEW


@pytest.mark.parametrize(
    "text",
    ["-2", "2.5", "lots", "1e9", "10001", "99999999", "5 or 6", "1,000", "5 USD", "½", "٥", "NaN"],
)
def test_a_price_that_is_not_plain_is_refused_with_the_rule_and_keeps_the_old_one(
    text: str,
) -> None:
    before = draft(at=Question.PRICE)

    turn = say(before, text)

    assert turn.state.answers == before.answers
    assert turn.state.place.at is Question.PRICE
    assert turn.state.place.failures == 1
    assert "10,000" in turn.reply.text
    assert "for example: 5" in turn.reply.text


@pytest.mark.parametrize(
    ("text", "money"),
    [
        ("5 USD", Money(500, "USD")),
        ("5 usd", Money(500, "USD")),
        ("USD 5", Money(500, "USD")),
        ("$5", Money(500, "USD")),
        ("5$", Money(500, "USD")),
        ("5 dollars", Money(500, "USD")),
        ("9.50 EUR", Money(950, "EUR")),
        ("€9.50", Money(950, "EUR")),
        ("9 euros please", Money(900, "EUR")),
        ("700 JPY", Money(700, "JPY")),
        ("free", Money(0, "USD")),
    ],
)
def test_money_may_be_said_in_many_ways(text: str, money: Money) -> None:
    assert read_money(text) == money


@pytest.mark.parametrize("text", ["5", "lots", "-5 USD", "5 credits", "5 XYZ", "1.234 USD"])
def test_money_without_a_plain_amount_and_currency_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_money(text)


@pytest.mark.parametrize(
    ("text", "amount", "days"),
    [
        ("100 credits", 100, None),
        ("100 Credits please", 100, None),
        ("1 credit", 1, None),
        ("100 credits for 30 days", 100, 30),
        ("100 credits within 2 weeks", 100, 14),
        ("7 days", 0, 7),
        ("7-day pass", 0, 7),
        ("7 day pass", 0, 7),
        ("2 weeks", 0, 14),
    ],
)
def test_what_a_plan_gives_may_be_said_in_many_ways(
    text: str, amount: int, days: int | None
) -> None:
    gives = read_gives(text)

    assert gives.credits == amount * 1000
    assert gives.duration_s == (None if days is None else days * DAY // SECOND)


@pytest.mark.parametrize("text", ["100", "credits", "a lot", "0 credits", "0 days", "-1 days"])
def test_what_a_plan_gives_is_never_guessed(text: str) -> None:
    with pytest.raises(InvalidInput):
        read_gives(text)


def test_the_straight_way_leads_through_every_field_to_the_review() -> None:
    state = DraftState(draft_id="d-1")
    seen = []
    for text in (
        *("an assistant", "Math Tutor", "Explains algebra.", "Maths, #School", "gpt-6-luna"),
        "Be\npatient.\n\nAlways.",
    ):
        seen.append(state.place.at)
        state = say(state, text).state
    seen.append(state.place.at)
    state = key_entered(state.answered(replace(state.answers, key=KEY)), CHOICES).state
    for text in (
        *("What is a prime?\nAnd 6 * 7?", "images and documents", "five credits", "create one"),
        *("Pack 200", "10 USD", "200 credits"),
    ):
        seen.append(state.place.at)
        state = say(state, text).state

    assert seen == [*ASSISTANT, *ASIDE]
    assert state.answers.tags == ("maths", "school")
    assert state.answers.starters == ("What is a prime?", "And 6 * 7?")
    assert state.answers.files == "both"
    assert state.place.at is Question.REVIEW
    assert state.answers.missing == ()
    assert state.answers.instructions == "Be\npatient.\n\nAlways."
    assert state.answers.new_plan == NewPlan(
        title="Pack 200", price_minor=1000, currency="USD", credits=MilliCredits(200_000)
    )
    assert ask(state, CHOICES).form is Form.REVIEW


@pytest.mark.parametrize("question", [*ASSISTANT, *ASIDE, Question.REVIEW])
def test_every_prompt_states_question_example_rule_step_and_commands(question: Question) -> None:
    text = ask(draft(Answers(), question), CHOICES).text

    wording = WORDING[question]
    assert wording.asks in text
    assert wording.example in text
    assert wording.rule in text
    assert "of 13" in text
    assert "You can say back, review, help, cancel." in text


def test_who_comes_back_is_told_how_far_the_draft_is() -> None:
    answers = replace(FULL, key=None, starters=None, files=None, price=None, plan_slugs=())

    reply = greet(draft(answers, Question.KEY), CHOICES)

    assert reply.text.startswith("Welcome back; draft 'Math Tutor', 6 of 13 done.")
    assert WORDING[Question.KEY].asks in reply.text


@pytest.mark.parametrize("phrase", ["help", "?", "why?", "review", "what did I enter?"])
@pytest.mark.parametrize("question", [*ASSISTANT, *ASIDE, Question.REVIEW])
def test_asking_for_words_changes_nothing_and_repeats_the_question(
    phrase: str, question: Question
) -> None:
    before = draft(at=question)

    turn = say(before, phrase)

    assert turn.state == before
    assert turn.effect is None
    assert WORDING[question].asks in turn.reply.text


def test_the_review_in_words_shows_all_fields_and_never_the_key() -> None:
    text = say(draft(replace(FULL, price=None), Question.PRICE), "review").reply.text

    assert "**Title:** Math Tutor" in text
    assert "**Price:** *missing*" in text
    assert "set · ends …x9Qd · added" in text
    assert "Pack 100" in text


def test_back_can_be_repeated_to_the_first_question_and_loses_nothing() -> None:
    turn = say(draft(), *["back"] * 12)

    assert turn.state.place.at is Question.KIND
    assert turn.state.answers == FULL
    assert "This is the first question." in turn.reply.text
    assert "an assistant" in turn.reply.text


def test_after_going_back_an_answer_or_next_leads_to_what_is_missing() -> None:
    partial = draft(replace(FULL, plan_slugs=()), Question.PLAN)

    assert say(partial, "back", "back", "next").state.place.at is Question.PLAN
    renamed = say(partial, *["back"] * 9, "Algebra Coach").state
    assert renamed.place.at is Question.PLAN
    assert renamed.answers.title == "Algebra Coach"


@pytest.mark.parametrize("question", [*ASSISTANT, *ASIDE])
def test_an_edit_by_name_works_anywhere_and_returns_to_where_the_builder_was(
    question: Question,
) -> None:
    before = draft(replace(FULL, new_plan=NewPlan(title="Half")), question)
    field, said, line = (
        (Question.DESCRIPTION, "change the description to Hm", "Description: Explains")
        if question is Question.TITLE
        else (Question.TITLE, "change the title to Hmm", "Title: Math Tutor → Hmm")
    )

    turn = say(before, said)

    assert turn.state.answers.has(field)
    assert turn.state.answers != before.answers
    assert turn.state.place.at is question
    assert turn.reply.text.startswith(line)


def test_several_labelled_fields_are_set_together_or_not_at_all() -> None:
    both = say(draft(), "title: Tea Time; price: 3")
    assert both.state.answers == replace(FULL, title="Tea Time", price=MilliCredits(3_000))
    assert "Price: 5 → 3" in both.reply.text

    neither = say(draft(), "title: Tea Time; price: lots")
    assert neither.state.answers == FULL


def test_editing_the_key_jumps_to_its_form_and_comes_back() -> None:
    at_price = draft(replace(FULL, price=None), Question.PRICE)

    jumped = say(at_price, "edit the key")
    assert jumped.state.place.at is Question.KEY
    assert jumped.reply.form is Form.KEY

    replaced = jumped.state.answered(replace(jumped.state.answers, key=replace(KEY, last4="abcd")))
    assert key_entered(replaced, CHOICES).state.place.at is Question.PRICE


def test_an_edit_from_the_aside_returns_into_the_aside() -> None:
    turn = say(draft(), "change the plan", "create one", "edit the title", "Coach", "Big Pack")

    assert turn.state.answers.title == "Coach"
    assert turn.state.place.at is Question.PLAN_PRICE


def test_the_old_plan_stays_until_the_new_one_is_whole() -> None:
    half = say(draft(), "change the plan", "create one", "Big Pack").state
    assert half.answers.plan_slugs == ("pack-100",)

    whole = say(half, "20 USD", "500 credits").state
    assert whole.answers.plan_slugs == ()
    assert whole.place.at is Question.REVIEW


@pytest.mark.parametrize("text", ["2", "Travel Pass", "travel pass", "travel-pass", "plan 2"])
def test_a_plan_is_chosen_by_number_title_or_slug(text: str) -> None:
    turn = say(draft(replace(FULL, plan_slugs=()), Question.PLAN), text)

    assert turn.state.answers.plan_slugs == ("travel-pass",)


@pytest.mark.parametrize("text", ["3", "the cheap one", "Travel", "0"])
def test_a_plan_is_never_guessed(text: str) -> None:
    turn = say(draft(replace(FULL, plan_slugs=()), Question.PLAN), text)

    assert turn.state.answers.plan_slugs == ()
    assert turn.state.place.at is Question.PLAN
    assert {button.says for button in turn.reply.buttons} >= {"travel-pass", "create one"}


def test_a_builder_without_plans_is_offered_to_create_one() -> None:
    reply = ask(draft(replace(FULL, plan_slugs=()), Question.PLAN), Choices())

    assert [button.says for button in reply.buttons] == ["create one"]


@pytest.mark.parametrize("text", [f"my key is {STAND_IN}", "sk-proj-abcdefghijklmnop1234567890"])
@pytest.mark.parametrize("question", [*ASSISTANT, *ASIDE, Question.REVIEW])
def test_a_pasted_key_changes_nothing_anywhere_and_is_sent_to_the_form(
    question: Question, text: str
) -> None:
    before = draft(at=question)

    turn = say(before, text)

    assert turn.state == before
    assert "form only" in turn.reply.text
    assert text not in turn.reply.text


def test_text_is_never_taken_for_a_key() -> None:
    before = draft(replace(FULL, key=None), Question.KEY)

    turn = say(before, "hunter2")

    assert turn.state == before
    assert turn.reply.form is Form.KEY


def test_a_key_that_could_not_be_checked_waits_for_consent() -> None:
    unchecked = replace(KEY, verdict=KeyCheckResult.UNREACHABLE)
    before = draft(replace(FULL, key=unchecked, price=None), Question.KEY)

    waiting = key_entered(before, CHOICES)
    assert waiting.state.place.at is Question.KEY
    assert [button.says for button in waiting.reply.buttons] == ["save anyway"]

    kept = say(waiting.state, "save anyway")
    assert kept.state.place.at is Question.PRICE
    assert "not verified" in kept.reply.text


def test_after_three_refusals_an_example_and_a_way_out_are_offered() -> None:
    before = draft(replace(FULL, price=None), Question.PRICE)

    second, third = say(before, "lots", "many"), say(before, "lots", "many", "dunno")

    assert second.reply.buttons == ()
    assert [button.says for button in third.reply.buttons] == ["5", "save and exit"]
    assert say(third.state, "5").state.place.failures == 0


@pytest.mark.parametrize("said", ["yes", "publish it now or else", "ok", "do it", "sure"])
def test_yes_is_not_consent_to_publish(said: str) -> None:
    assert say(draft(), said).effect is None


@pytest.mark.parametrize("question", [*ASSISTANT, *ASIDE])
def test_publish_is_refused_away_from_the_review(question: Question) -> None:
    turn = say(draft(at=question), "publish")

    assert turn.effect is None
    assert "review screen" in turn.reply.text


def test_publish_and_test_work_on_the_review_screen() -> None:
    assert say(draft(), "publish").effect is Effect.PUBLISH
    assert say(draft(), "test").effect is Effect.TEST
    asked = say(draft(), "test: What is 7 times 6?")
    assert (asked.effect, asked.message) == (Effect.TEST, "What is 7 times 6?")


def test_a_changed_answer_makes_another_review_version_and_needs_another_test() -> None:
    before = after_test(draft())

    renamed = say(before, "change the title to Hmm").state
    same = say(before, "change the title to Math Tutor").state

    assert renamed.review_version != before.review_version
    assert not renamed.place.is_tested
    assert same.review_version == before.review_version
    assert same.place.is_tested


def test_a_price_with_its_word_is_understood_at_the_review() -> None:
    turn = say(draft(), "make it 4 credits")

    assert turn.state.answers.price == 4_000
    assert turn.state.place.at is Question.REVIEW


def test_cancel_asks_once_whether_to_keep_or_discard() -> None:
    asked = say(draft(at=Question.PRICE), "cancel")
    assert asked.effect is None
    assert asked.state.place.pending is Pending.CANCEL
    assert [button.label for button in asked.reply.buttons] == [
        "Keep the draft",
        "Discard it",
        "Go on",
    ]

    assert say(asked.state, "discard").effect is Effect.DISCARD
    kept = say(asked.state, "save and exit")
    assert (kept.effect, kept.state.answers) == (None, FULL)
    assert say(asked.state, "go on").state.place == Place(at=Question.PRICE)
    assert say(asked.state, "yes").effect is None


def test_discard_said_out_of_the_blue_is_asked_about_first() -> None:
    assert say(draft(), "discard").effect is None


def test_start_over_needs_a_yes_and_then_empties_the_draft() -> None:
    asked = say(draft(), "start over")
    assert asked.state.answers == FULL
    assert say(asked.state, "start over").effect is None
    assert say(asked.state, "no").state == draft()

    emptied = say(asked.state, "yes")
    assert emptied.effect is Effect.START_OVER
    assert emptied.state.answers == Answers()
    assert emptied.state.place.at is Question.KIND


def test_an_unknown_slash_lists_the_commands_and_is_never_an_answer() -> None:
    before = DraftState(draft_id="d-1")

    turn = say(before, "/bakc")

    assert turn.state == before
    assert "**back**" in turn.reply.text
    assert turn.reply.buttons[-1].says == "back"


def test_a_published_draft_can_be_taken_off_sale_and_opened_again_and_nothing_else() -> None:
    published = replace(draft(), life=DraftLife.PUBLISHED, offering_slug="math-tutor")

    for said in ("test", "cancel", "hello", "publish", "start over", "discard"):
        turn = say(published, said)
        assert (turn.state, turn.effect) == (published, None)
        assert "nothing was changed" in turn.reply.text
        assert "`unpublish`" in turn.reply.text

    for said, then in (("edit", ""), ("change the price to 4", "change the price to 4")):
        turn = say(published, said)
        assert (turn.state, turn.effect) == (published, Effect.REOPEN)
        assert (turn.message, turn.then) == ("math-tutor", then)
    assert say(published, "/edit song-finder").message == "song-finder"
    assert say(published, "my offerings").effect is Effect.MINE
    assert say(published, "earnings").effect is Effect.EARNINGS
    looking = say(draft(at=Question.PRICE), "what did I earn?")
    assert (looking.effect, looking.state) == (Effect.EARNINGS, draft(at=Question.PRICE))
    assert say(published, "new").effect is Effect.NEW
    assert say(published, "unpublish").effect is Effect.PAUSE
    assert say(published, "republish").effect is Effect.RESUME


def test_what_is_on_sale_stays_what_it_is() -> None:
    reopened = replace(draft(), offering_slug="math-tutor")
    for said in ("change the kind to a service", "kind: a service"):
        turn = say(reopened, said)
        assert turn.state == reopened
        assert "It is on sale as an assistant, and stays one." in turn.reply.text
    asked = say(replace(draft(at=Question.KIND), offering_slug="math-tutor"), "a service")
    assert asked.state.answers == FULL


def test_another_offering_is_opened_from_any_question_and_this_draft_is_kept() -> None:
    turn = say(draft(at=Question.PRICE), "/edit song-finder")
    assert (turn.effect, turn.message) == (Effect.REOPEN, "song-finder")
    assert turn.state == draft(at=Question.PRICE)
    assert turn.reply.text.startswith("Kept: draft 'Math Tutor'")
    named = say(draft(at=Question.PRICE), "edit")
    assert named.effect is None
    assert "Say which field" in named.reply.text


@pytest.mark.parametrize(
    ("price", "line"),
    [(5, "100 credits = 20 messages"), (100, "100 credits = 1 message"), (0, "Messages are free")],
)
def test_the_price_is_explained_in_messages(price: int, line: str) -> None:
    assert line in messages_for(replace(FULL, price=MilliCredits(price * 1000)))


QUESTIONS = st.sampled_from(list(Question))
PENDING = st.sampled_from([None, *Pending])
FRAGMENTS = st.sampled_from(
    [phrase for phrase, _ in PHRASES]
    + ["publish", "/publish", "yes", "5", "create one", "title: ", "price: ", ";", '"', "ſ", "K"]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(FRAGMENTS, max_size=4).map(" ".join))


@given(question=QUESTIONS, pending=PENDING, full=st.booleans(), text=TEXTS)
@example(question=Question.REVIEW, pending=Pending.CANCEL, full=True, text="publish")
@example(question=Question.TITLE, pending=None, full=True, text="deſcription: x")
@settings(max_examples=300, deadline=None)
def test_no_text_ever_raises_and_none_publishes_away_from_the_review(
    question: Question, pending: Pending | None, full: bool, text: str
) -> None:
    before = draft(FULL if full else Answers(), question, pending=pending)

    turn = hear(before, text, CHOICES)

    assert turn.reply.text
    assert turn.state.draft_id == before.draft_id
    if turn.effect is Effect.PUBLISH:
        assert question is Question.REVIEW
        assert pending is None
        assert full
        said = read(text)
        assert isinstance(said, Told)
        assert said.command is Command.PUBLISH


@given(texts=st.lists(TEXTS, max_size=8))
@settings(max_examples=100, deadline=None)
def test_no_conversation_gets_stuck_or_loses_its_place(texts: list[str]) -> None:
    state = DraftState(draft_id="d-1")

    for text in texts:
        turn = hear(state, text, CHOICES)
        assert turn.effect is not Effect.PUBLISH
        state = turn.state

    assert ask(state, CHOICES).text


# A service, from its document


SONGS = """
openapi: 3.0.2
info:
  title: Elvis Songs
  description: Finds songs by what is in them.
  servers: [{url: "https://songs.example/api"}]
paths:
  /query: {post: {operationId: query_query_post, summary: Query the songs}}
  /upsert: {post: {operationId: upsert_upsert_post}}
  /delete: {delete: {operationId: delete_delete_delete}}
  /songs/{song-id}: {get: {summary: One song}}
"""


def service(text: str = SONGS) -> Turn:
    return say(DraftState(draft_id="d-1"), "a service", text)


def on(turn: Turn) -> list[str]:
    return [note.name for note in turn.state.answers.endpoints if note.is_on]


def test_a_document_fills_what_it_says_and_leaves_off_what_changes_something() -> None:
    turn = service()
    answers = turn.state.answers
    assert turn.state.place.at is Question.ENDPOINTS
    assert (answers.title, answers.upstream_url) == ("Elvis Songs", "https://songs.example")
    assert answers.description == "Finds songs by what is in them."
    assert on(turn) == ["POST /api/query", "GET /api/songs/{song_id}", "GET /.well-known/(.*)"]
    for line in (
        "1. `POST /api/query` · on (asks) · Query the songs",
        "2. `POST /api/upsert` · **off** (writes)",
        "3. `DELETE /api/delete` · **off** (deletes)",
        "5. `GET /.well-known/(.*)` · open, free",
        "Title: Elvis Songs",
        "Address: https://songs.example",
    ):
        assert line in turn.reply.text
    assert turn.reply.buttons[0].says == "ok"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("remove 1", ["GET /api/songs/{song_id}", "GET /.well-known/(.*)"]),
        ("Remove query, please", ["GET /api/songs/{song_id}", "GET /.well-known/(.*)"]),
        ("turn off POST /api/query and 5", ["GET /api/songs/{song_id}"]),
        ("add upsert", ["POST /api/query", "POST /api/upsert", "GET /api/songs/{song_id}",
                        "GET /.well-known/(.*)"]),
        ("include 2, 3 & 4; remove 5", ["POST /api/query", "POST /api/upsert",
                                        "DELETE /api/delete", "GET /api/songs/{song_id}"]),
        ("remove all and then add query", ["POST /api/query"]),
        ("without /api/songs/{song_id}", ["POST /api/query", "GET /.well-known/(.*)"]),
    ],
)  # fmt: skip
def test_operations_are_turned_on_and_off_by_number_or_name(
    said: str, expected: list[str]
) -> None:
    turn = say(service().state, said)
    assert on(turn) == expected
    assert turn.state.place.at is Question.ENDPOINTS
    assert not turn.state.answers.are_endpoints_agreed


def test_an_operation_can_be_opened_closed_and_given_its_own_price() -> None:
    state = say(service().state, "open query", "3 costs five credits", "close 5").state
    notes = {note.path: note for note in state.answers.endpoints}
    assert (notes["/api/query"].is_open, notes["/api/query"].price) == (True, None)
    assert (notes["/api/delete"].is_on, notes["/api/delete"].price) == (True, 5_000)
    assert (notes["/.well-known/(.*)"].is_on, notes["/.well-known/(.*)"].is_open) == (True, False)


@pytest.mark.parametrize("said", ["remove 9", "remove nothing", "hm", "delete everything else",
                                  "query costs lots", "open the door"])  # fmt: skip
def test_what_names_no_operation_changes_none(said: str) -> None:
    before = service().state
    turn = say(before, said)
    assert turn.state.answers == before.answers
    assert "Nothing was changed." in turn.reply.text


def test_a_service_that_sells_nothing_is_not_agreed_to() -> None:
    turn = say(service().state, "remove all", "ok")
    assert turn.state.place.at is Question.ENDPOINTS
    assert "None of them is on" in turn.reply.text


def test_the_straight_way_of_a_service_leads_to_its_review() -> None:
    state = say(service().state, "ok", "songs", "skip", "2", "create one").state
    state = say(state, "Pack 50", "5 USD", "50 credits").state
    assert state.place.at is Question.REVIEW
    assert state.answers.tags == ("songs",)
    assert state.answers.key is None
    assert Question.KEY in state.answers.skipped
    assert messages_for(state.answers) == "100 credits = 50 calls"
    assert say(state, "publish").effect is Effect.PUBLISH
    assert say(state, "test: POST /api/query").effect is Effect.TEST


def test_a_document_at_an_address_is_read_by_the_shell_and_then_taken() -> None:
    state = say(DraftState(draft_id="d-1"), "a service").state
    asked = say(state, " https://songs.example/openapi.json ")
    assert (asked.effect, asked.message) == (Effect.FETCH, "https://songs.example/openapi.json")
    assert asked.state == state
    without = SONGS.replace('servers: [{url: "https://songs.example/api"}]', "x-none: 1")
    turn = document_read(state, without, "https://songs.example", CHOICES)
    assert turn.state.answers.upstream_url == "https://songs.example"
    failed = not_read(state, "The document could not be read: nobody answered.", CHOICES)
    assert failed.state.place.failures == 1
    assert "nobody answered. Nothing was changed." in failed.reply.text


def test_an_address_that_may_not_be_called_is_asked_for_again() -> None:
    turn = say(service(SONGS.replace("https://songs.example/api", "http://10.0.0.1/")).state, "ok")
    assert turn.state.place.at is Question.UPSTREAM
    refused = say(turn.state, "http://10.0.0.1")
    assert refused.state.answers.upstream_url is None
    assert say(turn.state, "https://songs.example").state.answers.upstream_url


def test_another_address_forgets_the_credential_that_was_for_the_old_one() -> None:
    state = say(service().state, "ok", "skip").state
    note = replace(KEY, base_url="https://songs.example", verdict=KeyCheckResult.UNTRIED)
    state = key_entered(state.answered(replace(state.answers, key=note)), CHOICES).state
    assert state.answers.key is not None
    assert state.place.at is Question.PRICE
    same = say(state, "change the address to https://songs.example").state
    assert same.answers.key == note
    moved = say(state, "change the address to https://other.example").state
    assert moved.answers.key is None


def test_what_is_no_document_is_refused_with_the_rule() -> None:
    state = say(DraftState(draft_id="d-1"), "a plugin").state
    for text in ("swagger: '2.0'", "just words", "{", "a: *b"):
        turn = say(state, text)
        assert turn.state.answers == state.answers
        assert turn.state.place.failures == 1


def test_fields_of_the_other_kind_are_no_fields_of_this_one() -> None:
    turn = say(service().state, "change the model to gpt-6-luna")
    assert turn.state == service().state
    assert "There is no model in a draft of a service." in turn.reply.text


@pytest.mark.parametrize("said", ["hm", "both", "sell", "", "an assistant and a service"])
def test_the_kind_is_never_guessed(said: str) -> None:
    turn = say(DraftState(draft_id="d-1"), said)
    assert turn.state.answers.kind is None
    assert turn.state.place.at is Question.KIND


def test_another_kind_forgets_the_key_and_keeps_the_rest() -> None:
    turn = say(draft(), "change the kind to a service")
    assert turn.state.answers.kind is Kind.SERVICE
    assert turn.state.answers.key is None
    assert turn.state.answers.title == "Math Tutor"
    assert turn.state.place.at is Question.DOCUMENT


@pytest.mark.parametrize("question", [Question.TAGS, Question.STARTERS, Question.FILES])
def test_an_optional_field_can_be_skipped_and_is_not_asked_again(question: Question) -> None:
    empty = draft(replace(FULL, **{question.value: None}), question)  # type: ignore[arg-type]
    assert ask(empty, CHOICES).buttons[-1].says == "skip"
    skipped = say(empty, "skip").state
    assert skipped.place.at is Question.REVIEW
    assert question in skipped.answers.skipped
    answered = say(draft(at=question), "skip").state
    assert answered.answers == FULL


@pytest.mark.parametrize("question", [Question.TITLE, Question.MODEL, Question.PRICE])
def test_a_field_that_is_needed_cannot_be_skipped(question: Question) -> None:
    before = draft(replace(FULL, **{question.value: None}), question)  # type: ignore[arg-type]
    turn = say(before, "skip")
    assert turn.state == before
    assert f"{WORDING[question].label} cannot be skipped" in turn.reply.text


@pytest.mark.parametrize(
    ("said", "offered"),
    [("publsh", "publish"), ("try a test of it", "test"), ("qqq", "test"), ("helpp", "help")],
)
def test_what_is_not_understood_offers_the_nearest_commands(said: str, offered: str) -> None:
    turn = say(draft(), said)
    assert turn.state == draft()
    assert turn.effect is None
    assert offered in [button.says for button in turn.reply.buttons]
    assert WORDING[Question.REVIEW].asks in turn.reply.text


@pytest.mark.parametrize(
    "said",
    ["1 and 2", "1, 2", "Pack 100 & travel-pass", "travel pass and pack 100", "1 and 1 and 2"],
)
def test_an_offering_is_sold_on_several_plans(said: str) -> None:
    answers = say(draft(replace(FULL, plan_slugs=()), Question.PLAN), said).state.answers
    assert set(answers.plan_slugs) == {"pack-100", "travel-pass"}
    assert len(answers.plan_slugs) == 2


def test_a_new_plan_may_be_a_trial() -> None:
    state = draft(replace(FULL, plan_slugs=()), Question.PLAN)
    turn = say(state, "create one", "Taster", "a free trial", "20 credits")
    assert turn.state.answers.new_plan == NewPlan(
        title="Taster", price_minor=0, currency="USD", credits=MilliCredits(20_000), is_trial=True
    )
    assert "Taster · a free trial · 20 credits (new)" in say(turn.state, "review").reply.text
