"""Lines of the table that this suite prints; the table itself is the ledger's."""

from benchmarks.ledger.report import Line


def beside_line(
    name: str, *, ours: float, baseline: float, ratio: float, unit: str, at_most: float
) -> Line:
    """What is to be small, in its own unit, and how it stands beside another."""
    return Line(
        name=name,
        ours=f"{ours:,.1f} {unit}",
        baseline=f"{baseline:,.1f} {unit}",
        ratio=ratio,
        target=f"ours <= {at_most:g} {unit}",
        is_met=ours <= at_most,
    )
