"""What Chainlit's own parts say stands in files of its own, one for each language."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from host.language import Language
from tests.sentences import OTHERS

TRANSLATIONS = Path(__file__).parents[2] / ".chainlit" / "translations"
ENGLISH = "en-US"
ALIKE = {
    "auth.login.form.email.placeholder",
    "chat.messages.status.used",  # nothing
    "chat.messages.status.using",  # nothing
    "navigation.header.chat",
    "navigation.user.menu.settingsKey",
    "alerts.beta",
    "alerts.idea",
}
"""What may be said as in English."""


def sentences(name: str) -> dict[str, str]:
    """Every sentence by its place."""
    return dict(_flat(json.loads((TRANSLATIONS / f"{name}.json").read_text())))


def _flat(part: object, place: str = "") -> Iterator[tuple[str, str]]:
    if not isinstance(part, dict):
        yield place, str(part)
        return
    for name, inner in part.items():
        yield from _flat(inner, f"{place}.{name}".lstrip("."))


@pytest.mark.parametrize("language", OTHERS)
def test_another_language_says_what_english_says_in_words_of_its_own(language: Language) -> None:
    english, other = sentences(ENGLISH), sentences(language)
    assert set(other) == set(english)
    assert {place for place, said in english.items() if other[place] == said} <= ALIKE
    assert [bool(other[place]) for place in english] == [bool(said) for said in english.values()]
