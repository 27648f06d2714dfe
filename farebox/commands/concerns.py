"""`farebox report`: what subscribers ask about a receipt, and the operator's answers."""

from typing import Annotated

import typer

from farebox.commands.console import AsJson, DataDir, do, show

reports = typer.Typer(
    help="Answers that people reported, and charges they want back.", no_args_is_help=True
)


@reports.command("list")
def list_reports(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """List what is open, the oldest first."""
    rows = do(data_dir, "list_reports", with_closed=everything)
    show(rows, as_json=as_json, empty="Nothing is waiting for an answer.")


@reports.command("close")
def close_report(
    id_: Annotated[str, typer.Argument(metavar="ID", help="From `farebox report list`.")],
    note: Annotated[str, typer.Option(help="What the person reads on the receipt.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Close a report, or decline a refund. To give a charge back, use `farebox refund RECEIPT`."""
    closed = do(data_dir, "close_report", id_=id_, note=note)
    said = "Declined the refund that" if closed["kind"] == "refund" else "Closed what"
    verb = "asked for" if closed["kind"] == "refund" else "reported"
    typer.echo(f"{said} {closed['email']} {verb} about {closed['receipt']}.")
