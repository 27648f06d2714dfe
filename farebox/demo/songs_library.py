"""The songs of the sample service, all invented, and how one is found. Pure; kept in memory."""

import re
from collections.abc import Iterable
from typing import Final

from pydantic import BaseModel

MOST_SONGS: Final = 500
TITLE_WEIGHT: Final = 3  # a word in the title says more than one in the summary
SHORTEST_WORD: Final = 3  # "the" and "song" aside, shorter words point at nothing
POINTLESS: Final = frozenset(
    {"the", "and", "about", "what", "which", "song", "songs", "summarize"}
)


class Song(BaseModel):
    """One song and what happens in it."""

    id: str
    title: str
    summary: str


class Match(BaseModel):
    """A song that fits, and how well."""

    song: Song
    score: int


INVENTED: Final = (
    Song(
        id="velvet-highway",
        title="Velvet Highway",
        summary="A trucker drives through the night to a dance he promised to come back for, and"
        " arrives when the band is packing up; she has waited.",
    ),
    Song(
        id="lonesome-jukebox",
        title="Lonesome Jukebox",
        summary="The jukebox of an empty diner tells who used to dance in front of it, and plays"
        " one record for nobody.",
    ),
    Song(
        id="memphis-after-midnight",
        title="Memphis After Midnight",
        summary="A singer walks home through the rain after his first applause and cannot tell"
        " whom to wake with the news.",
    ),
    Song(
        id="honey-tune-the-radio",
        title="Honey, Tune the Radio",
        summary="Two people quarrel in a kitchen until their old song comes on, and make up before"
        " its last chorus.",
    ),
    Song(
        id="paper-crown",
        title="Paper Crown",
        summary="A famous man gives his crown to a child at a fair and finds that he sleeps better"
        " without it.",
    ),
)


class Library:
    """The songs at hand, by id."""

    def __init__(self, songs: Iterable[Song] = INVENTED) -> None:
        self._songs = {song.id: song for song in songs}

    def search(self, text: str, most: int) -> list[Match]:
        """The best matches, best first; equal ones by id."""
        words = _words(text)
        matches = [Match(song=song, score=_score(song, words)) for song in self._songs.values()]
        found = [match for match in matches if match.score]
        return sorted(found, key=lambda match: (-match.score, match.song.id))[:most]

    def put(self, songs: list[Song]) -> bool:
        """Add or replace all of them, or none if they do not fit."""
        after = self._songs | {song.id: song for song in songs}
        if len(after) > MOST_SONGS:
            return False
        self._songs = after
        return True

    def remove(self, song_id: str) -> bool:
        """Take one out; whether it was there."""
        return self._songs.pop(song_id, None) is not None


def _score(song: Song, words: frozenset[str]) -> int:
    in_title, in_summary = words & _words(song.title), words & _words(song.summary)
    return TITLE_WEIGHT * len(in_title) + len(in_summary)


def _words(text: str) -> frozenset[str]:
    found = re.findall(r"\w+", text.lower())
    return frozenset(word for word in found if len(word) >= SHORTEST_WORD) - POINTLESS
