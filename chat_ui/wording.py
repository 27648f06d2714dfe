"""Every sentence a subscriber reads in the chat, decided from facts without looking anything up.

Those that need no facts are constants, marked here and said by `_` where they are used.

Money is said in one way everywhere: `−5 credits · 95 left · 1.2 s`. What costs nothing says so
first: "Not charged: …", then what to do. How a run ended is worded by `host.runs.outcomes`, where
programs get the same words; the setup bot's questions are `chat_ui.setup_bot.interview`'s, and
what Browse says is `chat_ui.browse.sentences`'.
"""

from collections.abc import Sequence
from typing import Final

from host.errors import FareboxError
from host.language import N_, _
from host.runs.lifecycle import Reason
from host.runs.outcomes import Outcome, refunds_written
from host.writing import credits_written, left_written, short_day
from storage.credits import MilliCredits
from storage.ledger import RefundLine
from storage.moments import Micros

DOT: Final = " · "
SAYS_WHAT_TO_DO: Final = frozenset(
    {
        Reason.STOPPED,
        Reason.UPSTREAM_BUSY,
        Reason.UPSTREAM_REFUSES,
        Reason.CONTEXT_TOO_LONG,
        Reason.UNDECIDED,
    }
)
"""How a run ended where the sentence needs no advice, or has it already."""

KEY_REMOVED: Final = N_(
    "A key in your message was removed before anything was stored or sent on."
    " If it was a real one, replace it where you got it."
)
NAMELESS: Final = N_("Conversation")
NO_SUCH_THREAD: Final = N_("There is no such conversation.")
NOT_DELETED_UPSTREAM: Final = N_(
    "The conversation is deleted here. The assistant's provider could not be told yet; that is"
    " tried again for two days."
)
NOT_HEARD: Final = N_("This message could not be read. Nothing was charged; please try again.")
EMPTY: Final = N_("This message is empty. Nothing was charged; write something first.")
TOO_LONG: Final = N_(
    "This message is far too long and was not taken. Nothing was charged; send it in parts of at"
    " most {most} characters."
)
NO_TEXT: Final = N_(
    "This message has characters that are no text and was not taken. Nothing was charged; copy it"
    " from another program, or leave them out."
)
BUILDERS_ONLY: Final = N_("Only builders can register assistants. Ask the operator for that role.")
STOPPED: Final = N_("Stopped, not charged")
SIGNED_OUT: Final = N_("You have been signed out. Nothing was charged; please sign in again.")
WENT_WRONG: Final = N_("Something went wrong on our side. Nothing was charged; please try again.")
HOME: Final = N_(
    "**Everything on offer here.**\n\nSearch, try for free, buy, and see what you have."
)
SETUP: Final = N_("**Put an assistant on sale.**\n\nAnswer a few questions, test it, publish it.")


def answer_or_sentence(outcome: Outcome) -> str:
    """What stands in the bubble: the answer; or, when there is none, why."""
    return outcome.text if _has_answer(outcome) else _with_advice(outcome)


def receipt_line(outcome: Outcome, refunds: Sequence[RefundLine] = ()) -> str:
    """The line under an answer, without its link; what was given back since comes last."""
    line = _charge_line(outcome)
    return f"{line}{DOT}{refunds_written(refunds)}" if refunds else line


def _charge_line(outcome: Outcome) -> str:
    if outcome.reason is None:
        return outcome.sentence
    left = None if outcome.included_until is not None else outcome.available
    if outcome.reason is Reason.UNDECIDED:
        return outcome.sentence
    if not _has_answer(outcome):  # the bubble has said why
        return _with_rest(credits_written(0), left)
    if outcome.reason is Reason.STOPPED:
        return _with_rest(outcome.sentence, left)
    return outcome.sentence


def _has_answer(outcome: Outcome) -> bool:
    return bool(outcome.text.strip())


def _with_advice(outcome: Outcome) -> str:
    sentence = outcome.sentence
    if outcome.reason in SAYS_WHAT_TO_DO:
        return sentence
    advice = _("Please try again.")
    return f"{sentence.rstrip('.')}. {advice}"


def _with_rest(text: str, available: MilliCredits | None) -> str:
    return text if available is None else f"{text}{DOT}{left_written(available)}"


def refusal_sentence(error: FareboxError) -> str:
    """Why a message was not taken, and what to do, as text. A refusal says that it is free."""
    return error.detail if error.says_charge else _("Not charged. {why}", why=error.detail)


def refusal_said(error: FareboxError) -> str:
    """The same in Markdown: the titles in it are a builder's, and only the address is ours."""
    sentence, address = refusal_sentence(error), error.facts.get("topup_url")
    if not address:
        return plain(sentence)
    return str(address).join(plain(part) for part in sentence.split(str(address)))


def price_tag(price: MilliCredits, *, included_until: Micros | None) -> str:
    """What a message costs, as it stands beside an assistant's name."""
    if included_until is not None:
        return _("Included until {day}", day=short_day(included_until))
    return _("{credits} per message", credits=credits_written(price)) if price else _("Free")


def profile_text(
    title: str,
    description: str,
    price: MilliCredits,
    *,
    included_until: Micros | None,
) -> str:
    """An assistant's card: what it does and what it costs. In Markdown.

    Not what is left: the page keeps the card as it was when it was opened.
    """
    tag = price_tag(price, included_until=included_until)
    return f"**{plain(title)}**\n\n{plain(description)}\n\n`{tag}`"


def plain(text: str) -> str:
    """What a builder wrote, kept from becoming links, pictures, headings or code."""
    for mark in ("\\", "[", "]", "!", "#", "<", "`", "*", "_", "|"):
        text = text.replace(mark, f"\\{mark}")
    return text
