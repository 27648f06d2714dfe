"""The scripted upstream started on its own, as the README tells people to."""

import asyncio
import signal
import sys

from openai import AsyncOpenAI

KEY = "sk-demo-process-1234"


async def test_it_says_where_it_listens_answers_its_key_and_stops_when_told() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "farebox.demo.upstream", "--port", "0", "--key", KEY),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(30):
            line = (await process.stdout.readline()).decode()
            base_url = line.split()[-1]
            async with AsyncOpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
                assert [model.id async for model in client.models.list()]
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "no AI" in line
    assert KEY not in line
