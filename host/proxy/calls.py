"""A metered call of a service: match, verify, hold, forward, charge.

Decided by the upstream's status line: 2xx costs the endpoint's price, anything else passes through
and costs nothing. A 2xx whose promised body breaks off before its first byte costs nothing either,
nor does one that is given up before it because the host stops.
A caller who leaves before the status line pays nothing, one who leaves after it pays. Open
endpoints and the builder's own calls are free; the former are never sent the builder's credential.

The headers of an event stream leave before its first byte, which may be long in coming, so they
state no charge: there is none yet. They name the receipt, which tells.
"""

import asyncio
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.types import Send

from host.config import Settings
from host.errors import (
    CallInProgress,
    FareboxError,
    IdempotencyConflict,
    OfferingPaused,
    RateLimited,
    UpstreamFailed,
)
from host.metering.meter import Meter
from host.metering.tabs import MeteredWork, ReplayedTab, Tab, fingerprint
from host.proxy.bill import Bill, Ending
from host.proxy.destination import parse_origin
from host.proxy.forwarding import ANSWER_S, Forwarder, Incoming, Outgoing
from host.proxy.headers import Caller, RawHeaders, to_caller, to_upstream
from host.proxy.matching import Endpoints
from host.proxy.raw_path import RawPath
from host.proxy.upload import Upload
from host.vault.envelope import SecretUnreadable
from host.vault.vault import Vault
from host.writing import credits_written
from storage.cards import EndpointCard, OfferingCard, ServiceConfig
from storage.credits import HoldState
from storage.ids import new_id
from storage.models.catalogue import OfferingState
from storage.models.money import Operation

OFFERINGS_MAX: Final = 1024
"""Offerings whose compiled endpoints are kept."""
IN_FLIGHT_MAX: Final = 256
"""Calls of one offering at a time, a quarter of all connections: its slowness is its own."""
CLOSING_S: Final = 10.0
"""How long closing waits for what calls cost to be written down."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request below a Proxy URL, read but not yet judged."""

    offering: OfferingCard
    method: str
    path: RawPath
    query: str
    headers: RawHeaders
    upload: Upload
    address: str | None
    """Where the caller is."""
    key: str | None
    """The caller's idempotency key."""


