"""The operator's terms: Markdown, and nothing that could act."""

import pytest

from host.pages.terms import terms_written


@pytest.mark.parametrize(
    "planted",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://elsewhere.example/count.png)",
    ],
)
def test_what_could_act_is_text(planted: str) -> None:
    written = terms_written(f"# Terms\n\n{planted}\n")
    assert "<h1>Terms</h1>" in written
    for tag in ("<script", "<img", 'href="javascript', 'href="data'):
        assert tag not in written


def test_headings_tables_and_links_are_drawn() -> None:
    written = terms_written("| a | b |\n|---|---|\n| c | d |\n\n[us](https://example.com)\n")
    assert "<td>c</td>" in written
    assert '<a href="https://example.com">us</a>' in written
