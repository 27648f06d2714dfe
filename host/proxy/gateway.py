"""Everything below `/s/{slug}/`: a raw ASGI application, because forwarding is the hot path.

The story of a request: its framing is checked, a preflight is answered, the raw path is parsed
once and the offering found; a service's call goes to `host.proxy.calls`, a question for an
assistant to `host.proxy.ask`. Here the access token is verified and whatever was refused becomes
problem+json. Nothing below knows about cookies or login sessions.
"""

from collections.abc import Awaitable
from ipaddress import ip_address
from typing import Final

import structlog
from starlette.types import Message, Receive, Scope, Send

from host.catalogue.catalogue import Catalogue
from host.config import Settings
from host.errors import (
    FareboxError,
    InvalidToken,
    MalformedRequest,
    UnknownOffering,
    WebsocketUnsupported,
    broken,
    from_storage,
)
from host.identity.access_tokens import AccessTokens
from host.identity.addresses import client_address, networks
from host.metering.meter import Meter
from host.proxy.answers import Answer, refusal, send_answer
from host.proxy.ask import BODY_BYTES_MAX as QUESTION_BYTES_MAX
from host.proxy.ask import Ask
from host.proxy.calls import Call, Calls
from host.proxy.headers import PREFLIGHT, RawHeaders, values
from host.proxy.raw_path import parse_target
from host.proxy.upload import BODY_BYTES_MAX, CallerLeft, Upload
from host.runs.runner import Runs
from host.vault.vault import Vault
from storage.cards import OfferingCard
from storage.errors import StorageError
from storage.models.catalogue import OfferingState

KEY_MAX: Final = 255
"""Characters of an idempotency key."""
_BEARER: Final = b"bearer "

log = structlog.get_logger(__name__)


class Gateway:
    """Answers calls below every offering's Proxy URL."""

    def __init__(
        self,
        *,
        settings: Settings,
        catalogue: Catalogue,
        access_tokens: AccessTokens,
        meter: Meter,
        vault: Vault,
        runs: Runs,
    ) -> None:
        self._settings = settings
        self._catalogue = catalogue
        self._access_tokens = access_tokens
        self._trusted = networks(settings.trusted_proxies)
        self._calls = Calls(settings=settings, meter=meter, vault=vault)
        self._ask = Ask(runs, public_url=settings.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is."""
        if scope["type"] == "websocket":
            await self._refuse_websocket(scope, send)
            return
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        error = await self._error_of(self._serve(scope, receive, noting))
        if error is not None and not begun:  # else the server cuts off what was begun
            await self._refuse(send, error)

    async def close(self) -> None:
        """Wait until bills are written down, and close the connections to upstreams."""
        await self._calls.close()

    async def _error_of(self, serving: Awaitable[None]) -> FareboxError | None:
        try:
            await serving
        except CallerLeft:
            log.info("call.caller_left")
        except FareboxError as error:
            return error
        except StorageError as error:
            return from_storage(error)
        except Exception:
            log.exception("call.broke")
            return broken()
        return None

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: RawHeaders = scope["headers"]
        _check_framing(headers)
        if _is_preflight(scope["method"], headers):
            await send_answer(send, Answer(204, tuple(PREFLIGHT)))
            return
        target = parse_target(scope["raw_path"])
        offering = await self._offering(target.slug, headers)
        most = BODY_BYTES_MAX if offering.service is not None else QUESTION_BYTES_MAX
        call = Call(
            offering=offering,
            method=scope["method"],
            path=target.path,
            query=_query(scope["query_string"]),
            headers=headers,
            upload=Upload.of(headers, receive, most=most),
            address=self._address(scope, headers),
            key=_idempotency_key(headers),
        )
        if offering.service is None:
            self._ask.check(call)
            await self._ask.serve(call, self._caller(headers, offering), send)
            return
        endpoint = self._calls.endpoint(call)
        if endpoint.is_open:
            await self._calls.serve_open(call, send)
        else:
            await self._calls.serve(call, endpoint, self._caller(headers, offering), send)

    async def _offering(self, slug: str, headers: RawHeaders) -> OfferingCard:
        """The offering, as far as this caller may know of it: a draft is its owner's alone."""
        unknown = UnknownOffering("There is no published offering of that name.")
        try:
            offering = await self._catalogue.find_offering(slug)
            is_draft = offering.state is OfferingState.DRAFT
            if is_draft and self._caller(headers, offering) != offering.owner_id:
                raise unknown
        except (UnknownOffering, InvalidToken):
            raise unknown from None
        return offering

    def _address(self, scope: Scope, headers: RawHeaders) -> str | None:
        """Where the caller is, as far as that can be believed."""
        peer = scope["client"][0] if scope.get("client") else ""
        hops = [value.decode("latin-1") for value in values(headers, b"x-forwarded-for")]
        address = client_address(peer, hops, self._trusted)
        try:
            return str(ip_address(address))
        except ValueError:
            return None

    def _caller(self, headers: RawHeaders, offering: OfferingCard) -> int:
        """The account that the access token speaks for."""
        return self._access_tokens.verify(_bearer(headers), offering.id).account_id

    async def _refuse(self, send: Send, error: FareboxError) -> None:
        await send_answer(send, refusal(error, public_url=self._settings.public_url))

    async def _refuse_websocket(self, scope: Scope, send: Send) -> None:
        if "websocket.http.response" not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": 1008})
            return

        async def deny(message: Message) -> None:
            await send({**message, "type": f"websocket.{message['type']}"})

        await self._refuse(deny, _no_websocket())


def _check_framing(headers: RawHeaders) -> None:
    """What the server lets through although two programs could read it in two ways."""
    if len(values(headers, b"host")) != 1:
        raise MalformedRequest("There must be exactly one Host header.")
    if b"websocket" in [value.lower() for value in values(headers, b"upgrade")]:
        raise _no_websocket()


def _is_preflight(method: str, headers: RawHeaders) -> bool:
    return method == "OPTIONS" and bool(values(headers, b"access-control-request-method"))


def _query(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedRequest("The query is not valid UTF-8; percent-encode it.") from None


def _bearer(headers: RawHeaders) -> str:
    given = values(headers, b"authorization")
    if not given:
        raise InvalidToken(
            "Send an access token: Authorization: Bearer …. Get one on your account page."
        )
    if len(given) > 1 or not given[0].lower().startswith(_BEARER):
        raise InvalidToken(
            "Send one access token: Authorization: Bearer ….",
            headers={"WWW-Authenticate": 'Bearer realm="farebox", error="invalid_request"'},
        )
    return given[0][len(_BEARER) :].strip().decode("latin-1")


def _idempotency_key(headers: RawHeaders) -> str | None:
    given = values(headers, b"idempotency-key")
    if not given:
        return None
    key = given[0].decode("latin-1").strip()
    if len(given) > 1 or not 0 < len(key) <= KEY_MAX or not (key.isascii() and key.isprintable()):
        raise MalformedRequest(
            f"Idempotency-Key is sent once, with 1 to {KEY_MAX} printable ASCII characters."
        )
    return key


def _no_websocket() -> WebsocketUnsupported:
    return WebsocketUnsupported("Metered calls are plain HTTP; WebSocket is not supported.")
