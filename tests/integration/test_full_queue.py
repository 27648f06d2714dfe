"""When too much waits to be written, nothing new begins, and what was begun still ends."""

import pytest

from storage.database import Database
from storage.errors import LedgerBusy


async def test_a_full_queue_refuses_beginnings_and_takes_ends(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.database.WAITING_MAX", 0)
    database = Database.open(database_url)
    with pytest.raises(LedgerBusy):
        await database.run(lambda _unit: "begun")
    assert await database.run(lambda _unit: "ended", must_land=True) == "ended"
    await database.close()
