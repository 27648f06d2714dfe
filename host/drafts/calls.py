"""Which call a builder means who tries a service: `POST /query {"q": "rain"}`, or just `test`."""

import re
from typing import Final

from host.catalogue import offering_fields
from host.drafts.state import Answers, EndpointNote
from host.errors import FareboxError, InvalidInput
from host.proxy.matching import Endpoints
from host.proxy.raw_path import parse_path
from host.proxy.trying import Call

BODILESS: Final = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_SAID: Final = re.compile(
    r"(?:(?P<method>get|head|post|put|patch|delete|options)\s+)?(?P<path>/[^\s?]*)"
    r"(?:\?(?P<query>\S*))?(?:\s+(?P<body>\S.*))?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)


def call_to_try(answers: Answers, said: str, *, credential: str | None) -> Call:
    """The call that is meant; without words, the first operation that is called as it is written.

    An open operation is called as a stranger would call it, without the credential.

    Raises:
        InvalidInput: it is none of the operations that are on, or nothing can be called so simply.
    """
    if answers.upstream_url is None:
        raise InvalidInput("Say first where the service is.")
    sold = [note for note in answers.endpoints if note.is_on]
    method, path, query, body = _read(said) if said.strip() else _simplest(sold)
    try:
        note = Endpoints(sold).find(method, parse_path(path.encode()))
    except FareboxError as refused:
        raise InvalidInput(f"{refused.detail} It is none of the operations that are on.") from None
    return Call(
        base_url=answers.upstream_url,
        method=method,
        path=path,
        query=query,
        credential=None if note.is_open else credential,
        body=body.encode() or None,
    )


def _read(said: str) -> tuple[str, str, str, str]:
    match = _SAID.fullmatch(said.strip())
    if match is None:
        raise _unclear(said)
    body = match["body"] or ""
    method = (match["method"] or ("POST" if body else "GET")).upper()
    return method, match["path"], match["query"] or "", body


def _simplest(sold: list[EndpointNote]) -> tuple[str, str, str, str]:
    plain = [note for note in sold if "{" not in note.path and "(" not in note.path]
    for note in sorted(plain, key=lambda one: (one.is_open, one.method not in BODILESS)):
        return note.method, note.path, "", "" if note.method in BODILESS else "{}"
    raise _unclear("")


def _unclear(said: str) -> InvalidInput:
    wrong = f"“{offering_fields.shown(said)}” is no call." if said else "Say which call to try."
    return offering_fields.refusal(
        "test",
        wrong,
        "A call is a method, a path and perhaps a JSON body",
        'test: POST /query {"q": "rain"}',
    )
