"""One of many programs that call at once, as `python -m tests.acceptance.client`.

The first line of its standard input is its `Errand`. It gets ready and says so; then each line
tells how many deliveries to try for, and is answered by one line: what it was told, try by try. It
uses nothing of Farebox's code, and imports what its door needs only then: twenty start together.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from decimal import Decimal
from http.client import HTTPConnection
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit
from uuid import uuid4

PATIENCE_S: Final = 60
READY: Final = "ready"
OUT_OF_CREDITS: Final = "402 credits_exhausted"
"""The refusal, as HTTP says it."""
BUSY: Final = "503 ledger_busy"
TRIES: Final = 5
"""Each waits in the ledger's queue before it is refused, so there is no need to wait besides."""

Door: TypeAlias = Literal["chat", "ask", "call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a client is sent for."""

    door: Door
    addresses: tuple[str, ...]
    """Of servers to be asked in turn; the chat's is the first."""
    path: str
    """Where to POST; in the chat, the assistant's name."""
    body: dict[str, str]
    headers: dict[str, str]
    is_doubled: bool
    """Everything is sent twice under one name, as a retry that did not wait would be."""


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, as a client sees it."""

    is_delivered: bool
    charged: int
    """Milli-credits."""
    receipt: str | None
    refusal: str
    """Status and code; in the chat the sentence. Empty for what was delivered."""


Attempt: TypeAlias = list[Told]
"""What was told about one delivery: one answer, or two where all is doubled."""


def attempts_in(line: str) -> list[Attempt]:
    """What a client's line says."""
    return [[Told(**told) for told in attempt] for attempt in json.loads(line)]


def main() -> None:
    """Carry out the errand."""
    errand = Errand(**json.loads(sys.stdin.readline()))
    if errand.door == "chat":
        asyncio.run(_chat(errand))
    else:
        with _caller(errand) as try_once:
            _tell(READY)
            for line in sys.stdin:
                _report([try_once(number) for number in range(int(line))])


@contextmanager
def _caller(errand: Errand) -> Iterator[Callable[[int], "Attempt"]]:
    with ThreadPoolExecutor(2) as threads:

        def try_once(number: int) -> Attempt:
            name = str(uuid4()) if errand.is_doubled else None
            to = [errand.addresses[(number + i) % len(errand.addresses)] for i in range(2)]
            calls = [(errand, address, name) for address in to[: 1 + errand.is_doubled]]
            return list(threads.map(lambda call: _post(*call), calls))

        yield try_once


def _post(errand: Errand, address: str, name: str | None) -> Told:
    """Call, and call again where the ledger was busy: then nothing has been done."""
    told = _post_once(errand, address, name)
    for _ in range(TRIES - 1):
        if told.refusal != BUSY:
            break
        told = _post_once(errand, address, name)
    return told


def _post_once(errand: Errand, address: str, name: str | None) -> Told:
    connection = HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)
    headers = errand.headers | {"Content-Type": "application/json"}
    if name is not None:
        headers["Idempotency-Key"] = name
    try:
        connection.request("POST", errand.path, json.dumps(errand.body), headers)
        answer = connection.getresponse()
        content = json.loads(answer.read())
    finally:
        connection.close()
    charged = Decimal(answer.headers.get("Farebox-Credits-Charged", "0")) * 1000
    receipt = answer.headers.get("Farebox-Receipt")
    is_delivered = answer.status == 200
    refusal = "" if is_delivered else f"{answer.status} {content.get('code', content)}"
    return Told(is_delivered, int(charged), receipt, refusal)


async def _chat(errand: Errand) -> None:
    async with _page(errand) as page:
        _tell(READY)
        while line := await asyncio.to_thread(sys.stdin.readline):
            _report([[await page.ask()] for _ in range(int(line))])


@asynccontextmanager
async def _page(errand: Errand) -> AsyncIterator["_Page"]:
    import socketio  # type: ignore[import-untyped]  # it has no types

    client = socketio.AsyncClient(reconnection=False)
    page = _Page(client, errand)
    client.on("*", page.note)
    await client.connect(
        errand.addresses[0],
        socketio_path="/ws/socket.io",
        transports=["websocket"],
        headers=errand.headers,
        auth={
            "sessionId": str(uuid4()),
            "clientType": "webapp",
            "threadId": "",
            "userEnv": "{}",
            "chatProfile": errand.path,
        },
    )
    await client.emit("connection_successful")
    try:
        yield page
    finally:
        await client.disconnect()


class _Page:
    """A page open on a conversation of its own."""

    def __init__(self, client: Any, errand: Errand) -> None:
        self._client = client
        self._errand = errand
        self._told: asyncio.Queue[Told] = asyncio.Queue()

    def note(self, event: str, *data: Any) -> None:
        """Listen for receipts, and for refusals: sentences that belong to no run."""
        match event, data:
            case "element", [{"name": "Receipt", "id": receipt, "props": props}, *_]:
                self._told.put_nowait(_told_by(str(props["line"]), receipt, props["tone"]))
            case "new_message", [{"output": str(text)}, *_] if text.startswith("Not charged. "):
                self._told.put_nowait(
                    Told(is_delivered=False, charged=0, receipt=None, refusal=text)
                )

    async def ask(self) -> Told:
        """Say something, and wait for its receipt or its refusal."""
        message = {
            "id": str(uuid4()),
            "type": "user_message",
            "output": self._errand.body["message"],
        }
        for _ in range(1 + self._errand.is_doubled):
            await self._client.emit("client_message", {"message": message, "fileReferences": []})
        async with asyncio.timeout(PATIENCE_S):
            return await self._told.get()


def _told_by(line: str, receipt: str, tone: str) -> Told:
    """What a receipt under an answer says: `−1.5 credits · 3 left · 0.4 s`."""
    if tone != "charged":
        return _refused(line, receipt)
    charged = Decimal(line.removeprefix("−").split(" ")[0]) * 1000
    return Told(is_delivered=True, charged=int(charged), receipt=receipt, refusal="")


def _refused(sentence: str, receipt: str | None = None) -> Told:
    return Told(is_delivered=False, charged=0, receipt=receipt, refusal=sentence)


def _report(attempts: list[Attempt]) -> None:
    _tell(json.dumps([[asdict(told) for told in attempt] for attempt in attempts]))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
