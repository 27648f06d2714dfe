"""Where Chainlit finds its files: configuration, translations, theme, elements.

Chainlit reads its root when it is first imported, and writes into it. So the root is chosen here,
before anything imports `chat_ui`: the checkout when there is one, else a copy of what the wheel
carries, in the data directory.
"""

import os
import shutil
from pathlib import Path
from typing import Final

CHECKOUT: Final = Path(__file__).resolve().parent.parent
CARRIED: Final = CHECKOUT / "chat_ui" / "_root"


def prepare(data_dir: Path, *, auth_secret: str) -> Path:
    """Choose the root, set Chainlit's environment, and return the root.

    `auth_secret` signs Chainlit's own cookie; behind our login sessions it proves nothing alone.
    """
    root = _root(data_dir)
    settings = {
        "CHAINLIT_APP_ROOT": str(root),
        "CHAINLIT_AUTH_SECRET": auth_secret,
        "CHAINLIT_CUSTOM_AUTH": "true",
        "TRACELOOP_TELEMETRY": "FALSE",
    }
    os.environ.update(settings)  # noqa: TID251 - Chainlit has no other way to be told
    return root


def _root(data_dir: Path) -> Path:
    if (CHECKOUT / ".chainlit" / "config.toml").exists() and os.access(CHECKOUT, os.W_OK):
        return CHECKOUT
    source = CARRIED if CARRIED.exists() else CHECKOUT
    root = data_dir.resolve() / "chainlit"
    for name in (".chainlit", "public"):
        shutil.copytree(source / name, root / name, dirs_exist_ok=True)
    shutil.copy(source / "chainlit.md", root / "chainlit.md")
    return root
