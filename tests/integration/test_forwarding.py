"""What forwarding refuses by itself: slow sides, inner addresses, sockets that are not HTTP."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from host.errors import RequestTimeout, UpstreamFailed, UpstreamTimeout
from host.proxy.destination import Origin, parse_origin
from host.proxy.forwarding import Forwarder, Outgoing
from host.proxy.upload import Upload
from tests.fakes.service import Service, running_service


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with running_service() as service:
        yield service


async def nothing_more() -> Message:
    """A caller who has sent all and stays."""
    never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
    return await never


def going_to(origin: Origin, path: str) -> Outgoing:
    return Outgoing(origin=origin, method="POST", path=path, query="", headers=[])


async def test_an_upstream_that_does_not_answer_in_time_is_given_up(service: Service) -> None:
    forwarder = Forwarder(allow_private=True, answer_s=0.05)
    upload = Upload(nothing_more, length=None, has_body=False)
    outgoing = going_to(parse_origin(service.url, allow_private=True), "/hang")
    with pytest.raises(UpstreamTimeout):
        await forwarder.send(outgoing, upload)
    async with asyncio.timeout(5):
        await service.gone.wait()
    await forwarder.close()


async def test_a_caller_who_does_not_send_in_time_is_given_up(service: Service) -> None:
    forwarder = Forwarder(allow_private=True, answer_s=0.05)
    upload = Upload(nothing_more, length=10, has_body=True)
    outgoing = going_to(parse_origin(service.url, allow_private=True), "/mirror/x")
    with pytest.raises(RequestTimeout):
        await forwarder.send(outgoing, upload)
    await forwarder.close()


async def test_a_body_that_is_read_first_is_not_waited_for_without_end() -> None:
    upload = Upload(nothing_more, length=10, has_body=True)
    with pytest.raises(RequestTimeout):
        await upload.whole(within_s=0.05)
    assert upload.is_complete


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_an_inner_address_is_not_connected_to(service: Service, host: str) -> None:
    forwarder = Forwarder(allow_private=False)
    upload = Upload(nothing_more, length=None, has_body=False)
    port = parse_origin(service.url, allow_private=True).port
    with pytest.raises(UpstreamFailed):
        await forwarder.send(going_to(Origin("http", host, port), "/mirror/x"), upload)
    await forwarder.close()
    assert service.heard == []


async def test_a_port_where_nobody_listens_is_a_failure_of_the_upstream() -> None:
    async with running_service() as gone:
        origin = parse_origin(gone.url, allow_private=True)
    forwarder = Forwarder(allow_private=True)
    upload = Upload(nothing_more, length=None, has_body=False)
    with pytest.raises(UpstreamFailed):
        await forwarder.send(going_to(origin, "/mirror/x"), upload)
    await forwarder.close()
