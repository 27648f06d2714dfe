"""Lines of CSV (RFC 4180) that no spreadsheet will take for a program.

Titles and messages are written by people. A cell that begins with `=`, `+`, `-`, `@` or a control
character is run as a formula by spreadsheets, so an apostrophe is put before it, which they read
as "this is text". Numbers of ours stay numbers.
"""

import csv
import io
import re
from collections.abc import Iterable
from typing import Final, TypeAlias

Cell: TypeAlias = str | int | float | None

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_RUNS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")


def csv_line(cells: Iterable[Cell]) -> str:
    """One line, with its end."""
    written = io.StringIO()
    csv.writer(written).writerow([_harmless(cell) for cell in cells])
    return written.getvalue()


def _harmless(cell: Cell) -> Cell:
    if not isinstance(cell, str) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}" if cell.lstrip(" ").startswith(_RUNS) else cell
