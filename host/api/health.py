"""Whether this process is alive, and whether it has all that it needs to serve.

For load balancers and for people. The answers name what failed and never why, because they are
public; the log says of what kind it was.
"""

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter
from fastapi.responses import JSONResponse

from host.config import Settings
from host.vault.envelope import SecretUnreadable
from host.vault.vault import Vault
from storage.accounts import exists_with_role
from storage.database import Database
from storage.migrate import check_is_current
from storage.models.accounts import Role

log = structlog.get_logger(__name__)


def health_router(settings: Settings, database: Database, vault: Vault) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: so does all that it needs."""
    router = APIRouter(include_in_schema=False)
    are_tables_ours = False

    async def check_tables() -> None:
        # Asked until it is so, and not again: tables are upgraded while nobody serves.
        nonlocal are_tables_ours
        if not are_tables_ours:
            await asyncio.to_thread(check_is_current, settings.database)
            are_tables_ours = True

    async def check_database() -> None:
        await database.read(lambda session: exists_with_role(session, Role.OPERATOR))
        # Asked of the writer as well: it may be stuck, or stopped, where reading still works.
        await database.run(lambda unit: exists_with_role(unit.session, Role.OPERATOR))

    async def check_vault() -> None:
        if not await vault.is_usable():
            raise SecretUnreadable

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready() -> JSONResponse:
        checks = {
            "database": await _verdict("database", check_database),
            "migrations": await _verdict("migrations", check_tables),
            "master_key": await _verdict("master_key", check_vault),
        }
        is_ready = set(checks.values()) == {"ok"}
        return JSONResponse(checks, 200 if is_ready else 503, {"Cache-Control": "no-store"})

    return router


async def _verdict(name: str, check: Callable[[], Awaitable[None]]) -> str:
    try:
        await check()
    except Exception as error:  # noqa: BLE001 - whatever it is, this process cannot serve now
        log.warning("ready.failed", check=name, error=type(error).__name__)
        return "failed"
    return "ok"
