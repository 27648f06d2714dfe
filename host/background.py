"""Work that a process does again and again beside serving, however it went the last time."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

log = structlog.get_logger(__name__)


class Background:
    """What is done again and again, until it may rest."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def repeat(
        self,
        work: Callable[[], Awaitable[object]],
        *,
        every_s: float,
        first_in_s: float | None = None,
        name: str,
    ) -> None:
        """Do it from now on, every so often."""
        again = again_and_again(work, every_s=every_s, first_in_s=first_in_s, name=name)
        self._tasks.append(asyncio.create_task(again, name=name))

    async def rest(self) -> None:
        """Do none of it any more; returns when what was being done has stopped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def again_and_again(
    work: Callable[[], Awaitable[object]],
    *,
    every_s: float,
    first_in_s: float | None = None,
    name: str,
) -> None:
    """Do it every so often, however it went the last time, until cancelled."""
    pause_s = every_s if first_in_s is None else first_in_s
    while True:
        await asyncio.sleep(pause_s)
        pause_s = every_s
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - its text may quote rows, so the kind alone
            log.error("background.failed", work=name, kind=type(error).__name__)  # noqa: TRY400
