"""What the upstream answers: the same words for the same conversation, worked out, not random.

`write_script` takes the instructions, what was said so far and the new message, and returns the
whole answer with how it is to be sent. It remembers names, counts turns, quotes what was said,
computes sums, and speaks about what the instructions speak about. It says once per conversation
that it is no AI. What it knows to say about a subject is in `subjects`.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final, Literal, TypeAlias

from farebox.demo.upstream.arithmetic import Sum, find_sum, written
from farebox.demo.upstream.showpieces import PretendedTool, Quote
from farebox.demo.upstream.subjects import Subject, subject_of
from farebox.demo.upstream.triggers import FOR_PEOPLE, TO_LOOK_AT, Ending, split_trigger

BANNER: Final = "*(scripted demo, no AI)*"
LONG_ANSWER_WORDS: Final = 800  # about 20 seconds at the demo's pace
LONGEST_QUOTE: Final = 80
TENS: Final = 10

_NAME: Final = re.compile(
    r"\b(?:my name is|my name's|call me|i am called)\s+([^\W\d_][\w'-]{0,30})", re.IGNORECASE
)
_ASKS_NAME: Final = re.compile(
    r"\b(?:what(?:'s| is| was) my name|who am i|remember my name|know my name)\b", re.IGNORECASE
)
_ASKS_EARLIER: Final = re.compile(
    r"\b(?:did i (?:say|ask|tell)|i (?:said|asked|told you)|earlier|so far|remember)\b",
    re.IGNORECASE,
)
_ASKS_ABILITIES: Final = re.compile(r"\bwhat (?:can|do) you do\b|\bhelp\b", re.IGNORECASE)
_GREETS: Final = re.compile(r"^(?:hello|hi|hey|good (?:morning|day|evening))\b", re.IGNORECASE)
_WORD: Final = re.compile(r"\s*\S+|\s+$")


Role: TypeAlias = Literal["user", "assistant", "other"]


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance of a conversation."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """An answer, decided before its first word is sent."""

    text: str
    ending: Ending
    is_slow: bool = False
    tools: tuple[PretendedTool, ...] = ()
    quotes: tuple[Quote, ...] = ()

    @property
    def words(self) -> list[str]:
        """The text in the pieces it is streamed in; joined they are the text."""
        return _WORD.findall(self.text)


def write_script(
    *,
    instructions: str,
    history: Sequence[Said],
    message: str,
    most_words: int | None,
    seen: Sequence[str] = (),
) -> Script:
    """The answer to `message`, given all that was said before and what files show.

    Raises:
        Refusal: the message begins with a trigger that refuses the request.
    """
    trigger, question = split_trigger(message)
    if trigger.refuses is not None:
        raise trigger.refuses()
    text, ending = "", trigger.ending
    if trigger.has_text:
        earlier = [said.text for said in history if said.role == "user"]
        if trigger.shows is not None:
            text = trigger.shows.text
        else:
            subject, is_asked = subject_of(instructions), bool(question) or not seen
            said = _answer(subject, earlier, question) if is_asked else ""
            text = "\n\n".join([*seen, said]).strip()
        if trigger.is_long:
            text = _lengthened(text)
        if not any(BANNER in said.text for said in history):
            text = f"{BANNER}\n\n{text}"
    if ending is Ending.REFUSED_TO_ANSWER:
        text = "I cannot help with that."
    script = Script(
        text=text,
        ending=ending,
        is_slow=trigger.is_slow,
        tools=trigger.shows.tools if trigger.shows else (),
        quotes=trigger.shows.quotes if trigger.shows else (),
    )
    return _within(script, most_words)


def _within(script: Script, most_words: int | None) -> Script:
    words = script.words
    if most_words is None or len(words) <= most_words:
        return script
    return replace(script, text="".join(words[:most_words]), ending=Ending.CUT_SHORT)


def _answer(subject: Subject, earlier: list[str], question: str) -> str:
    """Whatever of the things this script can do fits; then what it remembers."""
    if _ASKS_EARLIER.search(question) and not _ASKS_NAME.search(question):
        return _recalled(earlier)
    name = _name_in([*earlier, question])
    introduced = _NAME.search(question)
    found = find_sum(question)
    parts = []
    if introduced is not None:
        parts.append(f"Nice to meet you, {introduced.group(1)}. I will remember your name.")
    if _ASKS_NAME.search(question):
        parts.append(
            f"Your name is **{name}**." if name else "You have not told me your name yet."
        )
    if found is not None:
        parts.append(_worked(found))
    if not parts:
        parts.append(_talk(subject, name, question))
    if earlier:
        parts.append(_memory(earlier))
    return "\n\n".join(parts)


def _talk(subject: Subject, name: str | None, question: str) -> str:
    """What it says where there is nothing to remember or to compute."""
    if not question or _ASKS_ABILITIES.search(question):
        return _abilities(subject)
    if _GREETS.search(question):
        return f"Hello{f', {name}' if name else ''}! {subject.invitation}"
    return _about(subject, question)


def _name_in(texts: list[str]) -> str | None:
    """The last name anybody gave."""
    names = [match.group(1) for text in texts if (match := _NAME.search(text))]
    return names[-1] if names else None


def _worked(found: Sum) -> str:
    pretty = re.sub(r"\s*([-+*/])\s*", r" \1 ", found.expression)
    pretty = pretty.replace("*", "×").replace("/", "÷").replace("( - ", "(-").strip()
    if found.value is None:
        return f"{pretty} divides by zero, so it has no value."
    sign = "" if (result := written(found.value)).startswith("≈") else "= "
    steps = _steps(found.expression, found.value)
    return f"{pretty} {sign}**{result}**" + (f"\n\n{steps}" if steps else "")


def _steps(expression: str, value: Fraction) -> str:
    """How to do a product of two whole numbers in the head."""
    match = re.fullmatch(r"\s*(\d{1,6})\s*\*\s*(\d{1,6})\s*", expression)
    if match is None or int(match.group(2)) <= TENS:
        return ""
    left, right = int(match.group(1)), int(match.group(2))
    ones = right % TENS
    tens = right - ones
    if ones == 0:
        return ""
    return (
        f"Step by step: {left} × {tens} = {left * tens}, {left} × {ones} = {left * ones},"
        f" and {left * tens} + {left * ones} = {written(value)}."
    )


def _recalled(earlier: list[str]) -> str:
    if not earlier:
        return "This is the first message of our conversation; there is nothing earlier."
    quotes = "\n".join(f"{n}. “{_quoted(text)}”" for n, text in enumerate(earlier, start=1))
    return f"You said earlier:\n\n{quotes}"


def _memory(earlier: list[str]) -> str:
    return f"This is turn {len(earlier) + 1}. You said earlier: “{_quoted(earlier[-1])}”."


def _abilities(subject: Subject) -> str:
    words = ", ".join(f"`{word}`" for word in FOR_PEOPLE)
    sights = ", ".join(f"`{word}`" for word in TO_LOOK_AT)
    return (
        f"{subject.abilities}\n\n- I work out sums: *what is 17 × 23?*\n"
        "- I remember this conversation: *my name is Ada*, then *what is my name?*\n"
        f"- I show what answers can look like: {sights}\n"
        f"- I misbehave on purpose, and you see what it costs: {words}"
    )


def _about(subject: Subject, question: str) -> str:
    """One of the subject's answers, always the same one for the same question."""
    digest = hashlib.sha256(question.lower().encode()).digest()
    answer = subject.answers[digest[0] % len(subject.answers)]
    return answer.format(question=_quoted(question), place=_place_in(question))


def _place_in(question: str) -> str:
    match = re.search(
        r"\b(?:to|in|for|around|visit)\s+([A-Z][\w'-]*(?:\s[A-Z][\w'-]*)?)", question
    )
    return match.group(1) if match else "your destination"


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_QUOTE else f"{flat[: LONGEST_QUOTE - 1]}…"


def _lengthened(text: str) -> str:
    """The answer, and numbered sentences after it until it is long."""
    lines, words = [text], len(text.split())
    for number in range(1, LONG_ANSWER_WORDS):
        if words >= LONG_ANSWER_WORDS:
            break
        line = (
            f"{number}. This sentence only makes the answer long,"
            " so that you can stop it, close the tab or watch it stream."
        )
        lines.append(line)
        words += len(line.split())
    return "\n\n".join(lines)
