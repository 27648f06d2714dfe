"""`python -m farebox.demo.upstream`: the scripted upstream as a process of its own."""

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Annotated

import typer

from farebox.demo.upstream.app import DEFAULT_KEY, ScriptedUpstream
from farebox.demo.upstream.pace import Pace
from farebox.demo.upstream.server import LOOPBACK, serve


def main(
    port: Annotated[int, typer.Option(help="0: any free port.")] = 9900,
    host: Annotated[str, typer.Option(help="The address to listen on.")] = LOOPBACK,
    key: Annotated[
        list[str] | None,
        typer.Option(help=f"A key to accept; repeatable. [default: {DEFAULT_KEY}]"),
    ] = None,
    words_per_s: Annotated[float, typer.Option(min=0.1, help="How fast answers come.")] = 40.0,
    first_word_s: Annotated[float, typer.Option(min=0.0, help="Wait before the first.")] = 0.3,
    keep_in: Annotated[
        Path | None, typer.Option(help="Keep conversations in this directory.")
    ] = None,
) -> None:
    """Serve OpenAI's wire from a script, no AI. Stop with Ctrl-C."""
    keys = key or [DEFAULT_KEY]
    pace = Pace(words_per_s=words_per_s, first_word_s=first_word_s)
    upstream = ScriptedUpstream(keys, pace, keep_in=keep_in)
    asyncio.run(_serve_until_stopped(upstream, port, host, keys))


async def _serve_until_stopped(
    upstream: ScriptedUpstream, port: int, host: str, keys: list[str]
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # Windows ends by KeyboardInterrupt
            loop.add_signal_handler(number, stopped.set)
    async with serve(upstream, port, host=host) as address:
        typer.echo(f"Scripted upstream, no AI: {address.openai_base_url}")
        typer.echo(f"Keys it accepts: {', '.join(keys)}")
        await stopped.wait()


if __name__ == "__main__":
    typer.run(main)
