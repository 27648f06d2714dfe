"""`farebox account`, `farebox token`, `farebox grant`: people, and what they may use."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from farebox.commands.archives import write_archive
from farebox.commands.console import AsJson, DataDir, Request, do, do_once, show
from host.identity.access_tokens import DAYS_MAX

accounts = typer.Typer(
    help="People: who may come in, as what, and their data.", no_args_is_help=True
)
tokens = typer.Typer(help="Access tokens: one subscriber, one offering.", no_args_is_help=True)


class RoleName(StrEnum):
    """A role, as typed."""

    SUBSCRIBER = "subscriber"
    BUILDER = "builder"
    OPERATOR = "operator"


Email = Annotated[str, typer.Argument(help="The account's e-mail address.")]


@accounts.command("create")
def create_account(
    email: Email,
    role: Annotated[list[RoleName], typer.Option(help="Repeat for several roles.")],
    name: Annotated[str, typer.Option(help="What people see; by default from the address.")] = "",
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Create an account. Without a password it prints a single-use link to set one."""
    password = sys.stdin.readline().rstrip("\n") if password_stdin else None
    made = do(
        data_dir,
        "create_account",
        email=email,
        name=name,
        roles=[str(one) for one in role],
        password=password,
    )
    typer.echo(f"Created {made['email']} ({', '.join(made['roles'])}).")
    if made["link"]:
        typer.echo(f"To set a password: {made['link']}")


@accounts.command("list")
def list_accounts(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List accounts."""
    show(do(data_dir, "list_accounts"), as_json=as_json, empty="No accounts yet.")


@accounts.command("invite")
def invite(email: Email, role: RoleName = RoleName.SUBSCRIBER, data_dir: DataDir = None) -> None:
    """Print a single-use link with which this person can sign up."""
    typer.echo(do(data_dir, "invite", email=email, role=str(role)))


@accounts.command("suspend")
def suspend(email: Email, data_dir: DataDir = None) -> None:
    """Keep an account out; its balance stays."""
    do(data_dir, "suspend", email=email)
    typer.echo(f"{email} is suspended and signed out everywhere.")


@accounts.command("reinstate")
def reinstate(email: Email, data_dir: DataDir = None) -> None:
    """Let a suspended account come in again."""
    do(data_dir, "reinstate", email=email)
    typer.echo(f"{email} may come in again.")


@accounts.command("role")
def role(
    email: Email,
    give: Annotated[RoleName | None, typer.Option(help="One role more.")] = None,
    take: Annotated[RoleName | None, typer.Option(help="One role less.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Give an account that exists a role, or take one back."""
    if (give is None) == (take is None):
        raise typer.BadParameter("give --give ROLE or --take ROLE")
    verb = "take_role" if give is None else "give_role"
    roles = do(data_dir, verb, email=email, role=str(give or take))
    typer.echo(f"{email} is now: {', '.join(roles) or 'nothing'}.")


@accounts.command("export")
def export(
    email: Email,
    out: Annotated[Path, typer.Option(help="The archive to make; it must not exist yet.")],
    data_dir: DataDir = None,
) -> None:
    """Write all that is kept about a person in one archive, as they can have it themselves."""
    write_archive(data_dir, email, out)
    typer.echo(f"Wrote {out}.")


@accounts.command("delete")
def delete(
    email: Email,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Erase a person: account, conversations, keys. Books and purchases stay, without a name."""
    if not yes:
        typer.confirm(f"Delete {email} for good?", abort=True)
    do(data_dir, "delete_account", email=email)
    typer.echo(f"{email} is deleted. What was bought and charged stays in the books, nameless.")


@accounts.command("reset-link")
def reset_link(email: Email, data_dir: DataDir = None) -> None:
    """Print a single-use link to set a new password."""
    typer.echo(do(data_dir, "reset_link", email=email))


@accounts.command("cap")
def cap(
    email: Email,
    credits_: Annotated[
        str, typer.Option("--credits", metavar="N", help="The most that may be spent in a day.")
    ] = "",
    none: Annotated[bool, typer.Option("--none", help="Lift the limit.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Limit what an account may spend in a day (UTC), lift that limit, or say what it is.

    Its owner may have set a limit too: the smaller of both counts, and each lifts their own.
    """
    if credits_ and none:
        raise typer.BadParameter("give --credits or --none, not both")
    if credits_ or none:
        typer.echo(do(data_dir, "set_cap", email=email, credits_=credits_ or None))
    else:
        typer.echo(do(data_dir, "tell_cap", email=email))


@tokens.command("create")
def create_access_token(
    email: Email,
    offering: Annotated[str, typer.Argument(help="The offering's slug.")],
    days: Annotated[int, typer.Option(min=1, max=DAYS_MAX)] = 30,
    name: Annotated[str, typer.Option(help="To tell access tokens apart.")] = "",
    data_dir: DataDir = None,
) -> None:
    """Print a new access token. It is shown only now."""
    typer.echo(
        do(
            data_dir,
            "create_access_token",
            email=email,
            offering=offering,
            days=days,
            name=name,
        )
    )


@tokens.command("list")
def list_access_tokens(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List access tokens, by their number."""
    show(do(data_dir, "list_access_tokens"), as_json=as_json, empty="No access tokens.")


@tokens.command("revoke")
def revoke_access_token(
    jti: Annotated[str, typer.Argument(help="The access token's number, from `token list`.")],
    data_dir: DataDir = None,
) -> None:
    """Make an access token useless at once."""
    do(data_dir, "revoke_access_token", jti=jti)
    typer.echo(f"Revoked {jti}.")


def grant(
    email: Email,
    plan: Annotated[str, typer.Argument(help="The plan's slug.")],
    credits_: Annotated[
        str, typer.Option("--credits", help="By default what the plan gives.")
    ] = "",
    note: Annotated[str, typer.Option(help="Why; kept in the audit log.")] = "",
    request: Request = None,
    data_dir: DataDir = None,
) -> None:
    """Give a plan by hand: its credits, or its time."""
    facts = {"email": email, "plan": plan, "credits_": credits_, "note": note}
    typer.echo(do_once(data_dir, "grant", request=request, **facts)["sentence"])
