"""Nothing that has the shape of a key reaches the log, wherever in an event it stands."""

import io
import logging
import re
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from host.logs import set_up_logs

KEY = "sk-proj-0123456789abcdefghij"
TOKEN = "Bearer eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl"


@pytest.fixture(params=["text", "json"])
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What is written to standard error."""
    root = logging.getLogger()
    level = root.level
    kind: Literal["text", "json"] = request.param
    set_up_logs(kind)
    (handler,) = root.handlers
    assert isinstance(handler, logging.StreamHandler)
    written = io.StringIO()
    handler.setStream(written)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(KEY, id="text"),
        pytest.param(f"line\n{KEY}", id="text of two lines"),
        pytest.param({"headers": {"Authorization": TOKEN}}, id="mapping in a mapping"),
        pytest.param({KEY: 1}, id="name in a mapping"),
        pytest.param([("Authorization", TOKEN)], id="pairs"),
        pytest.param(ValueError(f"refused\n{KEY}"), id="exception"),
        pytest.param([ValueError(TOKEN)], id="exception in a list"),
        pytest.param(TOKEN.encode(), id="bytes"),
    ],
)
def test_no_value_of_an_event_carries_a_key(log: io.StringIO, value: object) -> None:
    structlog.get_logger("farebox.test").info("it.happened", value=value, count=3)
    logging.getLogger("a.library").warning("it said %s", value)
    shown = log.getvalue()
    assert shown.count("[secret removed]") == 2
    assert KEY not in shown
    assert TOKEN.removeprefix("Bearer ") not in shown
    assert re.search(r"count\W+3", shown)


def test_a_traceback_carries_no_key(log: io.StringIO) -> None:
    try:
        int(KEY)  # its error quotes what it was given
    except ValueError:
        structlog.get_logger("farebox.test").exception("it.broke")
        logging.getLogger("a.library").exception("it broke")
    shown = log.getvalue()
    assert "ValueError" in shown
    assert KEY not in shown
