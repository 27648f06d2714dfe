"""One person with a past, and an assistant to talk to; then the server that shows them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.history.past import write_ours
from host.app import open_host
from host.config import Settings
from storage.credits import MilliCredits
from storage.migrate import upgrade
from tests.acceptance.servers import ServerProcess, free_port
from tests.acceptance.shop import EMAIL, MASTER_KEY, furnish
from tests.replicas import UNUSED

NOWHERE: Final = f"{UNUSED}/v1"
"""Nobody asks anything here."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the person is a customer."""

    settings: dict[str, str]
    data_dir: Path
    account_id: int

    @property
    def as_settings(self) -> Settings:
        """The same for a host in this process."""
        return _settings(self.settings, self.data_dir)


@asynccontextmanager
async def open_shop(folder: Path, *, sizes: tuple[int, ...]) -> AsyncIterator[Shop]:
    """A person with conversations of these sizes, in an SQLite file under `folder`."""
    data_dir = folder / "data"
    data_dir.mkdir()
    address = f"sqlite:///{data_dir / 'farebox.db'}"
    environment = {
        "FAREBOX_DATABASE_URL": address,
        "FAREBOX_MASTER_KEY": MASTER_KEY,
        "FAREBOX_OPENAI_BASE_URL": NOWHERE,
        "FAREBOX_ALLOW_PRIVATE_UPSTREAMS": "true",
    }
    upgrade(address)
    await furnish(environment, folder, MilliCredits(100_000), upstream=NOWHERE, songs=UNUSED)
    host = await open_host(_settings(environment, folder / "furnishing"))
    try:
        account = await host.accounts.find(EMAIL)
        card = await host.catalogue.find_offering("tutor")
    finally:
        await host.close()
    write_ours(address, account.id, card.id, sizes=sizes)
    yield Shop(environment, data_dir, account.id)


def _settings(environment: dict[str, str], data_dir: Path) -> Settings:
    fields = {name.removeprefix("FAREBOX_").lower(): value for name, value in environment.items()}
    return Settings(data_dir=data_dir, **fields)  # type: ignore[arg-type]  # pydantic parses strings


@contextmanager
def serving(shop: Shop, log: Path) -> Iterator[ServerProcess]:
    """`farebox serve` on the shop."""
    port = free_port()
    server = ServerProcess(
        ["farebox", "serve", "--port", str(port), "--data-dir", str(shop.data_dir)],
        log=log,
        settings=shop.settings | {"FAREBOX_PUBLIC_URL": f"http://localhost:{port}"},
    ).start()
    try:
        yield server
    finally:
        server.stop()
