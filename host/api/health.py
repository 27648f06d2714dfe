"""Whether this process is alive, and whether it has all that it needs to serve.

For load balancers and for people. The answers name what failed and never why: they are public.
"""

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from host.config import Settings
from host.vault.vault import Vault
from storage.accounts import exists_with_role
from storage.database import Database
from storage.errors import NotMigrated
from storage.migrate import check_is_current
from storage.models.accounts import Role


def health_router(settings: Settings, database: Database, vault: Vault) -> APIRouter:
    """`/healthz`: the process answers. `/readyz`: so does all that it needs."""
    router = APIRouter(include_in_schema=False)
    are_tables_ours = False

    async def check_tables() -> None:
        # Asked until it is so: the question takes the lock that upgrades take.
        nonlocal are_tables_ours
        if not are_tables_ours:
            await asyncio.to_thread(check_is_current, settings.database)
            are_tables_ours = True

    async def check_database() -> None:
        await database.read(lambda session: exists_with_role(session, Role.OPERATOR))

    async def check_vault() -> None:
        if not await vault.is_usable():
            raise NotMigrated("secrets were sealed under another master key")

    @router.get("/healthz")
    async def alive() -> dict[str, str]:
        return {"status": "ok"}

    @router.get("/readyz")
    async def ready() -> JSONResponse:
        checks = {
            "database": await _verdict(check_database),
            "migrations": await _verdict(check_tables),
            "master_key": await _verdict(check_vault),
        }
        is_ready = set(checks.values()) == {"ok"}
        return JSONResponse(checks, 200 if is_ready else 503, {"Cache-Control": "no-store"})

    return router


async def _verdict(check: Callable[[], Awaitable[None]]) -> str:
    try:
        await check()
    except Exception:  # noqa: BLE001 - whatever it is, this process cannot serve now
        return "failed"
    return "ok"
