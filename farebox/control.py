"""Commands that write, beside a server that is running.

On SQLite only one process may write. So a command first tries to take the lease on the database;
if a server holds it, the command sends its verb over the server's Unix socket beside the file
(mode 0600: whoever may open it may read the database as well). On PostgreSQL it simply connects.
One JSON document goes each way, to the end of the stream and of any length, since both ends are
the operator's: `{"verb", "facts"}`, then `{"result"}` or `{"refused"}`, `"undecided"` if
it may have been done.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import structlog

from farebox.lease import LeaseTaken, beside, lease
from farebox.verbs import VERBS
from host.app import Host, open_host
from host.config import BadSettings, Settings
from host.errors import FareboxError
from storage.errors import (
    LedgerBroken,
    LedgerBusy,
    LedgerDown,
    NoTables,
    NotMigrated,
    StorageError,
    Unreachable,
)
from storage.migrate import check_is_current

ANSWER_WITHIN_S: Final = 60
PATIENCE_S: Final = ANSWER_WITHIN_S + 5
"""How long a command waits: longer than the server, which then still says what happened."""
_PATH_MAX: Final = 100
"""The kernel keeps 108 bytes for the name of a Unix socket."""

SOCKET: Final = "sock"
"""What the socket's name ends with."""
TOO_SLOW: Final = "the server took too long; what was asked for may still have been done"

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The verb was not carried out; the text says why."""


class Undecided(Refused):
    """Nobody can say whether the verb was carried out: asking again by its name will tell."""


def perform(settings: Settings, verb: str, **facts: Any) -> Any:
    """Carry out one verb, here or in the server that is running. Returns its JSON result.

    Raises:
        Refused: what was asked for is not possible.
        Undecided: it may have been done.
    """
    return asyncio.run(_perform(settings, verb, facts))


def in_words(error: StorageError) -> str:
    """What the operator can do about the memory's failure."""
    if isinstance(error, Unreachable):
        return str(error)
    if isinstance(error, NoTables):
        return f"{error} For a new installation run `farebox db upgrade`."
    if isinstance(error, NotMigrated):
        return f"{error}; run `farebox db upgrade`"
    if isinstance(error, LedgerBroken):
        return f"the ledger has stopped ({error}): see to the disk, then start Farebox again"
    return f"the database could not be used ({type(error).__name__}); try again"


async def _perform(settings: Settings, verb: str, facts: dict[str, Any]) -> Any:
    database = settings.sqlite_file
    try:
        if database is not None and not database.exists():
            check_is_current(settings.database)  # or the lease would be made for a mistyped place
        with lease(settings):
            return await _perform_here(settings, verb, facts)
    except LeaseTaken:
        assert database is not None, "only a file has a lease"
        return await _perform_there(database, verb, facts)
    except BadSettings as error:
        raise Refused(str(error)) from None
    except (LedgerBusy, LedgerDown) as error:
        raise (Refused if isinstance(error, Unreachable) else Undecided)(in_words(error)) from None
    except StorageError as error:
        raise Refused(in_words(error)) from None


async def _perform_here(settings: Settings, verb: str, facts: dict[str, Any]) -> Any:
    try:
        host = await open_host(settings)
        try:
            return await VERBS[verb](host, **facts)
        finally:
            await host.close()
    except FareboxError as error:
        raise Refused(error.detail) from None


async def _perform_there(database: Path, verb: str, facts: dict[str, Any]) -> Any:
    try:
        async with asyncio.timeout(PATIENCE_S):
            answer = json.loads(await _ask(database, json.dumps({"verb": verb, "facts": facts})))
    except TimeoutError:  # first: it is an OSError too
        raise Undecided(TOO_SLOW) from None
    except (OSError, ValueError):
        raise Undecided(f"a Farebox is running on {database}, but stopped answering") from None
    if "refused" in answer:
        raise (Undecided if answer.get("undecided") else Refused)(answer["refused"])
    return answer["result"]


async def _ask(database: Path, question: str) -> bytes:
    with _short(beside(database, SOCKET)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
    with closing(writer):
        writer.write(question.encode())
        writer.write_eof()
        return await reader.read()


@asynccontextmanager
async def listen(host: Host) -> AsyncIterator[None]:
    """Answer commands for as long as the server runs; on PostgreSQL they need nobody's help."""
    database = host.settings.sqlite_file
    if database is None:
        yield
        return
    path = beside(database, SOCKET)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            try:
                writer.write(json.dumps(await _answer_in_time(host, reader)).encode())
                await writer.drain()
            except OSError as error:
                log.warning("control.dropped", error=type(error).__name__)

    async with await asyncio.start_unix_server(answer, sock=_bound(path)):
        yield
    path.unlink(missing_ok=True)


def _bound(path: Path) -> socket.socket:
    """A socket that nobody but its owner could ever connect to: it does not listen yet."""
    path.unlink(missing_ok=True)  # a crash leaves it; whoever holds the lease may clear up
    bound = socket.socket(socket.AF_UNIX)
    try:
        with _short(path) as name:
            bound.bind(name)
        path.chmod(0o600)
    except BaseException:
        bound.close()
        raise
    return bound


async def _answer_in_time(host: Host, reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        async with asyncio.timeout(ANSWER_WITHIN_S):
            return await _answer(host, await reader.read())
    except TimeoutError:
        return {"refused": TOO_SLOW, "undecided": True}


async def _answer(host: Host, question: bytes) -> dict[str, Any]:
    try:
        request = json.loads(question)
        verb = VERBS[request["verb"]]
    except (ValueError, KeyError, TypeError):
        return {"refused": "this server does not know that command; is it an older version?"}
    try:
        return {"result": await verb(host, **request["facts"])}
    except FareboxError as error:
        return {"refused": error.detail}
    except StorageError as error:
        return {
            "refused": in_words(error),
            "undecided": isinstance(error, LedgerBusy | LedgerDown),
        }
    except Exception:
        log.exception("control.failed", verb=request["verb"])
        return {"refused": "the server failed; its log says why", "undecided": True}


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
