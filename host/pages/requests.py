"""What a browser sent, read with care: forms, where they came from, and where to go next.

Nothing here answers with what it was sent: a form may hold a password.
"""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from host.errors import MalformedRequest, NotAllowed
from host.identity.addresses import Networks, client_address
from host.identity.entrance import Visit
from host.language import _

FORM_MAX: Final = 16 * 1024
"""Bytes of a form: the longest has three fields and a key."""
FIELDS_MAX: Final = 12
HOME: Final = "/"


async def read_form(request: Request) -> Mapping[str, str]:
    """The fields of a posted form; of a repeated one the last.

    Raises:
        MalformedRequest: it is no form, or larger than any of ours.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise MalformedRequest(_("This page expects a form."))
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_MAX:
            raise MalformedRequest(_("This form is too large."))
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MAX))
    except ValueError:  # not UTF-8, or too many fields
        raise MalformedRequest(_("This form cannot be read.")) from None


def check_same_origin(request: Request, public_url: str) -> None:
    """Make sure that a form was posted from one of our own pages.

    Browsers say where a request comes from and pages cannot make them lie; `SameSite` on the
    cookie says it once more. A program that says nothing carries nobody's cookies.

    Raises:
        NotAllowed: it comes from elsewhere.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:  # sent on https and on localhost
        is_ours = site in ("same-origin", "none")
    else:
        origin = request.headers.get("origin")
        own = {urlsplit(public_url).netloc, request.headers.get("host", "")}
        is_ours = origin is None or urlsplit(origin).netloc in own
    if not is_ours:
        raise NotAllowed(_("This form was not sent from a page of this host. Open it here again."))


def local_path(wanted: str | None) -> str:
    """Where to go after signing in: a path of this host, or home.

    Browsers read two slashes in front as another host, and also a backslash for a slash, or a
    tab or line break between the two.
    """
    if not wanted or not wanted.startswith("/"):
        return HOME
    if wanted.startswith("//") or "\\" in wanted or not wanted.isprintable():
        return HOME
    parts = urlsplit(wanted)
    return HOME if parts.scheme or parts.netloc else wanted


def visit_of(request: Request, trusted: Networks) -> Visit:
    """From which browser and address this comes."""
    peer = request.client.host if request.client is not None else ""
    forwarded = request.headers.getlist("x-forwarded-for")
    return Visit(
        browser=request.headers.get("user-agent", ""),
        address=client_address(peer, forwarded, trusted),
    )
