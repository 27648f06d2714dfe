"""Identifiers that people and other programs see: UUIDs of version 7 (RFC 9562).

Their leading bits are the time of making, so an index on them grows at one end; the rest is
random, so they cannot be guessed. Python brings `uuid.uuid7` only from 3.14.
"""

import secrets
import time
from uuid import UUID


def new_id() -> str:
    """A fresh UUIDv7 in its canonical text form."""
    milliseconds = time.time_ns() // 1_000_000
    chance = secrets.randbits(74)
    variant = 0x8000 | (chance >> 48) & 0x3FFF  # digits are put together: a UUID takes longer
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}"
        f"-7{chance >> 62:03x}-{variant:04x}-{chance & 0xFFFF_FFFF_FFFF:012x}"
    )


def is_id(written: str) -> bool:
    """Whether it is written as we write ids, so that it may be looked for."""
    try:
        return str(UUID(written)) == written
    except ValueError:
        return False
