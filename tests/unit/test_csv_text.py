"""CSV that spreadsheets read as text, whatever people wrote."""

import csv
import io

import pytest

from host.personal.csv_text import Cell, csv_line


@pytest.mark.parametrize(
    "written",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", '=HYPERLINK("x")', "-"],
)
def test_what_a_spreadsheet_would_run_is_marked_as_text(written: str) -> None:
    (cells,) = csv.reader(io.StringIO(csv_line([written])))
    assert cells == [f"'{written}"]


@pytest.mark.parametrize(
    ("cell", "read"),
    [(-5, "-5"), (-0.25, "-0.25"), ("-7", "-7"), ("5.25", "5.25"), (None, ""), ("a=b", "a=b")],
)
def test_numbers_stay_numbers_and_words_stay_words(cell: Cell, read: str) -> None:
    (cells,) = csv.reader(io.StringIO(csv_line([cell])))
    assert cells == [read]


def test_commas_quotes_and_line_breaks_stay_in_their_cell() -> None:
    cells = ['a "b", c', "two\nlines", "x"]
    assert list(csv.reader(io.StringIO(csv_line(cells), newline=""))) == [cells]
