"""The chat's benchmark runs, in its smallest size, and says something of everything."""

from pathlib import Path

from benchmarks.chat.answers import SMALLEST, measure_paced
from benchmarks.ledger.report import table


async def test_an_answer_is_measured_beside_the_sdk(tmp_path: Path) -> None:
    lines = await measure_paced(SMALLEST, tmp_path)
    assert [line.name for line in lines] == [
        "added to the first word, 1 chat",
        f"words/s of {SMALLEST.words}, 1 chat",
        "server CPU per 1,000 words",
    ]
    assert all(line.ours for line in lines)
    assert 0 < (lines[1].ratio or 0) < 2
    assert table(lines).count("\n") == len(lines)
