"""What the sample service says of itself: its messages, its OpenAPI document, its manifest.

The messages are the source; the OpenAPI document is made from them. The same document is served
as `.json` and `.yaml`: JSON is YAML already. The manifest is the plugin format of 2023, with the
short names that its later limits ask for.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Final, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from farebox.demo.songs_library import Match

Text: TypeAlias = Annotated[str, Field(min_length=1, max_length=2000)]
SongId: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]

DESCRIPTION: Final = (
    "Finds and summarizes songs of an invented singer's repertoire. All songs are made up."
)
LOGO: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 512 512">'
    '<rect width="512" height="512" rx="96" fill="#2b2140"/>'
    '<circle cx="200" cy="352" r="64" fill="#f5c542"/>'
    '<path d="M240 352V128l152 40v72l-120-32v144z" fill="#f5c542"/></svg>'
)
LEGAL: Final = "A sample service of Farebox's demo. It keeps nothing and promises nothing.\n"


class _Message(BaseModel):
    """A body whose fields are all known."""

    model_config = ConfigDict(extra="forbid")


class Query(_Message):
    """Words to look for."""

    query: Text
    top_k: int = Field(default=3, ge=1, le=10)


class Matches(_Message):
    """The songs found, best first."""

    results: list[Match]


class Question(_Message):
    """A question about a song."""

    question: Text


class Answer(_Message):
    """A sentence, and the id of the song it is about."""

    answer: str
    song: str | None


class NewSong(_Message):
    """A song to put in; with an id it replaces the one that has it."""

    id: SongId | None = None
    title: Annotated[str, Field(min_length=1, max_length=120)]
    summary: Text


class Upsertion(_Message):
    """Songs to put in."""

    songs: Annotated[list[NewSong], Field(min_length=1, max_length=50)]


class Upserted(_Message):
    """The ids the songs have now."""

    ids: list[str]


class Deleted(_Message):
    """The id that is gone."""

    deleted: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of the `.well-known/` folder."""

    content: str
    media_type: str


@dataclass(frozen=True, slots=True)
class _Posted:
    path: str
    summary: str
    takes: type[BaseModel]
    gives: type[BaseModel]


POSTED: Final = (
    _Posted("/query", "Find songs by words.", Query, Matches),
    _Posted("/ask", "Ask about a song; answers with a summary.", Question, Answer),
    _Posted("/upsert", "Put songs in, or replace them.", Upsertion, Upserted),
)

# Documents are written out as JSON at once; nobody reads them as values.
_Document: TypeAlias = dict[str, object]


def well_known(name: str, base_url: str) -> File | None:
    """A file of the folder as served at `base_url`; None if there is none of that name."""
    base = base_url.rstrip("/")
    match name:
        case "ai-plugin.json":
            return File(json.dumps(_manifest(base), indent=2), "application/json")
        case "openapi.json":
            return File(json.dumps(_openapi(base), indent=2), "application/json")
        case "openapi.yaml":
            return File(json.dumps(_openapi(base), indent=2), "application/yaml")
        case "logo.svg":
            return File(LOGO, "image/svg+xml")
        case "legal.txt":
            return File(LEGAL, "text/plain")
        case _:
            return None


def _manifest(base: str) -> _Document:
    return {
        "schema_version": "v1",
        "name_for_human": "Elvis Songs",
        "name_for_model": "elvis_songs",
        "description_for_human": "Summaries of songs by an invented singer.",
        "description_for_model": DESCRIPTION,
        "auth": {"type": "user_http", "authorization_type": "bearer"},
        "api": {
            "type": "openapi",
            "url": f"{base}/.well-known/openapi.yaml",
            "is_user_authenticated": False,
            "has_user_authentication": False,
        },
        "logo_url": f"{base}/.well-known/logo.svg",
        "contact_email": "songs@example.com",
        "legal_info_url": f"{base}/.well-known/legal.txt",
    }


def _openapi(base: str) -> _Document:
    kinds: list[type[BaseModel]] = [Deleted]
    for posted in POSTED:
        kinds += [posted.takes, posted.gives]
    _, schemas = models_json_schema(
        [(kind, "validation") for kind in kinds],
        ref_template="#/components/schemas/{model}",
    )
    paths: _Document = {posted.path: {"post": _operation(posted)} for posted in POSTED}
    paths["/delete/{id}"] = {"delete": _deletion()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Elvis Song Summarizer",
            "version": "1.0.0",
            "description": DESCRIPTION,
        },
        "servers": [{"url": base}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(posted: _Posted) -> _Document:
    name = posted.path.removeprefix("/")
    return {
        "operationId": f"{name}_songs",
        "summary": posted.summary,
        "requestBody": {"required": True, "content": _json_of(posted.takes)},
        "responses": {"200": {"description": "Done.", "content": _json_of(posted.gives)}},
    }


def _deletion() -> _Document:
    return {
        "operationId": "delete_song",
        "summary": "Take a song out.",
        "parameters": [
            {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
        ],
        "responses": {"200": {"description": "Done.", "content": _json_of(Deleted)}},
    }


def _json_of(kind: type[BaseModel]) -> _Document:
    reference = {"$ref": f"#/components/schemas/{kind.__name__}"}
    return {"application/json": {"schema": reference}}
