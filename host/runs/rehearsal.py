"""Trying an assistant: one answer, outside of any thread and for nothing, told to its builder.

What comes of it is folded like any answer (`host.runs.transcript`), and said in a sentence that
names what can be done about it. Nothing is stored here; the upstream keeps what it keeps.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from host.providers.base import (
    FOR_BUILDERS,
    FailureKind,
    RunEvent,
    RunRequest,
    Show,
    UpstreamError,
)
from host.runs.drive import Means
from host.runs.lifecycle import Reason
from host.runs.transcript import Transcript
from host.vault.envelope import SecretUnreadable
from storage.cards import AssistantConfig
from storage.ids import new_id
from storage.moments import SECOND

REHEARSAL_MAX_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What came of trying an assistant, in a sentence for its builder."""

    ok: bool
    text: str
    seconds: float
    sentence: str


async def rehearse(means: Means, assistant: AssistantConfig, text: str) -> Rehearsal:
    """Have an assistant answer once."""
    transcript, began_at = Transcript(), means.clock.now()

    async def show(event: RunEvent) -> None:
        nonlocal transcript
        transcript = transcript.after(event)

    try:
        async with asyncio.timeout(REHEARSAL_MAX_S):
            await _ask_once(means, assistant, text, show)
        transcript = transcript.ended(Reason.UPSTREAM_TRUNCATED)
    except UpstreamError as error:
        transcript = transcript.failed(error.kind)
    except TimeoutError:
        transcript = transcript.failed(FailureKind.TIMED_OUT)
    except SecretUnreadable:
        transcript = transcript.failed(FailureKind.KEY_REJECTED)
    seconds = (means.clock.now() - began_at) / SECOND
    is_ok = transcript.is_payable
    return Rehearsal(is_ok, transcript.text, seconds, _verdict(transcript, seconds))


async def _ask_once(means: Means, assistant: AssistantConfig, text: str, show: Show) -> None:
    provider = means.providers[assistant.provider]
    credential = await means.credential(assistant)
    run_id = new_id()
    request = RunRequest(
        credential=credential,
        model=assistant.model,
        instructions=assistant.instructions,
        provider_thread=await provider.open_thread(credential, thread_id=run_id),
        text=text,
        run_id=run_id,
        subscriber="rehearsal",
    )
    await provider.run(request, show)


def _verdict(transcript: Transcript, seconds: float) -> str:
    if transcript.is_payable:
        return f"It answered in {seconds:.1f} s."
    if transcript.failure is not None:
        return f"It did not answer. {FOR_BUILDERS[transcript.failure]}"
    match transcript.reason:
        case Reason.EMPTY_ANSWER:
            return "It answered with nothing. Check the model and the instructions."
        case Reason.INCOMPLETE:
            return "Its answer was cut short by the upstream."
        case _:
            return "Its answer broke off."
