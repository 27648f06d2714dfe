"""The hash chain, against the vector that both databases share."""

from dataclasses import replace

import pytest

from storage.chain import FIRST_HEAD, EntryLine, entry_hash

LINE = EntryLine(
    wallet_id=1,
    seq=1,
    version=1,
    kind="grant",
    amount=100_000,
    balance_after=100_000,
    grant_id=1,
    hold_id=None,
    reverses=None,
    idempotency_key="order:42",
    created_at=1_795_000_000_000_000,
)


def test_an_entry_hashes_to_the_published_vector() -> None:
    assert entry_hash(FIRST_HEAD, LINE).hex() == (
        "2c163a38dadaa2eb1f583755d1d92aaed7a43dfb775a2ffee51999f04ad98b00"
    )


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(replace(LINE, amount=100_001), id="amount"),
        pytest.param(replace(LINE, grant_id=None, hold_id=1), id="a value moved to its neighbour"),
        pytest.param(replace(LINE, idempotency_key=None), id="key"),
        pytest.param(replace(LINE, created_at=LINE.created_at + 1), id="time"),
    ],
)
def test_any_change_of_an_entry_changes_its_hash(other: EntryLine) -> None:
    assert entry_hash(FIRST_HEAD, other) != entry_hash(FIRST_HEAD, LINE)


def test_the_same_entry_after_another_hashes_differently() -> None:
    assert entry_hash(bytes([1]) * 32, LINE) != entry_hash(FIRST_HEAD, LINE)
