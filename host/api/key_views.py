"""What opens something, as programs send and read it: access tokens, and upstream keys."""

from datetime import datetime
from typing import Final

from pydantic import Field, SecretStr

from host.api.views import Body, View, moment_or_none
from host.catalogue.issuing import NAME_MAX
from host.identity.access_tokens import DAYS_MAX
from storage.moments import to_datetime
from storage.tokens import AccessTokenLine

KEY_ENTERED_MAX: Final = 2000
"""No upstream's keys are near this; what is too long to be one, `host.drafts` says better."""


class NewToken(Body):
    """An access token that is wanted."""

    offering: str
    days: int = Field(default=30, ge=1, le=DAYS_MAX)
    name: str = Field(default="", max_length=NAME_MAX)


class IssuedToken(View):
    """A new access token. It is shown here and never again."""

    token: str
    offering: str
    proxy_url: str
    days: int


class TokenEntry(View):
    """An access token by its number."""

    jti: str
    name: str
    offering: str
    title: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    """In the future: it was replaced, and is good until then."""
    last_used_at: datetime | None
    """To the minute."""


class EnteredKey(Body):
    """An upstream key from the masked form."""

    key: SecretStr = Field(min_length=1, max_length=KEY_ENTERED_MAX)


class KeyEntered(View):
    """What may be shown of a key that was entered."""

    last4: str
    state: str
    sentence: str


def token_view(line: AccessTokenLine) -> TokenEntry:
    """An access token by its number."""
    return TokenEntry(
        jti=line.jti,
        name=line.name,
        offering=line.offering_slug,
        title=line.offering_title,
        created_at=to_datetime(line.created_at),
        expires_at=to_datetime(line.expires_at),
        revoked_at=moment_or_none(line.revoked_at),
        last_used_at=moment_or_none(line.last_used_at),
    )
