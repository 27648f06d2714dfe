"""`farebox order` and `farebox voucher`: what was bought, and codes that stand for it."""

from typing import Annotated

import typer

from farebox.commands.console import AsJson, DataDir, do, show

orders = typer.Typer(help="Orders: list them, refund one.", no_args_is_help=True)
vouchers = typer.Typer(help="Vouchers: make, list, withdraw.", no_args_is_help=True)


@orders.command("list")
def list_orders(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List the newest orders, whoever they are from and however they were paid."""
    show(do(data_dir, "list_orders"), as_json=as_json, empty="No orders yet.")


@orders.command("refund")
def refund_order(
    order: Annotated[str, typer.Argument(help="The order's number, from `order list`.")],
    amount: Annotated[
        str,
        typer.Option(metavar="MONEY", help="In all, as in `2.50 USD`; by default all of it."),
    ] = "",
    data_dir: DataDir = None,
) -> None:
    """Take back, in proportion, what a refunded order gave; again is like once."""
    typer.echo(do(data_dir, "refund_order", order=order, amount=amount))


@vouchers.command("create")
def create_vouchers(
    plan: Annotated[str, typer.Argument(help="The plan's slug.")],
    count: Annotated[int, typer.Option(min=1, max=1000)] = 1,
    days: Annotated[
        int, typer.Option("--expires-days", min=0, help="How long they are good; 0 is for ever.")
    ] = 0,
    note: Annotated[str, typer.Option(help="To tell batches apart.")] = "",
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Print new codes. They are shown only now: only their hashes are kept."""
    made = do(data_dir, "create_vouchers", plan=plan, count=count, days=days, note=note)
    show(made, as_json=as_json, empty="")


@vouchers.command("list")
def list_vouchers(as_json: AsJson = False, data_dir: DataDir = None) -> None:
    """List vouchers by their numbers, without their codes."""
    show(do(data_dir, "list_vouchers"), as_json=as_json, empty="No vouchers yet.")


@vouchers.command("void")
def void_voucher(
    number: Annotated[int, typer.Argument(help="The voucher's number, from `voucher list`.")],
    data_dir: DataDir = None,
) -> None:
    """Make a voucher useless that was not redeemed."""
    do(data_dir, "void_voucher", number=number)
    typer.echo(f"Voucher {number} is void.")
