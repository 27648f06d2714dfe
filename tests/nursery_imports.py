"""What Farebox's processes in tests share: the chat and everything below it, imported once.

Chainlit reads its root while it is imported, so the root is chosen as a server chooses it. What
else it is told it reads when asked, by then from the environment of the process that was born.
"""

import gc
from pathlib import Path

from farebox import chat_root

chat_root.prepare(Path(), auth_secret="")

import chat_ui.mount  # noqa: E402, F401
import farebox.application  # noqa: E402
import farebox.cli  # noqa: E402
import farebox.demo.upstream.__main__  # noqa: E402, F401

gc.freeze()  # what is imported is never collected, and stays shared
