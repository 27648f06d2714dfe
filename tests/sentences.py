"""Which sentences the code says, beside what the catalogues have of them.

`python -m tests.sentences` brings the catalogues up to date with the code: what is said anew is
added without a translation, and what is no longer said goes. Then fill in what is missing by hand,
or with any editor of gettext's files; a test fails until nothing is.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from host.language import CATALOGUES, Language

ROOT: Final = Path(__file__).parents[1]
PLACE: Final = re.compile(r"\{(\w+)\}")
PYTHON: Final = {"_": None, "_n": (1, 2), "N_": None}
SCRIPTS: Final = {"t": None, "tn": (1, 2)}


@dataclass(frozen=True, slots=True)
class Domain:
    """What is said in one place, and under which name its catalogues are kept."""

    suffix: str
    places: tuple[str, ...]
    methods: tuple[tuple[str, str], ...]
    keywords: Mapping[str, tuple[int, ...] | None]

    def path(self, language: Language) -> Path:
        """Where its sentences in that language are kept."""
        return CATALOGUES / f"{language}{self.suffix}"


SERVER: Final = Domain(
    ".po", ("host", "chat_ui"), (("**.py", "python"), ("**/templates/**.html", "jinja2")), PYTHON
)
PAGE: Final = Domain(
    ".page.po", ("public",), (("**.js", "javascript"), ("**.jsx", "javascript")), SCRIPTS
)
DOMAINS: Final = (SERVER, PAGE)
OTHERS: Final = tuple(language for language in Language if language is not Language.ENGLISH)
HEADER: Final = """\
# What Farebox says, in {name}: brought up to date with the code by `python -m tests.sentences`.
msgid ""
msgstr ""
"Language: {language}\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"
"Content-Type: text/plain; charset=utf-8\\n"

"""
"""Two forms for each language so far: of one, and of any other number."""


def said(domain: Domain) -> Catalog:
    """Every sentence that the code says, in the order of the files."""
    catalogue = Catalog()
    for place in domain.places:
        for found in extract_from_dir(
            ROOT / place,
            method_map=list(domain.methods),
            options_map={"**.jsx": {"jsx": "true"}, "**.js": {"template_string": "true"}},
            keywords=domain.keywords,
        ):
            file, _line, message, comments, _context = found
            catalogue.add(message, locations=[(f"{place}/{file}", 0)], auto_comments=comments)
    return catalogue


def known(domain: Domain, language: Language) -> Catalog:
    """The catalogue as it is kept."""
    path = domain.path(language)
    if not path.exists():
        return _empty(language)
    with path.open("rb") as file:
        return read_po(file, locale=language.value)


def forms(message: Message) -> tuple[str, ...]:
    """A translation in each of its forms; empty where there is none."""
    string = message.string
    if not string:
        return ("",)
    return (string,) if isinstance(string, str) else tuple(string)


def places(*texts: str) -> set[str]:
    """The `{facts}` in a sentence, or in any of its forms."""
    return set(PLACE.findall(" ".join(texts)))


def bring_up_to_date(domain: Domain, language: Language) -> int:
    """Write the catalogue anew. Returns how many sentences have no translation."""
    kept, fresh, body = known(domain, language), _empty(language), BytesIO()
    for message in said(domain):
        if message.id:
            before = kept.get(message.id)
            fresh.add(message.id, before.string if before else None, locations=message.locations)
    write_po(body, fresh, width=99, include_lineno=False, omit_header=True)
    header = HEADER.format(name=language.name_in_it, language=language)
    domain.path(language).write_bytes(header.encode() + body.getvalue())
    return sum(not all(forms(message)) for message in fresh if message.id)


def _empty(language: Language) -> Catalog:
    catalogue = Catalog(locale=language.value)
    catalogue.mime_headers = [("Plural-Forms", "nplurals=2; plural=(n != 1);")]
    return catalogue


if __name__ == "__main__":
    for language in OTHERS:
        for domain in DOMAINS:
            missing = bring_up_to_date(domain, language)
            print(f"{domain.path(language).relative_to(ROOT)}: {missing} missing")  # noqa: T201
