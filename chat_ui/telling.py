"""Saying something to a person wherever they have a page open, outside of any conversation."""

from typing import Literal

from chainlit.server import sio
from chainlit.session import ws_sessions_sid


async def tell(
    account_id: int, sentence: str, kind: Literal["info", "warning", "error"] = "warning"
) -> None:
    """Show a notice on the account's open pages of this process; none is no error."""
    for session in list(ws_sessions_sid.values()):
        if session.user is not None and session.user.identifier == str(account_id):
            toast = {"message": sentence, "type": kind}
            await sio.emit("toast", toast, to=session.socket_id)
