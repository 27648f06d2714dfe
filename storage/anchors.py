r"""What every wallet's history was at one moment, written down where nobody here can change it.

The hash chain shows a changed entry, but not a tail that was rewound consistently: entries,
totals, holds and heads taken back together. For that, somebody outside must remember where each
wallet stood. An anchor is a file of lines, each ended by one `\n`, without spaces:

    {"wallet":1,"seq":7,"head":"<64 hex digits>"}       for every wallet, by rising id
    {"root":"<64 hex digits>","at":1795000000000000,"wallets":1,"entries":7}

`seq` is the number of the wallet's last entry, `head` its hash (zeros for a wallet without one).
`root` is the SHA-256 of the bytes of all lines before it, so `sed '$d' FILE | sha256sum` says it
too, and the same ledger has the same root whoever lists it. `at` is the moment, in microseconds;
`entries` is the sum of `seq`.

Keep the file where you like, and the root where the database's administrator cannot change it.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, BinaryIO, Final, TypeAlias

from sqlmodel import Session

from storage.invariants import Violation, violations_of
from storage.moments import Micros
from storage.snapshots import stream

ANCHOR: Final = "what was anchored still stands"
_BIGGEST: Final = 2**63 - 1
_LONGEST: Final = 256
"""Bytes of a line; no line of an anchor is longer."""
_ASKED: Final = 500
"""Wallets looked up at a time."""
_NUMBER: Final = rb"(0|[1-9]\d{0,18})"
_HASH: Final = rb'"([0-9a-f]{64})"'
_STAND: Final = re.compile(rb'\{"wallet":%b,"seq":%b,"head":%b\}\n' % (_NUMBER, _NUMBER, _HASH))
_LAST: Final = re.compile(
    rb'\{"root":%b,"at":%b,"wallets":%b,"entries":%b\}\n' % (_HASH, _NUMBER, _NUMBER, _NUMBER)
)
_Stand: TypeAlias = tuple[int, int, str]
"""A wallet's id, the number of its last entry, and the hash of it in hex."""


class BadAnchor(Exception):
    """The file is no anchor of this ledger; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The last line: what the lines before it come to."""

    root: str
    at: Micros
    wallets: int
    entries: int


def write_anchor(session: Session, out: BinaryIO, at: Micros) -> Anchor:
    """List every wallet as this session sees it."""
    digest = hashlib.sha256()
    wallets = entries = 0
    for wallet_id, seq, head in stream(session, "SELECT id, seq, head FROM wallet ORDER BY id"):
        line = f'{{"wallet":{wallet_id},"seq":{seq},"head":"{bytes(head).hex()}"}}\n'.encode()
        digest.update(line)
        out.write(line)
        wallets += 1
        entries += seq
    anchor = Anchor(root=digest.hexdigest(), at=at, wallets=wallets, entries=entries)
    out.write(json.dumps(asdict(anchor), separators=(",", ":")).encode() + b"\n")
    return anchor


def read_anchor(file: BinaryIO) -> Anchor:
    """The anchor in a file, after checking that its lines come to its root.

    Raises:
        BadAnchor: the file is none, is incomplete, or was changed.
    """
    digest = hashlib.sha256()
    wallets = entries = newest = number = 0
    while line := file.readline(_LONGEST):
        number += 1
        if (stand := _stand_in(line)) is None:
            break
        wallet_id, seq, _ = stand
        if wallet_id <= newest:
            raise BadAnchor(f"line {number} of the anchor is out of order")
        digest.update(line)
        newest = wallet_id
        wallets += 1
        entries += seq
    last = _LAST.fullmatch(line)
    if last is None or file.read(1):
        what = f"line {number} is none of an anchor" if line else "its last line is missing"
        raise BadAnchor(f"this is no whole anchor: {what}")
    at = Micros(int(last[2]))
    found = Anchor(root=digest.hexdigest(), at=at, wallets=wallets, entries=entries)
    stated = Anchor(root=last[1].decode(), at=at, wallets=int(last[3]), entries=int(last[4]))
    if found != stated:
        raise BadAnchor(
            f"the anchor was changed: its {wallets} wallets with {entries} entries come to the"
            f" root {found.root}, its last line says {stated.wallets} wallets with"
            f" {stated.entries} entries and {stated.root}"
        )
    return stated


def check_anchor(session: Session, anchor: Anchor, file: BinaryIO) -> tuple[Violation, ...]:
    """What no longer is as the anchor read from `file` says, as this session sees the ledger.

    Wallets and entries that are newer than the anchor are as they should be.

    Raises:
        BadAnchor: not one of its entries is in this ledger.
    """
    file.seek(0)
    standing = _Standing()
    found = tuple(violations_of(ANCHOR, standing.compare(session, _stands(file))))
    if anchor.entries and not standing.wallets:
        raise BadAnchor(
            f"not one entry that the anchor {anchor.root} lists is in this ledger: the anchor"
            " belongs to another installation, or the whole history was replaced"
        )
    return found


class _Standing:
    """Compares an anchor with a ledger, and counts the wallets whose history is in it."""

    def __init__(self) -> None:
        self.wallets = 0

    def compare(self, session: Session, stands: Iterator[_Stand]) -> Iterator[str]:
        """What each wallet that no longer stands there has become."""
        while asked := list(islice(stands, _ASKED)):
            rows = {row[0]: row[1:] for row in _look_up(session, asked)}
            for wallet_id, seq, head in asked:
                last, found = rows.get(wallet_id, (None, None))
                if last is None:
                    yield f"wallet {wallet_id} is gone; it had {seq} entries"
                elif seq and found is None:
                    yield f"wallet {wallet_id} entry {seq} is gone; the wallet ends at {last}"
                elif seq and found != bytes.fromhex(head):
                    yield f"wallet {wallet_id} entry {seq} has another hash; it was {head}"
                elif seq:
                    self.wallets += 1


def _look_up(session: Session, asked: Sequence[_Stand]) -> Iterator[tuple[Any, ...]]:
    """Of these wallets: the id, the number of the last entry, and the anchored entry's hash."""
    places = ", ".join(f"(:w{n}, :s{n})" for n in range(len(asked)))
    values = {f"w{n}": stand[0] for n, stand in enumerate(asked)}
    values |= {f"s{n}": stand[1] for n, stand in enumerate(asked)}
    query = (
        "SELECT w.id, w.seq, e.hash FROM wallet w"  # noqa: S608 - names of ours; values are bound
        f" JOIN (VALUES {places}) AS stand ON stand.column1 = w.id"
        " LEFT JOIN entry e ON e.wallet_id = w.id AND e.seq = stand.column2"
    )
    return stream(session, query, **values)


def _stands(file: BinaryIO) -> Iterator[_Stand]:
    while (stand := _stand_in(file.readline(_LONGEST))) is not None:
        yield stand


def _stand_in(line: bytes) -> _Stand | None:
    found = _STAND.fullmatch(line)
    if found is None:
        return None
    wallet_id, seq = int(found[1]), int(found[2])
    return (wallet_id, seq, found[3].decode()) if max(wallet_id, seq) <= _BIGGEST else None
