"""Where the page's button puts a file, in place of Chainlit's own route.

Chainlit believes the browser about what a file is, keeps it in a folder of its own and takes any
number. Here a file is checked by its content and goes to `host.files`, before the message that it
belongs to is sent; what is refused is told in a sentence that the page shows.
"""

from typing import Annotated, Any, Final

from chainlit.auth import get_current_user
from chainlit.user import PersistedUser
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from chat_ui.overrides import require_own_session
from chat_ui.profiles import assistants_of
from chat_ui.wiring import wiring
from host.errors import (
    FareboxError,
    MalformedRequest,
    PayloadTooLarge,
    UnsupportedFile,
    from_storage,
)
from host.files.limits import FILE_BYTES_MAX, MB, check_kind
from host.language import N_, _
from storage.cards import OfferingCard
from storage.errors import StorageError
from storage.file_kinds import Accepts, FileKind

ENVELOPE_MAX: Final = 64 * 1024
"""What a form may add to its file."""
NOT_HERE: Final = N_("Files can be sent to an assistant that takes them. Nothing was kept.")

router = APIRouter()
Member = Annotated[PersistedUser, Depends(get_current_user)]


@router.post("/project/file")
async def upload(request: Request, session_id: str, user: Member) -> Any:
    """Keep a file for the next message of the caller's own conversation."""
    try:
        session = await require_own_session(session_id, user)
        card = await _assistant(session.chat_profile, int(user.identifier))
        name, content = await _read(request)
        file_id = await wiring.host.files.keep(
            int(user.identifier), session.thread_id, card, name=name, content=content
        )
    except FareboxError as refused:
        return _refused(refused)
    except StorageError as error:
        return _refused(from_storage(error))
    return {"id": file_id}


async def _assistant(slug: str | None, account_id: int) -> OfferingCard:
    """The assistant of the page, if it takes files and this person may use it."""
    for one in await assistants_of(account_id):
        assistant = one.offering.assistant
        if one.offering.slug == slug and assistant is not None:
            if assistant.accepts is Accepts.NONE:
                check_kind(FileKind.IMAGE, Accepts.NONE, title=one.offering.title)
            return one.offering
    raise UnsupportedFile(_(NOT_HERE))


async def _read(request: Request) -> tuple[str, bytes]:
    """The one file of the form, which is read no further than it may be large."""
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > FILE_BYTES_MAX + ENVELOPE_MAX:
        raise PayloadTooLarge(
            _("A file may have at most {most} MB. Nothing was kept.", most=FILE_BYTES_MAX // MB)
        )
    try:
        async with request.form(max_files=1, max_fields=1) as form:
            file = form.get("file")
            if not isinstance(file, UploadFile):
                raise MalformedRequest(_("There is no file in this request."))
            return file.filename or "", await file.read(FILE_BYTES_MAX + 1)
    except HTTPException:  # what Starlette makes of a broken form
        not_one = _("There is not exactly one file in this request.")
        raise MalformedRequest(not_one) from None


def _refused(error: FareboxError) -> JSONResponse:
    """The page shows `detail` of a plain JSON answer, and nothing of a problem document."""
    return JSONResponse({"detail": error.detail, "code": error.code}, error.status)
