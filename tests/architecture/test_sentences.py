"""Whatever the code says to people can be said in every language, with the same facts in it."""

import pytest

from host.language import Language
from tests.sentences import DOMAINS, OTHERS, Domain, forms, known, places, said

EVERY = [
    pytest.param(domain, language, id=domain.path(language).name)
    for domain in DOMAINS
    for language in OTHERS
]


@pytest.mark.parametrize(("domain", "language"), EVERY)
def test_a_catalogue_has_what_the_code_says_and_nothing_else(
    domain: Domain, language: Language
) -> None:
    kept = {message.id for message in known(domain, language) if message.id}
    assert kept == {message.id for message in said(domain) if message.id}, (
        "run `python -m tests.sentences`"
    )


@pytest.mark.parametrize(("domain", "language"), EVERY)
def test_every_sentence_is_translated_with_its_facts(domain: Domain, language: Language) -> None:
    for message in known(domain, language):
        if not message.id:
            continue
        english = (message.id,) if isinstance(message.id, str) else message.id
        translated = forms(message)
        assert all(translated), f"not translated: {english[0]}"
        assert not message.fuzzy, f"looked at by nobody: {english[0]}"
        assert len(translated) == len(english), f"forms missing: {english[0]}"
        assert places(*translated) == places(*english), f"other facts: {english[0]}"
