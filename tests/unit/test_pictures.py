"""Pictures of other hosts become links, in a whole text and in one that grows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_ui.pictures import Painter, without_pictures

PICTURE = "![A triangle](https://example.org/t.png)"
LINK = "[Picture: A triangle (example.org)](https://example.org/t.png)"


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        (f"Look: {PICTURE}!", f"Look: {LINK}!"),
        (
            '![](http://a.example/x "a title")',
            "[Picture: without a name (a.example)](http://a.example/x)",
        ),
        (f"`{PICTURE}`", f"`{PICTURE}`"),
        (f"```md\n{PICTURE}\n```\n{PICTURE}", f"```md\n{PICTURE}\n```\n{LINK}"),
        ("![ours](/files/1)", "![ours](/files/1)"),
        ("[a link](https://example.org/)", "[a link](https://example.org/)"),
        ("wow![not one", "wow![not one"),
    ],
)
def test_what_is_drawn(text: str, drawn: str) -> None:
    assert without_pictures(text) == drawn


@given(st.integers(0, 200), st.lists(st.integers(1, 9), min_size=1))
def test_a_picture_is_never_drawn_while_its_text_grows(offset: int, sizes: list[int]) -> None:
    text = f"{'x' * offset} a! {PICTURE} and {PICTURE}, done."
    painter, shown, at, turn = Painter(), "", 0, 0
    while at < len(text):
        size = sizes[turn % len(sizes)]
        shown += painter.draw(text[at : at + size])
        assert "![" not in shown
        at, turn = at + size, turn + 1
    assert shown == without_pictures(text)


def test_a_text_without_pictures_is_drawn_at_once() -> None:
    painter = Painter()
    assert [painter.draw(piece) for piece in ("One! ", "two", "!", "\n")] == [
        "One! ",
        "two",
        "",
        "!\n",
    ]
