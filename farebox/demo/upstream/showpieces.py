"""Answers made to be looked at: a table, code, citations, tools at work, a picture.

Each is a text with what belongs to it beside the words: which tools the upstream pretends to use
first, and what of the text is cited from where. A citation is told right after the words it
belongs to, as OpenAI does.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class PretendedTool(Enum):
    """A tool that this upstream claims to use; the value is the type of its item."""

    WEB_SEARCH = "web_search_call"
    FILE_SEARCH = "file_search_call"
    CODE_INTERPRETER = "code_interpreter_call"
    IMAGE_GENERATION = "image_generation_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """Words of the answer and where they are from: a page with an address, or a file."""

    words: str
    title: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Showpiece:
    """What is said, after which tools, and from which sources."""

    text: str
    tools: tuple[PretendedTool, ...] = ()
    quotes: tuple[Quote, ...] = ()


TABLE: Final = Showpiece(
    text=(
        "Three ways to pay for ten messages:\n\n"
        "| plan | price | messages | per message |\n|---|---:|---:|---:|\n"
        "| Trial | $0.00 | 4 | $0.00 |\n| Pack 100 | $5.00 | 20 | $0.25 |\n"
        "| Month | $12.00 | unlimited | – |\n\n"
        "The pack is the cheapest until you write **more than 48** messages a month."
    )
)
CODE: Final = Showpiece(
    text=(
        "A function that adds up the digits of a number:\n\n"
        "```python\ndef digit_sum(number: int) -> int:\n"
        '    """The sum of the decimal digits."""\n'
        "    return sum(int(digit) for digit in str(abs(number)))\n\n\n"
        "assert digit_sum(1_234) == 10\n```\n\n"
        "Call it as `digit_sum(98)`; the sign does not matter."
    )
)
CITED: Final = Showpiece(
    text=(
        "The metre is defined by the speed of light. A triangle's angles add up to two right"
        " angles. Both are in the lecture notes, too."
    ),
    tools=(PretendedTool.WEB_SEARCH,),
    quotes=(
        Quote(
            words="The metre is defined by the speed of light.",
            title="The International System of Units",
            url="https://example.org/si/metre",
        ),
        Quote(
            words="A triangle's angles add up to two right angles.",
            title="Elements, Book I",
            url="https://example.com/elements/book-1?proposition=32",
        ),
        Quote(words="Both are in the lecture notes, too.", title="lecture-notes.pdf"),
    ),
)
TOOLS: Final = Showpiece(
    text="I looked it up, read your notes and computed it: the answer is **42**.",
    tools=(
        PretendedTool.WEB_SEARCH,
        PretendedTool.FILE_SEARCH,
        PretendedTool.CODE_INTERPRETER,
    ),
)
PICTURE: Final = Showpiece(
    text=(
        "Here is the sketch:\n\n![A triangle with its angles](https://example.org/triangle.png)"
        "\n\nIts angles add up to 180°."
    )
)
DRAWN: Final = Showpiece(
    text="I drew a triangle for you. Its angles add up to 180°.",
    tools=(PretendedTool.IMAGE_GENERATION,),
)
DRAWN_ALONE: Final = Showpiece(text="", tools=(PretendedTool.IMAGE_GENERATION,))
