"""What an OpenAPI document offers to sell: its operations, each with how risky it is to open.

From the text alone, which is somebody else's and may be hostile: it is bounded before it is read,
its references are followed nowhere, and nothing in it becomes code. JSON and YAML, OpenAPI 3.0 and
3.1. Fetching a document is not done here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import yaml
from typing_extensions import override

from host.catalogue.endpoint_paths import REST, endpoint_path, shape
from host.catalogue.offering_fields import refusal, shown
from host.catalogue.offering_terms import EndpointFields
from host.errors import InvalidInput

DOCUMENT_MAX: Final = 1_000_000
"""Characters. The largest documents in public use have a few hundred thousand."""
DEPTH_MAX: Final = 64
ALIASES_MAX: Final = 100
"""Of YAML: each may stand for a part as large as the whole."""
URL_MAX: Final = 2_000
SUMMARY_MAX: Final = 120
EXAMPLE: Final = "the openapi.json of your service"
METHODS: Final = ("get", "head", "post", "put", "patch", "delete", "options")
WELL_KNOWN: Final = EndpointFields(path=f"/.well-known/{REST}", method="GET", is_open=True)
"""Where a service's manifest lies; whoever wants to use it reads that first, without a token."""

_VERSION: Final = re.compile(r"3\.[01](?:\.[0-9]+)?")
_PARAMETER: Final = re.compile(r"\{([^{}/]+)\}")
_DELETES: Final = ("delete", "remove")
_WRITES: Final = ("upsert", "update", "create")

_Part: TypeAlias = Mapping[str, Any]


class Risk(StrEnum):
    """What a caller could do with an operation, by its method and by what it is called."""

    READS = "reads"
    ASKS = "asks"
    """A POST that says nothing of changing anything: how most services are asked something."""
    WRITES = "writes"
    DELETES = "deletes"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as the document describes it."""

    method: str
    path: str
    summary: str
    risk: Risk

    @property
    def is_on(self) -> bool:
        """Whether it is offered unless its builder says otherwise (DESIGN 8.9)."""
        return self.risk in {Risk.READS, Risk.ASKS}


@dataclass(frozen=True, slots=True)
class Document:
    """What is used of an OpenAPI document."""

    title: str
    description: str
    origin: str | None
    """Scheme, host and port of its first server; None where it names none."""
    operations: tuple[Operation, ...]
    left_out: tuple[str, ...]
    """Operations that cannot be sold, each with why: `GET /a//b: a path has no // in it`."""


def read_document(text: str) -> Document:
    """The operations of a document, in its order.

    Raises:
        InvalidInput: it is too large, cannot be read, is no OpenAPI 3, or has nothing to sell.
    """
    document = _parsed(text)
    if _VERSION.fullmatch(str(document.get("openapi"))) is None:  # YAML reads 3.0 as a number
        is_old = "swagger" in document
        said = "That is Swagger 2, from before OpenAPI." if is_old else "That is no OpenAPI 3."
        raise _refused(said, "A document says `openapi: 3.0` or `3.1` at its top")
    info = _mapping(document.get("info"))
    origin, base = _first_server(document, info)
    operations: dict[tuple[str, str], Operation] = {}
    left_out: list[str] = []
    for method, path, described in _described(document):
        try:
            kept = endpoint_path(base + _PARAMETER.sub(_named, path))
        except ValueError as error:
            left_out.append(f"{method} {shown(path)}: {error}")
            continue
        calls = (method, shape(kept))
        if calls in operations:
            left_out.append(f"{method} {kept}: another operation means the same calls")
        else:
            operations[calls] = _operation(method, kept, described)
    if not operations:
        raise _refused(
            "That document describes no operation.", "It has `paths` with a method each"
        )
    return Document(
        title=_line(info.get("title")),
        description=_line(info.get("description")),
        origin=origin,
        operations=tuple(operations.values()),
        left_out=tuple(left_out),
    )


def offered(
    document: Document, *, on: frozenset[str], off: frozenset[str]
) -> list[EndpointFields]:
    """The endpoints to register: what is on by itself, with `on` and without `off`.

    Both name operations as `POST /upsert`. The folder in which services keep their manifest is
    open besides, unless it is named in `off`.

    Raises:
        InvalidInput: one of them is not in the document, or nothing is left.
    """
    known = {f"{one.method} {one.path}": one for one in document.operations}
    well_known = f"{WELL_KNOWN.method} {WELL_KNOWN.path}"
    for name in sorted((on | off) - known.keys() - {well_known}):
        raise refusal(
            "operation",
            f"“{shown(name)}” is not an operation of this document.",
            "An operation is a method and a path, as they are listed",
            next(iter(known)),
        )
    kept = [
        EndpointFields(path=one.path, method=one.method)
        for name, one in known.items()
        if (one.is_on or name in on) and name not in off
    ]
    if not kept:
        raise refusal(
            "operation",
            "None of its operations is on.",
            "A service offers at least one; turn one on by its name",
            next(iter(known)),
        )
    taken = {(one.method, shape(one.path)) for one in kept}
    if well_known in off or (WELL_KNOWN.method, WELL_KNOWN.path) in taken:
        return kept
    return [*kept, WELL_KNOWN]


def _parsed(text: str) -> _Part:
    if len(text) > DOCUMENT_MAX:
        raise _refused(
            f"That document has {len(text):,} characters.", f"It may have {DOCUMENT_MAX:,}"
        )
    try:
        # YAML is a superset of JSON, but is read a hundred times as slowly.
        is_json = text.lstrip().startswith("{")
        document = json.loads(text) if is_json else yaml.load(text, Loader=_Bounded)  # noqa: S506
    except RecursionError:
        raise _refused(
            "That document is too deeply nested.", "It is a flat list of paths"
        ) from None
    except (ValueError, yaml.YAMLError) as error:
        raise _refused(
            f"That is neither JSON nor YAML{_where(error)}.", "An OpenAPI document is one of them"
        ) from None
    if not isinstance(document, dict):
        raise _refused("That is no OpenAPI document.", "It begins with `openapi`")
    return document


class _Bounded(yaml.SafeLoader):
    """YAML's plain values, no deeper and no more often repeated than documents need."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._depth = 0
        self._aliases = 0

    @override
    def compose_node(self, parent: Any, index: Any) -> Any:
        """One part of the document, with all that is in it."""
        self._depth += 1
        self._aliases += int(self.check_event(yaml.AliasEvent))
        if self._depth > DEPTH_MAX or self._aliases > ALIASES_MAX:
            raise RecursionError
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    @override
    def flatten_mapping(self, node: Any) -> None:
        """Leave `<<` as it is, which is then refused: merged again and again it fills memory."""


