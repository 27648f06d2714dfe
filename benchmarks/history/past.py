"""Conversations that somebody has had, written in bulk: in our tables, and in Chainlit's."""

import json
from pathlib import Path
from typing import TypeAlias
from uuid import UUID, uuid5

from sqlalchemy import Connection, create_engine, insert, text

from storage.addresses import driver_url
from storage.ids import new_id
from storage.models.conversations import Message, Run, Speaker, Thread
from storage.moments import SECOND
from storage.run_states import RunState

Row: TypeAlias = dict[str, object]
BEGAN_AT = 1_790_000_000 * SECOND
QUESTION = "How do I work out the area of a triangle when I know two sides and the angle? " * 2
ANSWER = "Multiply the two sides, then the sine of the angle between them, and halve that. " * 8
PRICE = 5_000
_NAMES = UUID("6f0b6f9e-52f5-4c43-9d0e-8d1d2a0c7f11")
_TABLES = (
    """CREATE TABLE users ("id" TEXT PRIMARY KEY, "identifier" TEXT UNIQUE, "metadata" TEXT,
    "createdAt" TEXT)""",
    """CREATE TABLE threads ("id" TEXT PRIMARY KEY, "createdAt" TEXT, "name" TEXT, "userId" TEXT,
    "userIdentifier" TEXT, "tags" TEXT, "metadata" TEXT)""",
    """CREATE TABLE steps ("id" TEXT PRIMARY KEY, "name" TEXT, "type" TEXT, "threadId" TEXT,
    "parentId" TEXT, "streaming" BOOLEAN, "waitForAnswer" BOOLEAN, "isError" BOOLEAN,
    "metadata" TEXT, "tags" TEXT, "input" TEXT, "output" TEXT, "createdAt" TEXT,
    "start" TEXT, "end" TEXT, "generation" TEXT, "showInput" TEXT, "language" TEXT)""",
    """CREATE TABLE elements ("id" TEXT PRIMARY KEY, "threadId" TEXT, "type" TEXT, "url" TEXT,
    "chainlitKey" TEXT, "name" TEXT, "display" TEXT, "objectKey" TEXT, "size" TEXT,
    "page" INTEGER, "language" TEXT, "forId" TEXT, "mime" TEXT, "props" TEXT)""",
    """CREATE TABLE feedbacks ("id" TEXT PRIMARY KEY, "forId" TEXT, "threadId" TEXT,
    "value" INTEGER, "comment" TEXT)""",
    # Indexes that its documentation does not ask for, so that it stands here at its best.
    'CREATE INDEX ix_threads ON threads ("userId")',
    'CREATE INDEX ix_steps ON steps ("threadId")',
    'CREATE INDEX ix_elements ON elements ("threadId")',
    'CREATE INDEX ix_feedbacks ON feedbacks ("forId")',
)


def thread_id(number: int) -> str:
    """The conversation of this number, the same in both kinds of tables."""
    return str(uuid5(_NAMES, str(number)))


def write_ours(address: str, account_id: int, offering_id: int, *, sizes: tuple[int, ...]) -> None:
    """Conversations of so many messages each; half are questions, half answers that were paid."""
    threads, messages, runs = [], [], []
    for number, count in enumerate(sizes):
        began_at = BEGAN_AT + number * 3_600 * SECOND
        threads.append(
            {
                "id": thread_id(number),
                "account_id": account_id,
                "offering_id": offering_id,
                "title": f"Triangles, part {number}",
                "chat_metadata": {},
                "tags": [],
                "created_at": began_at,
                "updated_at": began_at + count * SECOND,
            }
        )
        for turn in range(count // 2):
            now = began_at + 2 * turn * SECOND
            run, said = _turn(thread_id(number), account_id, offering_id, now)
            runs.append(run)
            messages += said
    engine = create_engine(driver_url(address))
    with engine.begin() as connection:
        for table, rows in ((Thread, threads), (Message, messages), (Run, runs)):
            connection.execute(insert(table), rows)
        connection.execute(text("ANALYZE"))
    engine.dispose()


def _turn(thread: str, account_id: int, offering_id: int, now: int) -> tuple[Row, list[Row]]:
    run_id, question_id, answer_id = new_id(), new_id(), new_id()
    said: list[Row] = [
        {
            "id": message_id,
            "thread_id": thread,
            "run_id": run_id,
            "speaker": speaker.value,
            "text": words,
            "created_at": now + place,
            "updated_at": now + place,
        }
        for place, (message_id, speaker, words) in enumerate(
            (
                (question_id, Speaker.SUBSCRIBER, QUESTION),
                (answer_id, Speaker.ASSISTANT, ANSWER),
            )
        )
    ]
    run: Row = {
        "id": run_id,
        "thread_id": thread,
        "account_id": account_id,
        "offering_id": offering_id,
        "question_id": question_id,
        "answer_id": answer_id,
        "state": RunState.COMPLETED.value,
        "provider": "responses",
        "receipt_id": new_id(),
        "price": PRICE,
        "charged": PRICE,
        "balance_after": PRICE,
        "owner": "the past",
        "created_at": now,
        "first_text_at": now,
        "ended_at": now + SECOND,
    }
    return run, said


def write_chainlits(path: Path, user_id: str, *, sizes: tuple[int, ...]) -> None:
    """The same conversations as Chainlit's own data layer keeps them."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for table in _TABLES:
            connection.execute(text(table))
        connection.execute(
            text("INSERT INTO users VALUES (:id, :id, '{}', '2026-09-21T00:00:00Z')"),
            {"id": user_id},
        )
        for number, count in enumerate(sizes):
            _write_thread(connection, number, count, user_id)
    engine.dispose()


def _write_thread(connection: Connection, number: int, count: int, user_id: str) -> None:
    thread = thread_id(number)
    moment = f"2026-09-21T{number // 60 % 24:02}:{number % 60:02}:"
    connection.execute(
        text("INSERT INTO threads VALUES (:id, :at, :name, :user, :user, NULL, :metadata)"),
        {
            "id": thread,
            "at": f"{moment}00Z",
            "name": f"Triangles, part {number}",
            "user": user_id,
            "metadata": json.dumps({"chat_profile": "math-tutor"}),
        },
    )
    steps = [
        {
            "id": new_id(),
            "name": "Math Tutor",
            "type": "assistant_message" if place % 2 else "user_message",
            "thread": thread,
            "output": ANSWER if place % 2 else QUESTION,
            "at": f"{moment}{place % 60:02}.{place:06}Z",
        }
        for place in range(count)
    ]
    connection.execute(
        text(
            'INSERT INTO steps ("id", "name", "type", "threadId", "streaming", "isError",'
            ' "metadata", "input", "output", "createdAt", "start", "end", "showInput")'
            " VALUES (:id, :name, :type, :thread, 0, 0, '{}', '', :output, :at, :at, :at,"
            " 'false')"
        ),
        steps,
    )
