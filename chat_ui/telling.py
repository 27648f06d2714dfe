"""Saying something to a person wherever they have a page open, outside of any conversation."""

from typing import Literal

from chainlit.server import sio
from chainlit.session import ws_sessions_sid

from chat_ui.pages import language_of
from host.language import _, speaking


async def tell(
    account_id: int, sentence: str, kind: Literal["info", "warning", "error"] = "warning"
) -> None:
    """Show a notice on the account's open pages of this process; none is no error.

    The sentence is one that was marked by `N_`: each page is told it in its own language.
    """
    for session in list(ws_sessions_sid.values()):
        if session.user is not None and session.user.identifier == str(account_id):
            with speaking(language_of(session)):
                toast = {"message": _(sentence), "type": kind}
            await sio.emit("toast", toast, to=session.socket_id)
