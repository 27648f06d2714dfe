"""Finding conversations by what was said in them and what they are called.

`search_line` holds what can be found, a line for each message and title, written by the database's
own triggers (migration 0004), so that nobody who writes a message can forget to. On SQLite its
index is FTS5, on PostgreSQL a column of lexemes; both fold case and accents. What somebody types
is never a query of either: it is cut into words, each of which must occur, the last one perhaps
only begun. Nobody finds what is not their own.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from typing import Any, Final

from sqlalchemy import TextualSelect, column, text
from sqlmodel import Session

WORDS_MAX: Final = 12
"""Words of a search that count; more would only narrow what a dozen have narrowed."""
SEARCH_MAX: Final = 500
MERGE_PAGES: Final = 200
"""Pages of the index that one step may write, so that nobody waits long for the writer."""
EXCERPT_BEFORE: Final = 30
EXCERPT_MAX: Final = 110
MARKED_AROUND: Final = 1000
"""Characters on either side of a word that are read for its excerpt, marks and all."""

_SQLITE: Final = (
    "account_id = :account AND id IN"
    " (SELECT rowid FROM search_index WHERE search_index MATCH :words)"
)
_BEGUN: Final = (
    "(SELECT CASE WHEN numnode(q) = 0 THEN q ELSE (q::text || ':*')::tsquery END"
    " FROM (SELECT {} AS q) AS last)"
)
"""A word that may go on, on PostgreSQL."""
_WORD: Final = re.compile(r"\w+")
_LINK: Final = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
_MARKS: Final = re.compile(
    r"(`{1,3})(?P<code>[^`\n]+)\1"
    r"|^[ \t]*(?:#{1,6}|>|[-*+])[ \t]|^[ \t|:-]+$|\||`+|~~"
    r"|(?<![\w*_])[*_]{1,3}(?=\S)|(?<=\S)[*_]{1,3}(?![\w*_])",
    re.MULTILINE,
)
"""What Markdown adds to words; an asterisk between two numbers is none of it, nor one in code.

Neither pattern can look twice at the same text for long, whatever somebody wrote: what opens again
before it has closed is none.
"""
_UNFIT: Final = re.compile("[\x00\ud800-\udfff]")
"""What no text in either database has: U+0000, and halves of surrogate pairs."""


def threads_with(session: Session, account_id: int, search: str) -> TextualSelect | None:
    """A query for the person's threads that hold every word; None if nothing can be found."""
    found = _condition(session, account_id, search)
    if found is None:
        return None
    condition, facts = found
    return (
        # Materialised, or PostgreSQL without statistics searches once for each of the threads.
        text(
            f"WITH hit AS MATERIALIZED (SELECT thread_id FROM search_line WHERE {condition})"  # noqa: S608 - our own words
            " SELECT thread_id FROM hit"
        )
        .bindparams(**facts)
        .columns(column("thread_id"))
    )


def excerpts(
    session: Session, account_id: int, search: str, thread_ids: Collection[str]
) -> Mapping[str, str]:
    """By thread, a few words of the latest message in which the search was found."""
    found = _condition(session, account_id, search)
    if found is None or not thread_ids:
        return {}
    condition, facts = found
    names = {f"t{number}": thread_id for number, thread_id in enumerate(thread_ids)}
    threads = ", ".join(f":{name}" for name in names)
    latest = text(
        "SELECT thread_id, body FROM search_line WHERE id IN ("  # noqa: S608 - our own words
        f"SELECT MAX(id) FROM search_line WHERE {condition} AND key LIKE 'm:%'"
        f" AND thread_id IN ({threads}) GROUP BY thread_id)"
    )
    words = _words(search)
    rows = session.execute(latest.bindparams(**facts, **names))
    return {thread_id: excerpt(body, words) for thread_id, body in rows}


def merge_index(session: Session, *, is_first: bool) -> bool:
    """Take words of what was deleted out of the index, a step at a time; False when it is done.

    FTS5 only notes that a row is gone until parts of its index are merged. PostgreSQL needs none
    of this: its vacuum removes what was deleted.
    """
    if session.get_bind().dialect.name != "sqlite":
        return False
    driver = session.connection().connection.driver_connection
    assert driver is not None
    before = driver.total_changes
    pages = -MERGE_PAGES if is_first else MERGE_PAGES
    driver.execute("INSERT INTO search_index (search_index, rank) VALUES ('merge', ?)", (pages,))
    # By FTS5's own documentation: fewer than two changes mean that there was nothing to do.
    return bool(driver.total_changes - before >= 2)  # noqa: PLR2004


def excerpt(body: str, words: Collection[str]) -> str:
    """A line of the text around the first of the words, without Markdown's marks."""
    near = max(0, _first(body, words) - MARKED_AROUND)
    piece = body[near : near + 2 * MARKED_AROUND]
    flat = " ".join(_MARKS.sub(lambda mark: mark["code"] or "", _LINK.sub(r"\1", piece)).split())
    start = max(0, _first(flat, words) - EXCERPT_BEFORE)
    if start:  # at the beginning of a word
        start = flat.find(" ", start) + 1
    cut = flat[start : start + EXCERPT_MAX]
    before = "…" if near or start else ""
    after = "…" if len(body) > near + len(piece) or start + EXCERPT_MAX < len(flat) else ""
    return f"{before}{cut.rstrip()}{after}"


def _first(text: str, words: Collection[str]) -> int:
    """Where the first of the words begins; 0 where there is none."""
    starts = (
        match.start()
        for match in _WORD.finditer(text)
        if _folded(match[0]).startswith(tuple(words))
    )
    return next(starts, 0)


def _condition(
    session: Session, account_id: int, search: str
) -> tuple[str, dict[str, Any]] | None:
    """What lines must fulfil, and the values in it; None if nothing could."""
    if _UNFIT.search(search):
        return None
    pieces = [piece for piece in search[:SEARCH_MAX].split() if _WORD.search(piece)][:WORDS_MAX]
    if not pieces:
        return None
    is_begun = _WORD.match(pieces[-1][-1]) is not None  # "100%" is a whole word, "100" may go on
    if session.get_bind().dialect.name == "sqlite":
        quoted = " AND ".join(f'"{piece.replace(chr(34), " ")}"' for piece in pieces)
        words = f'account_id : "{account_id}" AND body : ({quoted}{" *" if is_begun else ""})'
        return _SQLITE, {"account": account_id, "words": words}
    names = {f"w{number}": piece for number, piece in enumerate(pieces)}
    *whole, last = [f"phraseto_tsquery('simple', search_fold(:{name}))" for name in names]
    if is_begun:
        last = _BEGUN.format(last)
    wanted = " && ".join([*whole, last])
    return f"account_id = :account AND words @@ ({wanted})", {"account": account_id, **names}


def _words(search: str) -> tuple[str, ...]:
    return tuple(_folded(word) for word in _WORD.findall(search[:SEARCH_MAX]))


def _folded(written: str) -> str:
    """Without case and accents, as the index has it."""
    parts = unicodedata.normalize("NFKD", written)
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()
