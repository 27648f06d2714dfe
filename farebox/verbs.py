"""What commands do, as verbs of the host: JSON in, JSON out.

A verb runs in the command's own process or, over the control socket, in the server's; it does not
know which. Its actor is nobody: whoever can open the data directory is the operator.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from farebox import verbs_people as people
from farebox import verbs_purchase as purchase
from farebox import verbs_services as services
from host.app import Host
from host.catalogue import offering_fields
from host.catalogue.currencies import Money, format_money
from host.catalogue.offering_terms import PlanTerms
from host.catalogue.subscribing import SubscribeRequest
from host.errors import InvalidInput
from host.metering.corrections import RefundRequest, credits_entered
from host.metering.revoking import PlanRevoked, RevokeRequest
from host.writing import credits_written
from storage.cards import OfferingCard, PlanView
from storage.credits import MilliCredits, format_credits
from storage.ledger import DailyCap, balances, daily_cap
from storage.models.accounts import Role
from storage.models.catalogue import OfferingKind, PlanKind
from storage.models.money import GrantSource
from storage.moments import DAY, SECOND, Micros, to_datetime

Verb: TypeAlias = Callable[..., Awaitable[Any]]
"""One thing a command can ask for: called with a host and its facts by name, answers JSON."""


async def grant(
    host: Host, *, email: str, plan: str, credits_: str, note: str, request: str
) -> dict[str, Any]:
    """Give a plan by hand: what it gives, or another number of credits; once for each request."""
    account = await host.accounts.find(email)
    amount = offering_fields.plan_credits(credits_) if credits_ else None
    given = await host.purchases.give(
        None,
        SubscribeRequest(
            account_id=account.id,
            plan_slug=plan,
            source=GrantSource.OPERATOR,
            source_ref=request,
            credits=amount,
            note=note,
        ),
    )
    if not given.is_new:
        title = given.subscription.plan_title
        return {"sentence": f"{account.email} had got {title} by this request; nothing was added."}
    got, now = given.subscription, host.clock.now()
    if got.kind is PlanKind.TIME:
        until = _date(got.ends_at)
        return {"sentence": f"{account.email} has {got.plan_title} until {until}."}
    terms = (await host.catalogue.find_plan(plan)).version
    lines = await host.database.read(lambda s: balances(s, account.id, now))
    left = sum(line.available for line in lines if line.plan_id == got.plan_id)
    return {
        "sentence": f"Added {credits_written(amount or terms.credits)} of {got.plan_title} to"
        f" {account.email}; {format_credits(left)} now."
    }


async def refund(host: Host, *, receipt: str, credits_: str, note: str, request: str) -> str:
    """Give back what was charged, in part or whole; once for each request. Returns a sentence."""
    done = await host.corrections.refund(
        None,
        RefundRequest(
            receipt_id=receipt,
            request=request,
            credits=credits_entered(credits_) if credits_ else None,
            note=note,
        ),
    )
    email = (await host.accounts.get(done.account_id)).email
    amount, left = credits_written(done.amount), format_credits(done.left)
    if not done.is_new:
        return f"This request had refunded {amount} to {email}; nothing was added."
    said = f"Refunded {amount} to {email}; of {format_credits(done.charged)} charged, {left} left."
    for plan in done.unusable:
        said += (
            f" {email} cannot spend them until you give {plan.title} again"
            f" (`farebox grant {email} {plan.slug} --credits N`)."
        )
    now = host.clock.now()
    if await host.database.read(lambda s: daily_cap(s, done.account_id, now)) is not None:
        said += " It makes no room under their daily limit: what is spent today stays counted."
    return said


async def revoke(host: Host, *, email: str, plan: str, note: str, request: str) -> str:
    """Take a plan back; once for each request. Returns sentences."""
    account = await host.accounts.find(email)
    done = await host.corrections.revoke(
        None,
        RevokeRequest(account_id=account.id, plan_slug=plan, request=request, note=note),
    )
    said = [_taken(account.email, done)]
    if done.held:
        said.append(
            f"{credits_written(done.held)} held for work under way: what that does not use is"
            " taken back when it ends."
        )
    if done.spent:
        said.append(f"{credits_written(done.spent)} spent: what is spent stays spent.")
    return " ".join(said)


async def set_cap(host: Host, *, email: str, credits_: str | None) -> str:
    """Limit what an account may spend in a day; None lifts that limit. Returns a sentence."""
    account = await host.accounts.find(email)
    cap = None if credits_ is None else credits_entered(credits_)
    return _cap(account.email, await host.corrections.set_cap(None, account.id, cap))


async def tell_cap(host: Host, *, email: str) -> str:
    """What an account may spend in a day, in a sentence."""
    account, now = await host.accounts.find(email), host.clock.now()
    return _cap(account.email, await host.database.read(lambda s: daily_cap(s, account.id, now)))


async def create_plan(
    host: Host, *, owner: str, title: str, price: str, credits_: str, days: int
) -> dict[str, Any]:
    """A plan, for sale at once."""
    builder = await host.accounts.find(owner)
    if Role.BUILDER not in builder.roles:
        raise InvalidInput(
            f"{builder.email} is no builder, and only builders have plans."
            f" `farebox account role {builder.email} --give builder` makes them one."
        )
    is_free = price.strip().lower() == "free"
    terms = PlanTerms(
        title=title,
        price=Money(0, "USD") if is_free else offering_fields.money(price),
        credits=offering_fields.plan_credits(credits_) if credits_ else MilliCredits(0),
        duration_s=days * DAY // SECOND or None,
    )
    return {"slug": (await host.catalogue.create_plan(None, terms, owner_id=builder.id)).slug}


async def list_plans(host: Host) -> list[dict[str, Any]]:
    """Every plan, archived ones included."""
    return [_plan(plan) for plan in await host.catalogue.plans(with_archived=True)]


async def list_offerings(host: Host) -> list[dict[str, Any]]:
    """Every offering, in whatever state."""
    return [_offering(card) for card in await host.catalogue.offerings()]


async def move_offering(host: Host, *, slug: str, step: str) -> str:
    """Publish, pause, resume or retire an offering; returns its new state."""
    catalogue = host.catalogue
    moves: Mapping[str, Callable[[int | None, str], Awaitable[OfferingCard]]] = {
        "publish": catalogue.publish,
        "pause": catalogue.pause,
        "resume": catalogue.resume,
        "retire": catalogue.retire,
    }
    return (await moves[step](None, slug)).state


async def accept_files(host: Host, *, slug: str, accepts: str) -> str:
    """Say which files may be sent to an assistant; returns what it accepts now."""
    card = await host.catalogue.accept(None, slug, accepts)
    assert card.assistant is not None, "only assistants accept files"
    return card.assistant.accepts


def _taken(email: str, done: PlanRevoked) -> str:
    if not done.is_new:
        return (
            f"This request had taken {done.plan_title} back from {email}; nothing more was done."
        )
    if done.taken:
        return f"Took {credits_written(done.taken)} of {done.plan_title} back from {email}."
    if done.ended or done.held:
        return (
            f"{done.plan_title} has ended for {email}; there were no unspent credits to take back."
        )
    return f"{email} had nothing of {done.plan_title} any more; nothing was taken back."


def _cap(email: str, cap: DailyCap | None) -> str:
    if cap is None:
        return f"{email} has no daily limit."
    said = (
        f"{email} may spend {credits_written(cap.cap)} a day (UTC);"
        f" {format_credits(cap.spent)} spent or set aside today."
    )
    if cap.own is None:
        return said
    if cap.operators is None:
        return f"{said} This is their own limit."
    return (
        f"{said} Their own limit is {format_credits(cap.own)}, yours"
        f" {format_credits(cap.operators)}."
    )


def _plan(plan: PlanView) -> dict[str, Any]:
    terms = plan.version
    days = None if terms.duration_s is None else terms.duration_s * SECOND // DAY
    return {
        "slug": plan.slug,
        "title": plan.title,
        "price": format_money(terms.price_minor, terms.currency) if terms.price_minor else "free",
        "credits": format_credits(terms.credits) if terms.credits else None,
        "days": days,
        "trial": terms.is_trial,
        "state": plan.state,
    }


def _offering(card: OfferingCard) -> dict[str, Any]:
    return {
        "slug": card.slug,
        "kind": card.kind,
        "title": card.title,
        "price": format_credits(card.price),
        "per": "message" if card.kind is OfferingKind.ASSISTANT else "call",
        "plans": [plan.slug for plan in card.plans],
        "state": card.state,
    }


def _date(moment: Micros) -> str:
    return to_datetime(moment).strftime("%Y-%m-%d")


VERBS: Final[Mapping[str, Verb]] = {
    verb.__name__: verb
    for verb in (
        people.create_account,
        people.list_accounts,
        people.invite,
        people.suspend,
        people.reset_link,
        people.reinstate,
        people.give_role,
        people.take_role,
        people.delete_account,
        people.list_reports,
        people.close_report,
        grant,
        refund,
        revoke,
        set_cap,
        tell_cap,
        create_plan,
        list_plans,
        list_offerings,
        move_offering,
        accept_files,
        services.register_service,
        people.create_access_token,
        people.list_access_tokens,
        people.revoke_access_token,
        purchase.list_orders,
        purchase.refund_order,
        purchase.create_vouchers,
        purchase.list_vouchers,
        purchase.void_voucher,
    )
}
