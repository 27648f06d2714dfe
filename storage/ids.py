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
    value = (milliseconds << 80) | secrets.randbits(80)
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return str(UUID(int=value))


def is_id(written: str) -> bool:
    """Whether it is written as we write ids, so that it may be looked for."""
    try:
        return str(UUID(written)) == written
    except ValueError:
        return False
