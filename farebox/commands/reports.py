"""`farebox ledger statement` and `farebox plan earnings`: what a period came to.

They read the database directly, as `farebox ledger verify` does, and print what the API answers.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import typer
from sqlmodel import Session

from farebox.commands.console import AsJson, DataDir, read, refuse, show
from host.api.report_views import StatementLine, StatementView
from host.api.reports import earnings_of, statement_of
from host.catalogue.offering_fields import shown
from host.clock import SystemClock
from host.errors import FareboxError, InvalidInput
from host.identity.rules import clean_email
from storage.accounts import AccountRecord, find_account_by_email
from storage.models.accounts import Role
from storage.periods import Dates, read_dates

T = TypeVar("T")

From: TypeAlias = Annotated[
    str, typer.Option("--from", metavar="DATE", help="The first day, UTC; by default a month.")
]
To: TypeAlias = Annotated[
    str, typer.Option("--to", metavar="DATE", help="The day before which it ends.")
]


def tell_statement(
    email: Annotated[str, typer.Argument(help="The account's e-mail address.")],
    since: From = "",
    until: To = "",
    plan: Annotated[str, typer.Option(metavar="SLUG", help="Of this plan alone.")] = "",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Print what was in a wallet, each entry of a period, and what was in it then."""
    dates = _dates(since, until)

    def tell(session: Session) -> StatementView:
        return statement_of(session, _account(session, email).id, dates, plan_slug=plan or None)

    told = _read(data_dir, tell)
    if as_json:
        typer.echo(told.model_dump_json(by_alias=True, indent=2))
        return
    typer.echo(f"Statement of {email}, from {told.since} until before {told.until}")
    typer.echo(f"Opening balance: {told.opening}")
    show([_row(line) for line in told.lines], as_json=False, empty="No entries.")
    for kind, total in told.totals.items():
        if total:
            typer.echo(f"{kind}: {total:+}")
    typer.echo(f"Closing balance: {told.closing}")


def tell_earnings(
    owner: Annotated[str, typer.Option(metavar="EMAIL", help="Of this builder alone.")] = "",
    since: From = "",
    until: To = "",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Print what plans earned in a period, by currency, today included."""
    dates, now = _dates(since, until), SystemClock().now()

    def tell(session: Session) -> list[dict[str, Any]]:
        of = _account(session, owner) if owner else None
        rows = [
            {"plan": plan.plan, **line.model_dump()}
            for plan in earnings_of(session, now, dates, owner_id=of.id if of else None).plans
            for line in plan.totals
        ]
        if of is not None and not rows and Role.BUILDER not in of.roles:
            raise InvalidInput(f"{of.email} is no builder: only builders have plans that earn.")
        return rows

    show(_read(data_dir, tell), as_json=as_json, empty="Nothing was earned.")


def _row(line: StatementLine) -> dict[str, Any]:
    return {
        "seq": line.seq,
        "at": _moment(line.at),
        "kind": line.kind,
        "amount": f"{line.amount:+}",
        "balance": line.balance_after,
        "plan": line.plan,
        "for": line.title if line.receipt else line.source,
        "receipt": line.receipt,
    }


def _dates(since: str, until: str) -> Dates:
    try:
        return read_dates(
            since or None, until or None, SystemClock().now(), names=("--from", "--to")
        )
    except ValueError as error:
        asked = (("--from", since), ("--to", until))
        given = " ".join(f"{name} “{shown(date)}”" for name, date in asked if date)
        typer.echo(f"{error}; given was {given}", err=True)
        raise typer.Exit(2) from None


def _account(session: Session, email: str) -> AccountRecord:
    found = find_account_by_email(session, clean_email(email))
    if found is None:
        raise InvalidInput(f"There is no account with the address {shown(email)}.")
    return found


def _read(data_dir: DataDir, work: Callable[[Session], T]) -> T:
    try:
        return read(data_dir, work)
    except FareboxError as error:
        refuse(error.detail)


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")
