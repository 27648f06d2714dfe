"""`farebox plan` and `farebox offering`: what is for sale."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from farebox.commands.console import AsJson, DataDir, do, refuse, show
from host.catalogue.openapi import read_document
from host.errors import InvalidInput

plans = typer.Typer(help="Plans: what people buy.", no_args_is_help=True)
offerings = typer.Typer(help="Offerings: assistants and services.", no_args_is_help=True)

STANDARD_INPUT = Path("-")
Document = Annotated[
    Path, typer.Argument(help="An OpenAPI document, JSON or YAML; - is standard input.")
]
Slug = Annotated[str, typer.Argument(help="The offering's slug.")]


@plans.command("create")
def create_plan(
    owner: Annotated[str, typer.Argument(help="The builder's e-mail address.")],
    title: Annotated[str, typer.Argument()],
    price: Annotated[str, typer.Option(help="As in `5.00 USD`; `free` for nothing.")],
    credits_: Annotated[str, typer.Option("--credits", help="Credits it gives.")] = "",
    days: Annotated[int, typer.Option(help="How long it lasts; 0 is for ever.", min=0)] = 0,
    data_dir: DataDir = None,
) -> None:
    """Create a plan: of credits, or (without --credits) of time."""
    made = do(
        data_dir,
        "create_plan",
        owner=owner,
        title=title,
        price=price,
        credits_=credits_,
        days=days,
    )
    typer.echo(f"Created plan {made['slug']}.")


@plans.command("list")
def list_plans(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List plans with their terms."""
    show(do(data_dir, "list_plans"), as_json=as_json, empty="No plans yet.")


@offerings.command("list")
def list_offerings(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List offerings."""
    show(do(data_dir, "list_offerings"), as_json=as_json, empty="No offerings yet.")


@offerings.command("publish")
def publish(slug: Slug, data_dir: DataDir = None) -> None:
    """Put an offering on sale."""
    _move(data_dir, "publish", slug)


@offerings.command("pause")
def pause(slug: Slug, data_dir: DataDir = None) -> None:
    """Answer nobody for now; nobody is charged."""
    _move(data_dir, "pause", slug)


@offerings.command("resume")
def resume(slug: Slug, data_dir: DataDir = None) -> None:
    """Answer again."""
    _move(data_dir, "resume", slug)


@offerings.command("retire")
def retire(slug: Slug, data_dir: DataDir = None) -> None:
    """Withdraw an offering for good; its history stays."""
    _move(data_dir, "retire", slug)


@offerings.command("accept")
def accept(
    slug: Slug,
    files: Annotated[str, typer.Argument(help="none, images, documents or both.")],
    data_dir: DataDir = None,
) -> None:
    """Say which files may be sent to an assistant, from its next message on."""
    accepts = do(data_dir, "accept_files", slug=slug, accepts=files)
    typer.echo(f"{slug} accepts {accepts if accepts != 'both' else 'images and documents'}.")


@offerings.command("operations")
def operations(document: Document, as_json: AsJson = False) -> None:
    """List what an OpenAPI document describes, how risky it is, and what would be offered."""
    try:
        described = read_document(_text(document))
    except InvalidInput as refused:
        refuse(refused.detail)
    rows = [
        {
            "operation": f"{one.method} {one.path}",
            "risk": one.risk,
            "on": one.is_on,
            "says": one.summary,
        }
        for one in described.operations
    ]
    show(rows, as_json=as_json, empty="")
    for line in described.left_out:
        typer.echo(f"Left out: {line}", err=True)


@offerings.command("register-service")
def register_service(  # noqa: PLR0913, PLR0917 - what a service is made of
    owner: Annotated[str, typer.Argument(help="The builder's e-mail address.")],
    document: Document,
    price: Annotated[str, typer.Option(help="Credits for each call; `free` for nothing.")],
    plan: Annotated[list[str], typer.Option(help="A plan that covers it; may be repeated.")],
    upstream: Annotated[
        str, typer.Option(help="Where it is; by default the document's first server.")
    ] = "",
    title: Annotated[str, typer.Option(help="By default the document's.")] = "",
    on: Annotated[
        list[str] | None, typer.Option(help="Offer it as well: `POST /upsert`; may be repeated.")
    ] = None,
    off: Annotated[
        list[str] | None, typer.Option(help="Do not offer it: `POST /ask`; may be repeated.")
    ] = None,
    credential_stdin: Annotated[
        bool,
        typer.Option(
            "--credential-stdin",
            help="Read from standard input what the service is sent as a bearer token.",
        ),
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Register a service as a draft, with the operations of its OpenAPI document."""
    if credential_stdin and document == STANDARD_INPUT:
        raise typer.BadParameter("the document and the credential cannot both come that way")
    made = do(
        data_dir,
        "register_service",
        owner=owner,
        document=_text(document),
        price=price,
        plans=plan,
        upstream=upstream,
        title=title,
        on=on or [],
        off=off or [],
        credential=sys.stdin.readline().strip() if credential_stdin else "",
    )
    typer.echo(f"Registered {made['slug']} as a draft, with:")
    for line in made["endpoints"]:
        typer.echo(f"  {line}")
    for line in made["left_out"]:
        typer.echo(f"Left out: {line}", err=True)
    typer.echo(f"`farebox offering publish {made['slug']}` puts it on sale.")


def _text(document: Path) -> str:
    """What is in it; what is no text is left to be refused as no document."""
    if document == STANDARD_INPUT:
        return sys.stdin.read()
    try:
        return document.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        refuse(f"{document} cannot be read: {error.strerror}")


def _move(data_dir: DataDir, step: str, slug: str) -> None:
    state = do(data_dir, "move_offering", slug=slug, step=step)
    typer.echo(f"{slug} is {state}.")
