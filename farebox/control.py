"""Commands that write, beside a server that is running.

On SQLite only one process may write. So a command first tries to take the lease on the data
directory; if a server holds it, the command sends its verb over the server's Unix socket there
(mode 0600: whoever may open it may read the database as well). On PostgreSQL it simply connects.
One line of JSON goes each way: `{"verb", "facts"}`, then `{"result"}` or `{"refused"}`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import structlog

from farebox.lease import LeaseTaken, lease
from farebox.verbs import VERBS
from host.app import Host, open_host
from host.config import Settings
from host.errors import FareboxError

SOCKET: Final = "control.sock"
LINE_MAX: Final = 1 << 20
ANSWER_WITHIN_S: Final = 60
_PATH_MAX: Final = 100
"""The kernel keeps 108 bytes for the name of a Unix socket."""

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The verb was understood and refused; the text says why."""


def perform(settings: Settings, verb: str, **facts: Any) -> Any:
    """Carry out one verb, here or in the server that is running. Returns its JSON result.

    Raises:
        Refused: what was asked for is not possible.
    """
    return asyncio.run(_perform(settings, verb, facts))


async def _perform(settings: Settings, verb: str, facts: dict[str, Any]) -> Any:
    if not settings.is_sqlite:
        return await _perform_here(settings, verb, facts)
    try:
        with lease(settings.data_dir):
            return await _perform_here(settings, verb, facts)
    except LeaseTaken:
        return await _perform_there(settings.data_dir, verb, facts)


async def _perform_here(settings: Settings, verb: str, facts: dict[str, Any]) -> Any:
    host = await open_host(settings)
    try:
        return await VERBS[verb](host, **facts)
    except FareboxError as error:
        raise Refused(error.detail) from None
    finally:
        await host.close()


async def _perform_there(data_dir: Path, verb: str, facts: dict[str, Any]) -> Any:
    try:
        with _short(data_dir / SOCKET) as path:
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_MAX)
    except OSError:
        raise Refused(f"a Farebox is running on {data_dir} but does not answer") from None
    with closing(writer):
        writer.write(json.dumps({"verb": verb, "facts": facts}).encode() + b"\n")
        async with asyncio.timeout(ANSWER_WITHIN_S):
            answer = json.loads(await reader.readline() or b'{"refused": "the server stopped"}')
    if "refused" in answer:
        raise Refused(answer["refused"])
    return answer["result"]


@asynccontextmanager
async def listen(host: Host) -> AsyncIterator[None]:
    """Answer commands for as long as the server runs."""
    path = host.settings.data_dir / SOCKET
    path.unlink(missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            try:
                async with asyncio.timeout(ANSWER_WITHIN_S):
                    line = await reader.readline()
                    writer.write(json.dumps(await _answer(host, line)).encode() + b"\n")
                    await writer.drain()
            except (OSError, TimeoutError) as error:
                log.warning("control.dropped", error=type(error).__name__)

    with _short(path) as name:
        server = await asyncio.start_unix_server(answer, name, limit=LINE_MAX)
    path.chmod(0o600)
    async with server:
        yield
    path.unlink(missing_ok=True)


async def _answer(host: Host, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        verb = VERBS[request["verb"]]
    except (ValueError, KeyError, TypeError):
        return {"refused": "this server does not know that command; is it an older version?"}
    try:
        return {"result": await verb(host, **request["facts"])}
    except FareboxError as error:
        return {"refused": error.detail}
    except Exception:
        log.exception("control.failed", verb=request["verb"])
        return {"refused": "the server failed; its log says why"}


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for the socket that the kernel accepts, also in a deep directory."""
    if len(os.fsencode(path)) <= _PATH_MAX:
        yield str(path)
        return
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
