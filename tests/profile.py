"""How much the tests do: a short profile for every change, a long one for a release."""

import os
from typing import Final

LONG: Final = os.environ.get("FAREBOX_TEST_PROFILE", "short") == "long"  # noqa: TID251 - for tests alone
