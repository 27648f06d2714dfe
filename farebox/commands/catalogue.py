"""`farebox plan` and `farebox offering`: what is for sale."""

from typing import Annotated

import typer

from farebox.commands.console import AsJson, DataDir, do, show

plans = typer.Typer(help="Plans: what people buy.", no_args_is_help=True)
offerings = typer.Typer(help="Offerings: assistants and services.", no_args_is_help=True)

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


def _move(data_dir: DataDir, step: str, slug: str) -> None:
    state = do(data_dir, "move_offering", slug=slug, step=step)
    typer.echo(f"{slug} is {state}.")
