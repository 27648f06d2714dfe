"""A request's path, read once from the bytes that were sent, so that all programs read it alike.

A path that a server further on might understand differently (dot segments, encoded slashes, broken
percent-encoding …) is refused before anything is matched, charged or forwarded. What remains has
two forms: the very bytes, which are forwarded, and a normal form, which is matched. The normal
form decodes unreserved characters only (RFC 3986, 6.2.2), so `%41sk` is `Ask` and `%2F` is never
`/`. What may be called at all is `host.proxy.matching`.
"""

import re
from dataclasses import dataclass
from typing import Final

from host.errors import AmbiguousPath, MalformedRequest, UnknownOffering

PREFIX: Final = b"/s/"
PATH_BYTES_MAX: Final = 8192
"""More than any endpoint needs, and what most servers accept."""

_SLUG: Final = re.compile(rb"[a-z0-9-]{1,63}")
_UNRESERVED: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})?")
_FORBIDDEN: Final = re.compile(rb"[\x00-\x20\x7f-\xff\\#?]")
_ENCODED_SEPARATORS: Final = frozenset({0x2F, 0x5C})
_DEL: Final = 0x7F
_SPACE: Final = 0x20


@dataclass(frozen=True, slots=True)
class RawPath:
    """A path that means one thing."""

    sent: str
    """The characters as they were sent; all ASCII. These are forwarded."""
    normal: str
    """The form to match: unreserved characters decoded, escapes in upper case."""
    stripped: str
    """`normal` as a server sees it that drops `;parameters` from segments."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which offering a call is for, and the path that its upstream is asked for."""

    slug: str
    path: RawPath


def parse_target(raw: bytes) -> Target:
    """Split `/s/{slug}/…` and read the rest.

    Raises:
        AmbiguousPath: the path could mean two things.
        UnknownOffering: no offering can have that name.
        MalformedRequest: it is too long.
    """
    if not raw.startswith(PREFIX):
        raise AmbiguousPath("The path must begin with /s/ and the name of an offering, unencoded.")
    slug, slash, rest = raw.removeprefix(PREFIX).partition(b"/")
    if b"%" in slug:
        raise AmbiguousPath("The path must begin with /s/ and the name of an offering, unencoded.")
    if not _SLUG.fullmatch(slug):
        raise UnknownOffering("There is no published offering of that name.")
    return Target(slug.decode(), parse_path(slash + rest or b"/"))


def parse_path(raw: bytes) -> RawPath:
    """Read a path that begins with a slash.

    Raises:
        AmbiguousPath: the path could mean two things.
        MalformedRequest: it is too long.
    """
    if len(raw) > PATH_BYTES_MAX:
        raise MalformedRequest(f"The path is longer than {PATH_BYTES_MAX} bytes.")
    if not raw.startswith(b"/"):
        raise AmbiguousPath("The path must begin with a slash.")
    if _FORBIDDEN.search(raw):
        raise AmbiguousPath("The path holds a character that must be percent-encoded.")
    if b"//" in raw:
        raise AmbiguousPath("The path holds an empty segment (//).")
    normal = _ESCAPE.sub(_normal_escape, raw)
    _check_utf8(raw)
    stripped = b"/".join(_without_parameters(segment) for segment in normal.split(b"/"))
    if {b".", b".."} & set(stripped.split(b"/")):
        raise AmbiguousPath("The path holds a dot segment (. or ..).")
    return RawPath(raw.decode(), normal.decode(), stripped.decode())


def normal_template(path: str) -> str:
    """A registered path in the form that `RawPath.normal` has; non-ASCII is percent-encoded.

    Raises:
        AmbiguousPath: an escape in it is not one.
    """
    encoded = "".join(c if c.isascii() else _percent(c.encode()) for c in path)
    return _ESCAPE.sub(_normal_escape, encoded.encode()).decode()


def _normal_escape(match: re.Match[bytes]) -> bytes:
    if match[1] is None:
        raise AmbiguousPath("The path holds a % that is not followed by two hexadecimal digits.")
    byte = int(match[1], 16)
    if byte in _ENCODED_SEPARATORS:
        raise AmbiguousPath("The path holds an encoded slash or backslash.")
    if byte < _SPACE or byte == _DEL:
        raise AmbiguousPath("The path holds an encoded control character.")
    return bytes([byte]) if byte in _UNRESERVED else match[0].upper()


def _check_utf8(raw: bytes) -> None:
    """Refuse what decodes to no text: overlong forms above all, which hide slashes and dots."""
    try:
        _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), raw).decode("utf-8")
    except UnicodeDecodeError:
        raise AmbiguousPath("The path is not valid UTF-8.") from None


def _without_parameters(segment: bytes) -> bytes:
    return segment.replace(b"%3B", b";").partition(b";")[0]


def _percent(raw: bytes) -> str:
    return "".join(f"%{byte:02X}" for byte in raw)