class Calls:
    """Carries out calls of services."""

    def __init__(self, *, settings: Settings, meter: Meter, vault: Vault) -> None:
        self._settings = settings
        self._meter = meter
        self._vault = vault
        self._forwarder = Forwarder(allow_private=settings.allow_private_upstreams)
        self._endpoints: dict[int, Endpoints[EndpointCard]] = {}
        self._in_flight: Counter[int] = Counter()
        self._endings: set[Ending] = set()

    def endpoint(self, call: Call) -> EndpointCard:
        """The endpoint that the call means.

        Raises:
            UnknownEndpoint, MethodNotRegistered, AmbiguousPath: none.
        """
        registered = _service(call.offering).endpoints
        known = self._endpoints.get(call.offering.id)
        if known is None or known.registered != registered:
            if len(self._endpoints) >= OFFERINGS_MAX:
                self._endpoints.clear()
            known = self._endpoints[call.offering.id] = Endpoints(registered)
        return known.find(call.method, call.path)

    async def serve_open(self, call: Call, send: Send) -> None:
        """Carry out a call of an open endpoint: free, for anyone, without any credential."""
        if call.offering.state in {OfferingState.PAUSED, OfferingState.RETIRED}:
            raise OfferingPaused(f"{call.offering.title} is paused. Try again later.")
        with self._one_of_few(call.offering):
            await self._carry(call, self._bill(None), send, credential=None)

    async def serve(self, call: Call, endpoint: EndpointCard, account_id: int, send: Send) -> None:
        """Carry out an account's call of an endpoint with a price.

        Raises:
            FareboxError: it was refused, or failed before an answer began; nothing is charged.
            CallerLeft: nobody is there to answer to.
        """
        with self._one_of_few(call.offering):
            await self._serve(call, endpoint, account_id, send)

    async def close(self) -> None:
        """Wait until bills are written down, though not for ever, and close the connections."""
        if self._endings:
            _, late = await asyncio.wait(self._endings, timeout=CLOSING_S)
            if late:  # the sweeper ends their holds, and nobody is charged
                log.warning("call.bills_left", number=len(late))
        await self._forwarder.close()

    @contextmanager
    def _one_of_few(self, offering: OfferingCard) -> Generator[None, None, None]:
        """Count a call as in flight, if not too many of its offering are."""
        if self._in_flight[offering.id] >= IN_FLIGHT_MAX:
            raise RateLimited(
                f"Too many calls of {offering.title} are under way. Try again in a moment.",
                headers={"Retry-After": "1"},
            )
        self._in_flight[offering.id] += 1
        try:
            yield
        finally:
            self._in_flight[offering.id] -= 1
            if not self._in_flight[offering.id]:
                del self._in_flight[offering.id]

    async def _serve(
        self, call: Call, endpoint: EndpointCard, account_id: int, send: Send
    ) -> None:
        credential = await self._credential(_service(call.offering))
        # The body is part of what a key stands for, so a call with a key is read before its hold.
        body = None if call.key is None else await call.upload.whole()
        opening = await self._meter.open(
            MeteredWork(
                account_id=account_id,
                offering=call.offering,
                operation=Operation.CALL,
                key=call.key or new_id(),
                fingerprint=_fingerprint(call, body),
                price=endpoint.price,
            )
        )
        if isinstance(opening, ReplayedTab):
            raise _replayed(opening)
        await self._carry(call, self._bill(opening), send, credential=credential, body=body)

    def _bill(self, tab: Tab | None) -> Bill:
        return Bill(self._meter, tab, self._endings)

    async def _carry(
        self,
        call: Call,
        bill: Bill,
        send: Send,
        *,
        credential: str | None,
        body: bytes | None = None,
    ) -> None:
        """Forward the call and the answer, and end the hold however this goes."""
        try:
            outgoing = self._outgoing(call, credential)
            incoming = await self._forwarder.send(outgoing, call.upload, body=body)
            try:
                await self._answer(call, incoming, bill, send)
            finally:
                incoming.close()
        finally:
            await bill.end()

    async def _answer(self, call: Call, incoming: Incoming, bill: Bill, send: Send) -> None:
        bill.is_due = incoming.is_success
        first: bytes | None = None
        if not incoming.is_success:
            # Before the answer: whoever tries again at once must find the credits back.
            await bill.end()
        elif not incoming.is_event_stream:
            first = await _first_chunk(incoming, bill)
        charge = bill.charge()
        headers = to_caller(
            incoming.headers,
            status=incoming.status,
            upstream=_service(call.offering).upstream_url,
            proxy_url=f"{self._settings.public_url}/s/{call.offering.slug}",
        )
        headers += charge.headers() if charge is not None else []
        await send({"type": "http.response.start", "status": incoming.status, "headers": headers})
        try:
            await _stream(incoming, first, bill, send)
        except FareboxError as error:
            # The status line is out. An answer that is left unfinished is cut off by the server,
            # which is how the caller learns of it.
            log.info("call.broke_off", offering=call.offering.slug, code=error.code)

    def _outgoing(self, call: Call, credential: str | None) -> Outgoing:
        origin = parse_origin(
            _service(call.offering).upstream_url,
            allow_private=self._settings.allow_private_upstreams,
        )
        public = urlsplit(self._settings.public_url)
        caller = Caller(address=call.address, scheme=public.scheme, host=public.netloc)
        return Outgoing(
            origin=origin,
            method=call.method,
            path=call.path.sent,
            query=call.query,
            headers=to_upstream(call.headers, caller=caller, credential=credential),
        )

    async def _credential(self, service: ServiceConfig) -> str | None:
        if service.secret_id is None:
            return None
        try:
            return await self._vault.reveal(service.secret_id)
        except SecretUnreadable:
            log.warning("call.credential_unreadable", secret_id=service.secret_id)
            raise UpstreamFailed(
                "The credential for the service behind this cannot be read. Not charged."
            ) from None


async def _first_chunk(incoming: Incoming, bill: Bill) -> bytes:
    """The first bytes, and the charge begun: from here on the call is paid."""
    try:
        first = await incoming.chunk(within_s=ANSWER_S)
    except (FareboxError, asyncio.CancelledError):
        # It broke before the first byte that it promised, or the host stops. A caller who left
        # is another matter, and pays.
        bill.is_due = False
        raise
    bill.begin()
    return first


async def _stream(incoming: Incoming, first: bytes | None, bill: Bill, send: Send) -> None:
    chunk = await _first_chunk(incoming, bill) if first is None else first
    while chunk:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
        chunk = await incoming.chunk()
    await send({"type": "http.response.body", "body": b""})


def _service(offering: OfferingCard) -> ServiceConfig:
    assert offering.service is not None, "the gateway sends only services here"
    return offering.service


def _fingerprint(call: Call, body: bytes | None) -> bytes:
    """Over what the caller sent; a call without a key is like no other."""
    if body is None:
        return fingerprint(new_id())
    return fingerprint(call.offering.slug, call.method, call.path.sent, call.query, body)


def _replayed(before: ReplayedTab) -> FareboxError:
    """Why a key that was used for this very call does not call again."""
    if before.state is HoldState.OPEN:
        return CallInProgress(
            "A call with this idempotency key is still in progress. Ask again in a moment.",
            headers={"Retry-After": "1"},
        )
    if before.state is HoldState.CAPTURED:
        paid = credits_written(before.captured)
        return IdempotencyConflict(
            f"This call was answered before and charged {paid} once; its answer is not"
            " kept. Use a new idempotency key to call again.",
            headers={"Farebox-Receipt": before.receipt_id, "Farebox-Credits-Charged": "0"},
            facts={"receipt": before.receipt_id},
        )
    return IdempotencyConflict(
        "The first call with this idempotency key did not succeed and was not charged. Use a new"
        " idempotency key to try again.",
        headers={"Farebox-Credits-Charged": "0"},
    )
