"""What commands do to people, as verbs of the host: their accounts, tokens, and what they ask.

Like `farebox.verbs`, which gathers all of them: JSON in, JSON out, and the actor is the operator.
"""

from typing import Any

from host.app import Host
from host.catalogue import offering_fields
from host.catalogue.issuing import WantedToken, issue_access_token
from host.errors import InvalidInput
from storage.credits import format_credits
from storage.models.accounts import Role
from storage.moments import Micros, to_datetime


async def create_account(
    host: Host, *, email: str, name: str, roles: list[str], password: str | None
) -> dict[str, Any]:
    """An account; without a password also a link to set one."""
    account = await host.accounts.create(
        email, name or email.partition("@")[0], password, [Role(role) for role in roles]
    )
    link = None if password else await host.accounts.reset_link(account.email)
    return {"email": account.email, "roles": sorted(account.roles), "link": link}


async def list_accounts(host: Host) -> list[dict[str, Any]]:
    """Every account."""
    return [
        {
            "email": account.email,
            "name": account.name,
            "roles": sorted(account.roles),
            "state": account.state,
            "created": _date(account.created_at),
        }
        for account in await host.accounts.list()
    ]


async def invite(host: Host, *, email: str, role: str) -> str:
    """A link to sign up with."""
    return await host.accounts.invite(email, Role(role))


async def suspend(host: Host, *, email: str) -> None:
    """Keep somebody out, and end their login sessions."""
    await host.accounts.suspend(email)


async def reset_link(host: Host, *, email: str) -> str:
    """A link to set a new password."""
    return await host.accounts.reset_link(email)


async def reinstate(host: Host, *, email: str) -> None:
    """Let somebody in again who was suspended."""
    await host.accounts.reinstate(email)


async def give_role(host: Host, *, email: str, role: str) -> list[str]:
    """Give an account one role more. Returns those it has then."""
    return sorted((await host.accounts.give_role(email, Role(role))).roles)


async def take_role(host: Host, *, email: str, role: str) -> list[str]:
    """Take one role back. Returns those it has then."""
    return sorted((await host.accounts.take_role(email, Role(role))).roles)


async def delete_account(host: Host, *, email: str) -> None:
    """Make an account nobody's."""
    account = await host.accounts.find(email)
    await host.deletion.delete(account.id, actor=None)


async def list_reports(host: Host, *, with_closed: bool) -> list[dict[str, Any]]:
    """What people reported or asked back, the oldest first."""
    return [
        {
            "id": line.id,
            "kind": line.kind,
            "state": line.state,
            "email": line.email,
            "receipt": line.receipt_id,
            "offering": line.offering_title,
            "charged": format_credits(line.charged),
            "asked": _date(line.created_at),
            "text": line.text,
            "note": line.note,
        }
        for line in await host.concerns.list(with_closed=with_closed)
    ]


async def close_report(host: Host, *, id_: str, note: str) -> dict[str, Any]:
    """Answer without a refund."""
    line = await host.concerns.close(id_, note=note)
    return {"kind": line.kind, "email": line.email, "receipt": line.receipt_id}


async def create_access_token(
    host: Host, *, email: str, offering: str, days: int, name: str
) -> str:
    """An access token, shown this once."""
    account = await host.accounts.find(email)
    wanted = WantedToken(account_id=account.id, slug=offering, days=days, name=name)
    issued = await issue_access_token(host.catalogue, host.access_tokens, wanted, actor=None)
    return issued.encoded


async def list_access_tokens(host: Host) -> list[dict[str, Any]]:
    """Every access token, by its number."""
    now = host.clock.now()
    emails = {account.id: account.email for account in await host.accounts.list()}
    return [
        {
            "jti": line.jti,
            "email": email,
            "offering": line.offering_slug,
            "name": line.name,
            "expires": _date(line.expires_at),
            "last_used": None if line.last_used_at is None else _date(line.last_used_at),
            "replaced": line.revoked_at is not None and line.revoked_at > now,
            "revoked": line.revoked_at is not None and line.revoked_at <= now,
        }
        for account_id, email in emails.items()
        for line in await host.access_tokens.list(account_id)
    ]


async def revoke_access_token(host: Host, *, jti: str) -> None:
    """Make an access token useless."""
    if not await host.access_tokens.revoke(jti):
        raise InvalidInput(f"There is no access token {offering_fields.shown(jti)}.")


def _date(moment: Micros) -> str:
    return to_datetime(moment).strftime("%Y-%m-%d")
