"""The one global of the chat: callbacks are module-level, so what they reach must be too.

Set once by `chat_ui.mount`, read by everything that Chainlit calls.
"""

from host.app import Host


class Wiring:
    """Where callbacks find the host."""

    def __init__(self) -> None:
        self._host: Host | None = None

    @property
    def host(self) -> Host:
        """The host; asked for only after the chat was mounted."""
        assert self._host is not None, "mount_chat comes first"
        return self._host

    def connect(self, host: Host) -> None:
        """Give the callbacks their host."""
        self._host = host


wiring = Wiring()
