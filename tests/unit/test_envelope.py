"""Sealed secrets open with their key, in their place, unchanged; and nowhere else."""

import pickle
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.vault.envelope import MasterKey, Place, Sealed, SecretUnreadable, open_sealed, seal

KEY = MasterKey(bytes(range(32)))
PLACE = Place("secret", "0193-a", 1)
BINARY_FIELDS = ("ciphertext", "nonce", "wrapped_key", "wrap_nonce")

texts = st.text(max_size=60)
places = st.builds(
    Place,
    st.sampled_from(["secret", "secret|1", "other"]),
    st.text(alphabet="ab|:1", max_size=4),
    st.integers(1, 3),
)


@given(text=texts, place=places)
def test_what_was_sealed_opens_again(text: str, place: Place) -> None:
    assert open_sealed(seal(text, place, KEY), place, KEY) == text


@given(here=places, elsewhere=places)
def test_a_value_put_in_another_place_does_not_open(here: Place, elsewhere: Place) -> None:
    if here == elsewhere:
        return
    with pytest.raises(SecretUnreadable):
        open_sealed(seal("sk-demo", here, KEY), elsewhere, KEY)


@given(data=st.data())
def test_any_flipped_bit_keeps_it_shut(data: st.DataObject) -> None:
    sealed = seal("sk-demo-a-builders-key", PLACE, KEY)
    name = data.draw(st.sampled_from(BINARY_FIELDS))
    value: bytes = getattr(sealed, name)
    bit = data.draw(st.integers(0, len(value) * 8 - 1))
    flipped = (int.from_bytes(value) ^ (1 << bit)).to_bytes(len(value))
    with pytest.raises(SecretUnreadable):
        open_sealed(_changed(sealed, name, flipped), PLACE, KEY)


@pytest.mark.parametrize("name", BINARY_FIELDS)
def test_a_part_of_another_row_or_cut_short_keeps_it_shut(name: str) -> None:
    sealed, other = seal("one", PLACE, KEY), seal("two", PLACE, KEY)
    for value in (getattr(other, name), getattr(sealed, name)[:-1], b""):
        with pytest.raises(SecretUnreadable):
            open_sealed(_changed(sealed, name, value), PLACE, KEY)


def test_another_master_key_does_not_open_it() -> None:
    with pytest.raises(SecretUnreadable):
        open_sealed(seal("sk-demo", PLACE, KEY), PLACE, MasterKey(bytes(32)))


def test_sealing_twice_looks_different_each_time() -> None:
    first, second = seal("same", PLACE, KEY), seal("same", PLACE, KEY)
    assert all(getattr(first, name) != getattr(second, name) for name in BINARY_FIELDS)


def test_the_plaintext_is_in_no_part_of_what_is_kept() -> None:
    sealed = seal("sk-planted-secret", PLACE, KEY)
    assert b"planted" not in b"".join(getattr(sealed, name) for name in BINARY_FIELDS)
    assert {f.name for f in fields(Sealed)} == {*BINARY_FIELDS, "master_key_id"}


def test_a_master_key_shows_itself_in_no_way() -> None:
    raw = bytes(range(32))
    for shown in (repr(KEY), str(KEY), f"{KEY}"):
        assert raw.hex() not in shown
        assert str(raw) not in shown
    assert KEY.fingerprint in repr(KEY)
    assert not hasattr(KEY, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(KEY)


def test_a_derived_key_depends_on_its_purpose_and_on_the_master_key() -> None:
    assert KEY.derive("chat") == MasterKey(bytes(range(32))).derive("chat")
    assert len(KEY.derive("chat")) == 32
    assert len({KEY.derive("chat"), KEY.derive("mail"), MasterKey(bytes(32)).derive("chat")}) == 3


def test_a_master_key_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        MasterKey(b"short")


def _changed(sealed: Sealed, name: str, value: bytes) -> Sealed:
    parts = {part: getattr(sealed, part) for part in BINARY_FIELDS} | {name: value}
    return Sealed(**parts, master_key_id=sealed.master_key_id)
