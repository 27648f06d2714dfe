"""Which headers cross the proxy, and which are ours to set: pure rules, both ways.

Towards the upstream the caller's identity ends here: access token, cookies and every header by
which somebody could claim to be somebody are dropped, and the builder's credential takes the place
of the token. Names are judged as CGI and WSGI hand them on, where `_` and `-` are one. Towards the
caller the upstream cannot speak for us: it sets no cookie, no CORS rule and no receipt, and where
it names its own origin the Proxy URL stands instead. Below `/s/` an answer shares the chat's
origin, so it is sandboxed, and headers that act on a whole origin are dropped. Order and
repetition of what passes are kept.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

RawHeaders: TypeAlias = Sequence[tuple[bytes, bytes]]

VIA: Final = b"1.1 farebox"

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-connection",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"http2-settings",
    }
)
_OURS_TO_SAY: Final = frozenset(
    {
        b"host",
        b"content-length",  # framed anew on each side
        b"expect",
        b"authorization",
        b"cookie",  # below /s/ every cookie is one of this origin's
        b"cookie2",
        b"forwarded",
        b"forwarded-for",
        b"x-forwarded",
        b"x-real-ip",
        b"client-ip",
        b"x-client-ip",
        b"true-client-ip",
        b"cf-connecting-ip",
        b"cf-connecting-ipv6",
        b"cf-pseudo-ipv4",
        b"fastly-client-ip",
        b"fly-client-ip",
        b"x-cluster-client-ip",
        b"x-appengine-user-ip",
        b"x-azure-clientip",
        b"x-envoy-external-address",
        b"x-remote-addr",
        b"x-remote-ip",
        b"remote-addr",
        b"remote-user",
        b"x-remote-user",
        b"x-original-url",
        b"x-original-host",
        b"x-rewrite-url",
        # Callers choose their keys, and upstream all of them are one caller: two might meet.
        b"idempotency-key",
    }
)
_OURS_BY_PREFIX: Final = (
    b"x-forwarded-",
    b"x-original-forwarded-",
    b"farebox-",
    b"nvm-",
    b"x-http-method",
)
_NOT_FROM_UPSTREAM: Final = frozenset(
    {
        b"content-length",
        b"date",  # our server states both
        b"server",
        b"set-cookie",
        b"set-cookie2",
        b"x-content-type-options",
        # These would act on the whole origin, which is the chat's too.
        b"clear-site-data",
        b"strict-transport-security",
        b"public-key-pins",
        b"service-worker-allowed",
        b"alt-svc",
        b"nel",
        b"report-to",
        b"reporting-endpoints",
        b"origin-agent-cluster",
        b"nvmcreditsconsumed",
    }
)
_NOT_FROM_UPSTREAM_BY_PREFIX: Final = (b"access-control-", b"farebox-", b"nvm-")
_NAMES_AN_ADDRESS: Final = frozenset({b"location", b"content-location"})
_NO_BODY_LENGTH: Final = frozenset({204, 205, 304})
_PORTS: Final = {"http": 80, "https": 443}

_EXPOSED: Final = (
    b"Farebox-Receipt, Farebox-Credits-Charged, Farebox-Credits-Remaining, Farebox-Credits,"
    b" NVMCreditsConsumed, WWW-Authenticate, Link, Retry-After, RateLimit, Allow, Location"
)
_ALLOWED: Final = (  # `*` does not cover Authorization
    b"Authorization, Content-Type, Idempotency-Key, openai-conversation-id,"
    b" openai-ephemeral-user-id, MCP-Protocol-Version, Mcp-Method, Mcp-Name, *"
)

CORS: Final[RawHeaders] = (
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", _EXPOSED),
)
"""On every answer, refusals included: a page that cannot read a 402 cannot explain it."""

PREFLIGHT: Final[RawHeaders] = (
    (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
    (b"access-control-allow-headers", _ALLOWED),
    (b"access-control-max-age", b"600"),
)

SANDBOX: Final[RawHeaders] = (
    (b"content-security-policy", b"sandbox"),
    (b"x-content-type-options", b"nosniff"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What the upstream is told about where a call came from."""

    address: str | None
    scheme: str
    host: str


