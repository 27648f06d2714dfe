"""A file that was sent with a message, for whoever sent it.

What somebody uploaded is never shown as a page of ours: only pictures are shown at all, in a
sandbox; everything else is saved. The type is the one found by content.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from host.errors import NotSignedIn
from host.files.names import disposition
from host.language import _
from host.pages.parts import PageHost
from storage.file_kinds import FileKind

NOT_MODIFIED: Final = 304
HEADERS: Final = {
    # Asked for again each time: what was deleted must not come out of a cache.
    "Cache-Control": "private, no-cache",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class FilePages:
    """The address of each file."""

    def __init__(self, host: PageHost) -> None:
        self._host = host

    async def show(self, request: Request) -> Response:
        """The file: a picture to be shown, anything else to be saved."""
        cookie = self._host.login_sessions.read_cookie(request.headers.raw)
        visitor = await self._host.login_sessions.find(cookie)
        if visitor is None:
            raise NotSignedIn(_("Sign in to see your files."))
        file_id: str = request.path_params["file_id"]
        kept = await self._host.files.find(file_id, account_id=visitor.account_id)
        attachment = kept.attachment
        is_inline = attachment.kind == FileKind.IMAGE
        tag = f'"{attachment.id}"'  # its bytes never change
        headers = HEADERS | {
            "ETag": tag,
            "Content-Disposition": disposition(attachment.name, is_inline=is_inline),
        }
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=NOT_MODIFIED, headers=headers)
        return Response(kept.content, media_type=attachment.media_type, headers=headers)
