"""What the commands about orders and vouchers do, as verbs: a part of `farebox.verbs`."""

from typing import Any

from host.app import Host
from host.catalogue.currencies import format_price, parse_money
from host.catalogue.offering_fields import refusal, shown
from host.pages.plan_words import span
from host.purchase.refunding import OrderRefunded
from host.purchase.vouchers import VoucherBatch
from host.writing import credits_written
from storage.credits import MilliCredits
from storage.erasing import nobody
from storage.models.catalogue import PlanKind
from storage.moments import NEVER, Micros, to_datetime
from storage.orders import OrderView


async def list_orders(host: Host) -> list[dict[str, Any]]:
    """Everybody's newest orders."""
    emails = {account.id: account.email for account in await host.accounts.list()}
    return [
        {
            "order": order.id,
            "email": emails.get(order.account_id) or nobody(order.account_id),
            "plan": order.plan_slug,
            "price": format_price(order.amount_minor, order.currency),
            "provider": order.provider,
            "state": order.state,
            "refunded": _money(order, order.refunded_minor),
            "written_off": _amount(order, order.written_off) if order.written_off else None,
            "created": _moment(order.created_at),
        }
        for order in await host.purchases.all_orders()
    ]


async def refund_order(host: Host, *, order: str, amount: str) -> str:
    """Refund an order until so much has been given back in all. Returns sentences."""
    in_all = _minor(amount, await host.purchases.find(None, order)) if amount else None
    done = await host.purchases.refund(None, order, in_all)
    email = (await host.accounts.get(done.order.account_id)).email
    return " ".join(_refunded(email, done))


async def create_vouchers(
    host: Host, *, plan: str, count: int, days: int, note: str
) -> list[dict[str, Any]]:
    """New vouchers, with their codes, which nobody can see again."""
    batch = VoucherBatch(plan_slug=plan, count=count, days=days or None, note=note)
    return [
        {"number": one.number, "code": one.code} for one in await host.vouchers.issue(None, batch)
    ]


async def list_vouchers(host: Host) -> list[dict[str, Any]]:
    """Every voucher but its code."""
    return [
        {
            "number": line.number,
            "plan": line.plan_slug,
            "state": line.state,
            "redeemed_by": line.redeemed_by,
            "order": line.order_id,
            "expires": None if line.expires_at >= NEVER else _date(line.expires_at),
            "note": line.note,
        }
        for line in await host.vouchers.listed()
    ]


async def void_voucher(host: Host, *, number: int) -> None:
    """Make a voucher useless."""
    await host.vouchers.void(None, number)


def _minor(amount: str, order: OrderView) -> int:
    """How much is meant, in the order's currency."""
    try:
        money = parse_money(amount)
    except ValueError as error:
        raise refusal(
            "amount", f"“{shown(amount)}” is no amount.", str(error), "2.50 USD"
        ) from None
    if money.currency != order.currency:
        raise refusal(
            "amount", "That is another currency.", f"This order is in {order.currency}",
            f"1 {order.currency}",
        )  # fmt: skip
    return money.minor


def _refunded(email: str, done: OrderRefunded) -> list[str]:
    order = done.order
    in_all = _money(order, order.refunded_minor)
    price = format_price(order.amount_minor, order.currency)
    if not done.is_new:
        return [f"{in_all} of {price} had been refunded to {email} before; nothing was added."]
    taken = _amount(order, done.taken)
    said = [f"Refunded to {email}: {in_all} of {price}. Took back {taken} of {order.plan_title}."]
    if order.written_off:
        said.append(f"{_amount(order, order.written_off)} are spent, and written off.")
    if done.claimed:
        said.append(
            f"{_amount(order, done.claimed)} held for work under way: what that does not use is"
            " taken back when it ends."
        )
    said.append("Farebox moves no money: give it back where it was paid.")
    return said


def _money(order: OrderView, minor: int) -> str | None:
    return format_price(minor, order.currency) if minor else None


def _amount(order: OrderView, amount: int) -> str:
    """Credits or time, as people read them."""
    return span(amount) if order.kind is PlanKind.TIME else credits_written(MilliCredits(amount))


def _date(moment: Micros) -> str:
    return to_datetime(moment).strftime("%Y-%m-%d")


def _moment(moment: Micros) -> str:
    return to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S")
