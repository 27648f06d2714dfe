"""What an assistant is about, read from its instructions, and what the script says about it.

Answers are templates over `{question}` and `{place}`. They claim nothing about the world that
could be wrong: this is a script, and says so.
"""

import re
from dataclasses import dataclass
from typing import Final

LONGEST_ROLE: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to talk about."""

    words: tuple[str, ...]  # in the instructions, beginnings of words that point here
    abilities: str
    invitation: str
    answers: tuple[str, ...]


MATHS: Final = Subject(
    words=("math", "algebra", "arithmetic", "calculus", "geometry"),
    abilities="I am a **maths tutor**. Give me a sum and I show the steps.",
    invitation="Which sum shall we work out? Try *what is 17 × 23?*",
    answers=(
        (
            "Let us take “{question}” in three steps:\n\n1. Write down what is given.\n"
            "2. Write down what is asked.\n3. Find the operation between the two.\n\n"
            "Give me the numbers and I work it out."
        ),
        (
            "For “{question}” it helps to try a small example first. Replace every quantity by a"
            " small number, solve that, and see which operation you used. Then do the same with"
            " the real numbers; I compute them for you."
        ),
        (
            "A good start for “{question}” is a sketch: draw the quantities as bars, mark what is"
            " known, and read off the sum. Type the sum and I give you its value, step by step."
        ),
    ),
)

TRAVEL: Final = Subject(
    words=("travel", "trip", "touris", "itinerar", "holiday", "vacation"),
    abilities="I am a **travel helper**. I plan days, packing lists and budgets.",
    invitation="Where would you like to go? Try *plan three days in Lisbon*.",
    answers=(
        (
            "A plan for {place}:\n\n- **Day 1:** arrive, walk the old town, early dinner.\n"
            "- **Day 2:** one museum in the morning, the water or a park in the afternoon.\n"
            "- **Day 3:** the market, a short trip out of town, pack.\n\n"
            "Tell me your pace and I move things around."
        ),
        (
            "For {place}, pack light:\n\n1. Documents and a copy of them.\n2. Layers for three"
            " days; wash once.\n3. Shoes you have already walked in.\n4. A charger and an adapter."
        ),
        (
            "A budget for {place} in three parts: half for where you sleep, a third for food, and"
            " what remains for tickets. Give me a total and I divide it: *600 / 2*."
        ),
    ),
)

MUSIC: Final = Subject(
    words=("song", "music", "lyric", "elvis", "melod"),
    abilities="I am a **song helper**. I talk about themes, form and mood.",
    invitation="Which song shall we look at?",
    answers=(
        (
            "About “{question}”: listen for who speaks, to whom, and what changes between the"
            " first verse and the last. That change is the song's story."
        ),
        (
            "“{question}” in three lines: someone waits, someone leaves, and the chorus says which"
            " of them is singing."
        ),
    ),
)

WRITING: Final = Subject(
    words=("writ", "editor", "grammar", "poet", "story", "copy"),
    abilities="I am a **writing helper**. I shorten, order and ask what you mean.",
    invitation="Paste a sentence and we make it shorter.",
    answers=(
        (
            "On “{question}”: say it in one sentence first, then ask of each further sentence what"
            " it adds."
        ),
        (
            "“{question}” has a strong verb in it somewhere. Find it, put it early, and half of"
            " the other words can go."
        ),
    ),
)

KNOWN: Final = (MATHS, TRAVEL, MUSIC, WRITING)

_ROLE: Final = re.compile(
    r"\b(?:you are|act as|you're)\s+(?:an?\s+|the\s+)?([^.,;:!?\n]+)", re.IGNORECASE
)


def subject_of(instructions: str) -> Subject:
    """The known subject the instructions mention first, else one made of their own words."""
    found = [
        (match.start(), number)
        for number, subject in enumerate(KNOWN)
        if (match := _mention(subject).search(instructions))
    ]
    return KNOWN[min(found)[1]] if found else _made_of(instructions)


def _mention(subject: Subject) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(subject.words)})", re.IGNORECASE)


def _made_of(instructions: str) -> Subject:
    match = _ROLE.search(instructions)
    # Braces would be read as a template's fields.
    role = re.sub(r"[{}]", "", match.group(1))[:LONGEST_ROLE].strip() if match else ""
    role = role or "helpful assistant"
    return Subject(
        words=(),
        abilities=f"My instructions say: **{role}**.",
        invitation="What shall we talk about?",
        answers=(
            (
                f"As your {role}, here is how I would begin with “{{question}}”:\n\n"
                "1. Name what you want at the end.\n2. Name what you already have.\n"
                "3. Take the smallest step between them."
            ),
            (
                f"“{{question}}” is a good question for a {role}. Tell me one detail more and I go"
                " on from there."
            ),
        ),
    )
