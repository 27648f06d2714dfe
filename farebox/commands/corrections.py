"""`farebox refund` and `farebox revoke`: what was charged, or given, by mistake."""

from typing import Annotated

import typer

from farebox.commands.console import DataDir, Request, do_once
from farebox.commands.people import Email


def refund(
    receipt: Annotated[str, typer.Argument(help="The receipt's number.")],
    credits_: Annotated[
        str, typer.Option("--credits", metavar="N", help="By default all that is left of it.")
    ] = "",
    note: Annotated[str, typer.Option(help="Why; kept in the audit log.")] = "",
    request: Request = None,
    data_dir: DataDir = None,
) -> None:
    """Give back what a message or call was charged, in part or whole."""
    facts = {"receipt": receipt, "credits_": credits_, "note": note}
    typer.echo(do_once(data_dir, "refund", request=request, **facts))


def _said(note: str) -> str:
    """Why, in words: it takes what somebody has, so the audit log must be able to tell."""
    if not note.strip():
        raise typer.BadParameter("say why; it is kept in the audit log")
    return note


def revoke(
    email: Email,
    plan: Annotated[str, typer.Argument(help="The plan's slug.")],
    note: Annotated[str, typer.Option(help="Why; kept in the audit log.", callback=_said)],
    request: Request = None,
    data_dir: DataDir = None,
) -> None:
    """Take a plan back: it ends at once, and what is unspent of its credits is gone."""
    facts = {"email": email, "plan": plan, "note": note}
    typer.echo(do_once(data_dir, "revoke", request=request, **facts))