def to_upstream(
    headers: RawHeaders, *, caller: Caller, credential: str | None
) -> list[tuple[bytes, bytes]]:
    """The headers to send upstream, without Host and framing, which the client library writes."""
    passing = [
        (name, value)
        for name, value in _without_hop_by_hop(headers)
        if _plain(name) not in _OURS_TO_SAY and not _plain(name).startswith(_OURS_BY_PREFIX)
    ]
    if credential is not None:
        passing.append((b"authorization", f"Bearer {credential}".encode()))
    return passing + _forwarded(caller) + [(b"via", VIA)]


def to_caller(
    headers: RawHeaders, *, status: int, upstream: str, proxy_url: str
) -> list[tuple[bytes, bytes]]:
    """The headers to answer with: what passes of the upstream's, then what every answer has."""
    answer: list[tuple[bytes, bytes]] = []
    is_event_stream = False
    for name, value in _without_hop_by_hop(headers):
        lower = name.lower()
        if lower == b"content-length" and status not in _NO_BODY_LENGTH:
            answer.append((lower, value))
        if lower in _NOT_FROM_UPSTREAM or lower.startswith(_NOT_FROM_UPSTREAM_BY_PREFIX):
            continue
        if lower == b"content-type":
            is_event_stream = value.lower().startswith(b"text/event-stream")
        if lower in _NAMES_AN_ADDRESS:
            value = rewritten(value, upstream=upstream, proxy_url=proxy_url)  # noqa: PLW2901
        answer.append((name, value))
    if is_event_stream:
        answer.append((b"x-accel-buffering", b"no"))
    return [*answer, (b"via", VIA), *CORS, *SANDBOX]


def rewritten(address: bytes, *, upstream: str, proxy_url: str) -> bytes:
    """An address at the upstream's origin as one below the Proxy URL; any other as it is."""
    text = address.decode("latin-1")
    try:
        parts, origin = urlsplit(text), urlsplit(upstream)
        if parts.netloc:
            named = parts if parts.scheme else parts._replace(scheme=origin.scheme)
            if _origin(named) != _origin(origin):
                return address
        elif parts.scheme or not text.startswith("/"):
            return address
    except ValueError:  # a port or an IPv6 address that is none
        return address
    if parts.netloc:
        query = f"?{parts.query}" if parts.query else ""
        text = f"{parts.path or '/'}{query}{'#' if parts.fragment else ''}{parts.fragment}"
    return f"{proxy_url}{text}".encode("latin-1")


def values(headers: RawHeaders, name: bytes) -> list[bytes]:
    """All values of one header, in order."""
    return [value for found, value in headers if found.lower() == name]


def _plain(name: bytes) -> bytes:
    """A name as every program behind us may come to read it."""
    return name.lower().replace(b"_", b"-")


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    scheme = parts.scheme.lower()
    return scheme, parts.hostname, parts.port or _PORTS.get(scheme)


def _without_hop_by_hop(headers: RawHeaders) -> Iterable[tuple[bytes, bytes]]:
    named = {
        _plain(option.strip())
        for value in values(headers, b"connection")
        for option in value.split(b",")
    }
    return [(n, v) for n, v in headers if _plain(n) not in _HOP_BY_HOP | named]


def _forwarded(caller: Caller) -> list[tuple[bytes, bytes]]:
    fields = [("x-forwarded-proto", caller.scheme), ("x-forwarded-host", caller.host)]
    forwarded = f'host="{caller.host}";proto={caller.scheme}'
    if caller.address is not None:
        fields.append(("x-forwarded-for", caller.address))
        node = f'"[{caller.address}]"' if ":" in caller.address else caller.address
        forwarded = f"for={node};{forwarded}"
    fields.append(("forwarded", forwarded))
    return [(name.encode(), value.encode("latin-1", "replace")) for name, value in fields]
