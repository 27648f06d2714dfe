r"""How the path of an endpoint is written: `/ask`, `/user/{id}`, `/.well-known/(.*)`.

A path is anchored and case-sensitive. `{name}` stands for one segment, `(.*)` at the end for all
the rest, slashes included. `:name` is read as `{name}`. Matching a request is `host.proxy`'s.
"""

import re
from typing import Final

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
REST: Final = "(.*)"
PATH_MAX: Final = 500

_PLAIN: Final = re.compile(r"[A-Za-z0-9._~!$&'+,;=@-]+")
_NAME: Final = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]{0,40}\}")
_COLON_NAME: Final = re.compile(r":([A-Za-z_][A-Za-z0-9_]{0,40})")


def endpoint_method(written: str) -> str:
    """An HTTP method in capitals.

    Raises:
        ValueError: it is none that can be registered.
    """
    method = written.strip().upper()
    if method not in METHODS:
        raise ValueError(f"the method is one of {', '.join(METHODS)}")
    return method


def endpoint_path(written: str) -> str:
    """The path as it is kept.

    Raises:
        ValueError: it could match nothing, or what nobody meant.
    """
    path = written.strip()
    if not path.startswith("/") or len(path) > PATH_MAX:
        raise ValueError(f"a path begins with / and has at most {PATH_MAX} characters")
    *before, last = path[1:].split("/")
    if "" in before:
        raise ValueError("a path has no // in it")
    kept = [_segment(segment) for segment in before]
    kept.append(last if last in {"", REST} else _segment(last))
    return "/" + "/".join(kept)


def shape(path: str) -> str:
    """The path without its parameters' names: two endpoints of one shape mean the same calls."""
    return _NAME.sub("{}", path)


def _segment(segment: str) -> str:
    if segment in {".", ".."}:
        raise ValueError("a path has no . or .. segments")
    if "*" in segment:
        raise ValueError("for all the rest write (.*), at the end only, as in /v1/(.*)")
    if colon := _COLON_NAME.fullmatch(segment):
        return f"{{{colon[1]}}}"
    if _NAME.fullmatch(segment) or _PLAIN.fullmatch(segment):
        return segment
    raise ValueError(f"the segment “{segment[:40]}” is neither plain text nor one {{name}}")
