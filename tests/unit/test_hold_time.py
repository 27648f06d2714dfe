"""How long a hold lives, against how long the work that it pays for may take."""

import pytest
from pydantic import ValidationError

from host.config import Settings
from host.proxy.forwarding import ANSWER_S, IDLE_S


def test_a_hold_cannot_be_set_to_end_while_a_call_may_still_be_silent() -> None:
    shortest = 360
    assert shortest > ANSWER_S + IDLE_S
    assert Settings(hold_ttl_s=shortest).hold_ttl_s == shortest
    with pytest.raises(ValidationError):
        Settings(hold_ttl_s=shortest - 1)