def _described(document: _Part) -> Iterator[tuple[str, str, _Part]]:
    """Method, path and description of each operation; what refers elsewhere has none here."""
    for path, item in _mapping(document.get("paths")).items():
        for method in METHODS:
            described = _mapping(item).get(method)
            if isinstance(described, dict):
                yield method.upper(), str(path), described


def _named(parameter: re.Match[str]) -> str:
    """`{song-id}` as `{song_id}`: a parameter's name is nobody's but the reader's."""
    return "{" + re.sub(r"\W", "_", parameter[1], flags=re.ASCII) + "}"


def _operation(method: str, path: str, described: _Part) -> Operation:
    name = described.get("operationId")
    summary = _line(described.get("summary")) or _line(described.get("description"))
    called = f"{name if isinstance(name, str) else ''} {path}"
    return Operation(method, path, summary[:SUMMARY_MAX], _risk(method, called))


def _risk(method: str, called: str) -> Risk:
    """Also `bulkdelete` says delete: what is off by mistake is turned on by its builder."""
    plain = called.lower()
    if method == "DELETE" or any(word in plain for word in _DELETES):
        return Risk.DELETES
    if method in {"PUT", "PATCH"} or any(word in plain for word in _WRITES):
        return Risk.WRITES
    return Risk.ASKS if method == "POST" else Risk.READS


def _first_server(document: _Part, info: _Part) -> tuple[str | None, str]:
    """Origin and base path of the first server; some documents have it under `info` by mistake."""
    servers = document.get("servers") or info.get("servers")
    first = _mapping(servers[0]) if isinstance(servers, list) and servers else {}
    url = first.get("url")
    if not isinstance(url, str) or len(url) > URL_MAX:
        return None, ""
    for name, variable in _mapping(first.get("variables")).items():
        url = url.replace(f"{{{name}}}", str(_mapping(variable).get("default", ""))[:URL_MAX])
        if len(url) > URL_MAX:
            return None, ""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None, ""
    origin = f"{parts.scheme}://{parts.netloc}" if parts.scheme and parts.netloc else None
    return origin, parts.path.rstrip("/")


def _mapping(part: object) -> _Part:
    return part if isinstance(part, dict) else {}


def _line(text: object) -> str:
    return " ".join(text.split()) if isinstance(text, str) else ""


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    line = getattr(error, "lineno", None) if mark is None else mark.line + 1
    return f" (line {line})" if line else ""


def _refused(wrong: str, rule: str) -> InvalidInput:
    return refusal("openapi", wrong, rule, EXAMPLE)
