"""The page's files, served from memory: Chainlit's bundle, and what is ours in `public/`.

Chainlit compresses 4.6 MB of script anew for every page view and says to nobody how long it may be
kept. Here each file is read and compressed once, beside the event loop. The bundle's names change
with its content, so browsers keep it for ever; ours keep their names, so browsers ask whether they
have changed, and are told by a tag.
"""

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from chainlit import server
from chainlit.config import public_dir
from fastapi import APIRouter, HTTPException, Request, Response

from chat_ui import cards
from host.language import _

FOREVER: Final = "public, max-age=31536000, immutable"
A_DAY: Final = "public, max-age=86400"
ASK_AGAIN: Final = "public, no-cache"
WORTH_BYTES: Final = 512
"""Below this, compressing gains nothing."""
PACKED: Final = frozenset({".js", ".mjs", ".css", ".svg", ".json", ".jsx", ".html", ".txt"})
SCRIPTS: Final = {".js": "text/javascript", ".mjs": "text/javascript"}
NAME_MAX: Final = 120

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Kept:
    """A file in memory, as it was at some moment."""

    changed_at: int
    body: bytes
    packed: bytes | None
    tag: str


_kept: dict[Path, Kept] = {}


@router.get("/assets/{name:path}")
async def asset(name: str, request: Request) -> Response:
    """Chainlit's scripts and styles."""
    return await _serve(Path(server.build_dir, "assets"), name, request, FOREVER)


@router.get("/public/{name:path}")
async def public(name: str, request: Request) -> Response:
    """Our own scripts, styles, pictures and elements."""
    return await _serve(Path(public_dir), name, request, ASK_AGAIN)


@router.get("/favicon")
async def favicon(request: Request) -> Response:
    """Our mark in a browser's tab."""
    return await _serve(Path(public_dir), "favicon.svg", request, ASK_AGAIN)


@router.get("/logo")
async def logo(request: Request, theme: str = "light") -> Response:
    """Our name on the page, for a light or a dark one."""
    name = f"logo_{'dark' if theme == 'dark' else 'light'}.svg"
    return await _serve(Path(public_dir), name, request, ASK_AGAIN)


@router.get("/avatars/{name}")
async def avatar(name: str, request: Request) -> Response:
    """A picture of ours, or a tile with the initials of an assistant's title."""
    title = unquote(name)[:NAME_MAX]
    folder, drawn = Path(public_dir, "avatars"), f"{title.strip().lower().replace(' ', '_')}.svg"
    if _inside(folder, drawn) is not None:
        return await _serve(folder, drawn, request, A_DAY)
    headers = {"Cache-Control": A_DAY}
    return Response(cards.tile(title), media_type="image/svg+xml", headers=headers)


async def _serve(folder: Path, name: str, request: Request, keeping: str) -> Response:
    path = _inside(folder, name)
    if path is None:
        raise HTTPException(404, _("There is nothing here."))
    kept = _known(path)
    if kept is None:
        kept = _kept[path] = await asyncio.to_thread(_read, path)
    headers = {"Cache-Control": keeping, "ETag": kept.tag}
    if kept.packed is not None:
        headers["Vary"] = "Accept-Encoding"
    if request.headers.get("if-none-match") == kept.tag:
        return Response(status_code=304, headers=headers)
    body = kept.body
    if kept.packed is not None and "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        body = kept.packed
    return Response(body, media_type=_kind(path), headers=headers)


def _inside(folder: Path, name: str) -> Path | None:
    """The file of that name, if it is one, and inside the folder."""
    folder = folder.resolve()
    try:
        path = (folder / name).resolve()
        return path if path.is_relative_to(folder) and path.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def _known(path: Path) -> Kept | None:
    """What is in memory of a file, unless it has changed since."""
    kept = _kept.get(path)
    return kept if kept is not None and kept.changed_at == path.stat().st_mtime_ns else None


def _read(path: Path) -> Kept:
    changed_at, body = path.stat().st_mtime_ns, path.read_bytes()
    is_packed = path.suffix in PACKED and len(body) >= WORTH_BYTES
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    return Kept(changed_at, body, gzip.compress(body, 9) if is_packed else None, tag)


def _kind(path: Path) -> str:
    return SCRIPTS.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain"
