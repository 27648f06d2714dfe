"""What a file is called: what its sender says, as far as that can stand in a line and a header."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

NAME_MAX: Final = 100
NAMELESS: Final = "file"
_SEPARATORS: Final = re.compile(r"[/\\]")
_NOT_IN_NAMES: Final = re.compile(r'[<>:"|?*]')


def safe_name(given: str) -> str:
    """The last part of a path, without what cannot be seen or would mean something elsewhere."""
    last = _SEPARATORS.split(given)[-1]
    # Control characters, marks that turn the direction of writing, halves of characters.
    seen = "".join(c for c in last if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    plain = " ".join(_NOT_IN_NAMES.sub("_", seen).split()).lstrip(".").strip()
    path = PurePosixPath(plain or NAMELESS)
    suffix = path.suffix[:12]
    return f"{path.stem[: NAME_MAX - len(suffix)]}{suffix}"


def ascii_name(name: str) -> str:
    """The name for programs that read no other letters."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.replace("\\", "_").replace('"', "_").strip() or NAMELESS


def disposition(name: str, *, is_inline: bool) -> str:
    """The header that says under which name a file is shown or saved (RFC 6266)."""
    encoded = "".join(
        chr(byte) if chr(byte).isalnum() and byte < 128 else f"%{byte:02X}"  # noqa: PLR2004
        for byte in name.encode()
    )
    how = "inline" if is_inline else "attachment"
    return f"{how}; filename=\"{ascii_name(name)}\"; filename*=UTF-8''{encoded}"
