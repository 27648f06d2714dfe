"""The demo's sample service: the Elvis Song Summarizer, an HTTP API with a plugin's manifest.

A builder's service as Farebox meets one: four operations behind a bearer credential of its own,
and a `.well-known/` folder that is open to all. Every song here is invented and no line of any is
quoted. The question or query `/error` is answered with 500, so that anyone can see that a failed
call costs nothing. What the service tells about itself is in `songs_manifest`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from secrets import compare_digest, token_hex
from typing import Final, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from farebox.demo.songs_library import Library, Song
from farebox.demo.songs_manifest import (
    Answer,
    Deleted,
    Matches,
    Query,
    Question,
    Upserted,
    Upsertion,
    well_known,
)

FAIL_ON_PURPOSE: Final = "/error"

Operation: TypeAlias = Callable[[Request], Awaitable[BaseModel]]
Body = TypeVar("Body", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SongCall:
    """One request to an operation, and how it was answered."""

    method: str
    path: str
    status: int


def song_service(
    credential: str,
    *,
    public_url: str | None = None,
    calls: list[SongCall] | None = None,
) -> ASGIApp:
    """The service, for one credential.

    `public_url` is what its manifest says of where it is; without it, the address a request was
    sent to. `calls` collects every request to an operation, refused ones included.
    """
    desk = _SongDesk(Library(), credential, [] if calls is None else calls)
    operations: list[tuple[str, str, Operation]] = [
        ("POST", "/query", desk.query),
        ("POST", "/ask", desk.ask),
        ("POST", "/upsert", desk.upsert),
        ("DELETE", "/delete/{id}", desk.delete),
    ]
    routes = [
        Route(path, desk.guarded(operation), methods=[method])
        for method, path, operation in operations
    ]

    async def tell(request: Request) -> Response:
        found = well_known(request.path_params["name"], public_url or str(request.base_url))
        if found is None:
            raise HTTPException(404, "there is no such file")
        return Response(found.content, media_type=found.media_type)

    routes.append(Route("/.well-known/{name}", tell, methods=["GET"]))
    return Starlette(routes=routes, exception_handlers={HTTPException: _refused})


class _SongDesk:
    """The operations over one library."""

    def __init__(self, library: Library, credential: str, calls: list[SongCall]) -> None:
        self._library, self._calls = library, calls
        self._credential = credential.encode()

    def guarded(self, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
        """The operation for those who bring the credential; counted either way."""

        async def endpoint(request: Request) -> Response:
            try:
                self._check_credential(request)
                answer = await operation(request)
            except HTTPException as refusal:
                self._note(request, refusal.status_code)
                raise
            self._note(request, 200)
            return JSONResponse(answer.model_dump())

        return endpoint

    async def query(self, request: Request) -> BaseModel:
        """POST /query: the songs that fit some words."""
        asked = await _read(request, Query)
        _fail_if_told(asked.query)
        return Matches(results=self._library.search(asked.query, asked.top_k))

    async def ask(self, request: Request) -> BaseModel:
        """POST /ask: a sentence about the song a question is about."""
        asked = await _read(request, Question)
        _fail_if_told(asked.question)
        best = self._library.search(asked.question, 1)
        if not best:
            return Answer(answer="None of the invented songs here is about that.", song=None)
        song = best[0].song
        return Answer(answer=f"“{song.title}” (an invented song): {song.summary}", song=song.id)

    async def upsert(self, request: Request) -> BaseModel:
        """POST /upsert: put songs in, or replace them."""
        brought = await _read(request, Upsertion)
        songs = [
            Song(id=new.id or f"song-{token_hex(4)}", title=new.title, summary=new.summary)
            for new in brought.songs
        ]
        if not self._library.put(songs):
            raise HTTPException(409, "the library is full")
        return Upserted(ids=[song.id for song in songs])

    async def delete(self, request: Request) -> BaseModel:
        """DELETE /delete/{id}: take a song out."""
        song_id = str(request.path_params["id"])
        if not self._library.remove(song_id):
            raise HTTPException(404, "there is no such song")
        return Deleted(deleted=song_id)

    def _check_credential(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = compare_digest(given.strip().encode(), self._credential)
        if scheme.lower() != "bearer" or not known:
            raise HTTPException(
                401, "a bearer credential is needed", {"WWW-Authenticate": "Bearer"}
            )

    def _note(self, request: Request, status: int) -> None:
        self._calls.append(SongCall(request.method, request.url.path, status))


async def _read(request: Request, kind: type[Body]) -> Body:
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "body"
        raise HTTPException(422, f"{place}: {first['msg']}") from None


def _fail_if_told(text: str) -> None:
    if text.strip() == FAIL_ON_PURPOSE:
        raise HTTPException(500, "failed on purpose")


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)
