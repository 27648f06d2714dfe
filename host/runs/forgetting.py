"""Deleting a conversation: here at once, and at the assistant's provider as soon as it can be.

Everything of it here goes in one unit of work, together with a note of what the provider has. The
note is worked off right away, for as long as somebody will wait, and else in the background, again
and again for two days; then it is given up, and stays to be seen. Who works on a note takes it
first, so that of several processes each works on others; one that dies leaves its note to be taken
a minute later. The words of what was deleted also leave the index that people search in, which
takes steps of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from host.errors import UnknownThread
from host.language import _
from host.providers.base import Credential, UpstreamError
from host.runs.drive import Means
from host.runs.opening import in_progress
from host.runs.runner import Runs
from host.vault.envelope import SecretUnreadable
from storage import chat_history, conversations, deletions
from storage.database import Unit
from storage.models.conversations import UpstreamDeletion
from storage.moments import MINUTE, Micros
from storage.search import merge_index

log = structlog.get_logger(__name__)

PATIENCE_S: Final = 3.0
"""How long a person who deletes waits for the provider."""
UPSTREAM_S: Final = 30.0
TAKEN_FOR: Final = MINUTE
"""Longer than a try can take."""
PAUSES: Final = tuple(Micros(minutes * MINUTE) for minutes in (1, 5, 30, 120, 480, 960, 1440))
"""Between tries; two days in all, so that a builder can replace a key that ended."""
MERGE_STEPS_MAX: Final = 500
"""Of one round; an index that is larger is merged in the next."""


class Forgetting:
    """Deletes conversations, and what providers have of them."""

    def __init__(self, means: Means, runs: Runs, *, patience_s: float = PATIENCE_S) -> None:
        self._means, self._runs = means, runs
        self._patience_s = patience_s
        self._told: list[Callable[[str, int], Awaitable[None]]] = []
        # What the process before deleted may not have left the index yet.
        self._is_index_stale = True

    def tell(self, listener: Callable[[str, int], Awaitable[None]]) -> None:
        """Call `listener` with each conversation that is deleted here, and whose it was."""
        self._told.append(listener)

    async def delete(self, thread_id: str, *, account_id: int | None) -> bool:
        """Delete a conversation of this account; an answer being written is stopped first.

        Returns whether nothing of it is left at the provider either.

        Raises:
            UnknownThread: it is not theirs, or there is none.
            CallInProgress: another answer has begun meanwhile.
        """
        database, now = self._means.database, self._means.clock.now()
        if account_id is None or account_id != await database.read(
            lambda s: chat_history.author_of(s, thread_id)
        ):
            raise UnknownThread(_("There is no such conversation."))
        live = await self._runs.join(thread_id, account_id=account_id)
        if live is not None:
            await live.stop()
        note_id = await database.run(lambda unit: _delete(unit, thread_id, now))
        self.words_were_erased()
        for listener in self._told:
            await listener(thread_id, account_id)
        if note_id is None:
            return True
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._work_off(note_id)
        except TimeoutError:
            return False

    def words_were_erased(self) -> None:
        """Take note that conversations were deleted elsewhere: the index is merged next."""
        self._is_index_stale = True

    async def work_off(self) -> None:
        """Delete at providers what is due, and take deleted words out of the index."""
        now = self._means.clock.now()
        due = await self._means.database.read(lambda s: deletions.due_deletions(s, now))
        for note in due:
            if note.id is not None:
                await self._work_off(note.id)
        if self._is_index_stale:
            self._is_index_stale = not await self._merge()

    async def _merge(self) -> bool:
        """Whether the index has no word left of what was deleted."""
        for step in range(MERGE_STEPS_MAX):
            is_first = step == 0
            if not await self._means.database.run(
                lambda u, first=is_first: merge_index(u.session, is_first=first)  # type: ignore[misc]
            ):
                return True
        return False

    async def _work_off(self, note_id: int) -> bool:
        """Whether nothing of it is left at the provider; False as well while others see to it."""
        database, now = self._means.database, self._means.clock.now()
        until = Micros(now + TAKEN_FOR)
        note = await database.run(
            lambda u: deletions.take_deletion(u.session, note_id, now=now, until=until)
        )
        if note is None:
            return False
        try:
            async with asyncio.timeout(UPSTREAM_S):
                await self._forget(note)
        except asyncio.CancelledError:  # nobody waits any longer: whoever comes next may have it
            await database.run(
                lambda u: deletions.put_off(u.session, note_id, tries=note.tries, next_at=now)
            )
            raise
        except (UpstreamError, SecretUnreadable, TimeoutError) as error:
            await self._put_off(note, error)
            return False
        await database.run(lambda u: deletions.worked_off(u.session, note_id))
        return True

    async def _forget(self, note: UpstreamDeletion) -> None:
        means = self._means
        credential = Credential(
            key=await means.vault.reveal(note.secret_id), base_url=note.base_url
        )
        await means.providers[note.provider].forget_thread(
            credential,
            provider_thread=note.provider_thread,
            provider_runs=tuple(note.provider_runs),
        )

    async def _put_off(self, note: UpstreamDeletion, error: Exception) -> None:
        assert note.id is not None, "it was read from its table"
        note_id, tries = note.id, note.tries + 1
        is_given_up = tries > len(PAUSES)
        now = self._means.clock.now()
        next_at = None if is_given_up else Micros(now + PAUSES[tries - 1])
        await self._means.database.run(
            lambda u: deletions.put_off(u.session, note_id, tries=tries, next_at=next_at)
        )
        log.warning(
            "thread.not_deleted_upstream",
            note_id=note_id,
            kind=getattr(error, "kind", type(error).__name__),
            tries=tries,
            is_given_up=is_given_up,
        )


def _delete(unit: Unit, thread_id: str, now: Micros) -> int | None:
    """Delete the rows, unless a question slipped in after the last answer was stopped.

    Its answer would be charged, and be deleted unseen.
    """
    conversations.touch_thread(unit.session, thread_id, now)  # so that none slips in from here on
    if conversations.has_unfinished_run(unit.session, thread_id):
        raise in_progress()
    return deletions.delete_thread(unit.session, thread_id, now)
