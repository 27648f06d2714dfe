"""What was measured, as a table for people and JSON for programs. A miss is printed as a miss."""

import json
import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.ledger.rounds import Beside
from tests.databases import SERVER

_HEADINGS: Final = ("what", "ours", "baseline", "ratio", "target", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One thing that was measured."""

    name: str
    ours: str
    baseline: str = ""
    ratio: float | None = None
    target: str = ""
    is_met: bool | None = None
    """None: there is no target."""

    @property
    def cells(self) -> tuple[str, ...]:
        """The line as the table shows it."""
        verdict = {None: "", True: "met", False: "MISSED"}[self.is_met]
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        return (self.name, self.ours, self.baseline, ratio, self.target, verdict)


def ratio_line(name: str, found: Beside, *, at_least: float | None = None) -> Line:
    """Messages a second beside others': many times as many is good, or it is only told."""
    return Line(
        name=name,
        ours=f"{found.per_s:,.0f}/s",
        baseline=f"{found.base_per_s:,.0f}/s",
        ratio=found.ratio,
        target="" if at_least is None else f"ratio >= {at_least:g}",
        is_met=None if at_least is None else found.ratio >= at_least,
    )


def small_ratio_line(name: str, *, ours: str, baseline: str, ratio: float, at_most: float) -> Line:
    """A ratio that is to be small."""
    return Line(
        name=name,
        ours=ours,
        baseline=baseline,
        ratio=ratio,
        target=f"ratio <= {at_most:g}",
        is_met=ratio <= at_most,
    )


def limit_line(name: str, figure: float, unit: str, *, at_most: float, baseline: str = "") -> Line:
    """An absolute figure of ours that is to be small."""
    return Line(
        name=name,
        ours=f"{figure:,.1f} {unit}",
        baseline=baseline,
        target=f"ours <= {at_most:g} {unit}",
        is_met=figure <= at_most,
    )


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    return {
        "cores": str(os.cpu_count()),
        "load": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "SQLite": sqlite3.sqlite_version,
        "PostgreSQL": _postgresql_version() if SERVER else "none",
    }


def table(lines: Sequence[Line]) -> str:
    """The lines under their headings, in columns."""
    rows = [_HEADINGS, *(line.cells for line in lines)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def write_json(path: Path, lines: Sequence[Line]) -> None:
    """The same for programs."""
    report = {"machine": machine(), "lines": [asdict(line) for line in lines]}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _postgresql_version() -> str:
    with psycopg.connect(SERVER) as connection:
        version: str = connection.execute("SHOW server_version").fetchall()[0][0]
    return version.split(maxsplit=1)[0]
