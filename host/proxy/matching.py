"""Which endpoint a call means: its method and its path against what the builder registered.

Templates are anchored, case-sensitive and never regular expressions of a builder's: `{name}` and
`:name` are one segment that is not empty, a closing `(.*)` is the rest, all else is literal. When
several templates fit, the most literal one counts, compared segment by segment from the left:
literal, then one segment, then the rest. A path that would fit another template once a server
dropped its `;parameters` is refused, since price and protection could differ.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

from host.errors import AmbiguousPath, MethodNotRegistered, UnknownEndpoint
from host.proxy.raw_path import RawPath, normal_template

REST: Final = "(.*)"
MEMO_MAX: Final = 1024
"""Paths remembered for one offering; a crawler must not fill the memory."""

_ONE: Final = re.compile(r"\{[A-Za-z0-9_.-]+\}|:[A-Za-z0-9_]+")
_NEVER: Final = frozenset({"TRACE", "CONNECT"})


class Registered(Protocol):
    """What the matching needs to know of an endpoint."""

    @property
    def method(self) -> str:
        """Upper case."""
        ...

    @property
    def path(self) -> str:
        """The template."""
        ...


E = TypeVar("E", bound=Registered)


class _Rank(IntEnum):
    LITERAL = 0
    ONE = 1
    REST = 2


_Rule: TypeAlias = tuple[_Rank, str]


@dataclass(frozen=True, slots=True)
class _Entry(Generic[E]):
    pattern: re.Pattern[str]
    ranks: tuple[_Rank, ...]
    endpoint: E


class Endpoints(Generic[E]):
    """The endpoints of one offering, ready to be matched."""

    def __init__(self, registered: Iterable[E]) -> None:
        self.registered: Final[Sequence[E]] = tuple(registered)
        entries = [_compiled(endpoint) for endpoint in self.registered]
        self._entries = sorted(entries, key=lambda entry: (entry.ranks, entry.endpoint.path))
        self._memo: dict[tuple[str, str], E] = {}

    def find(self, method: str, path: RawPath) -> E:
        """The endpoint that is meant. HEAD means GET unless it is registered itself.

        Raises:
            UnknownEndpoint: no template fits.
            MethodNotRegistered: one fits, but not with this method.
            AmbiguousPath: with and without its `;parameters` the path means two things.
        """
        known = self._memo.get((method, path.sent))
        if known is None:
            known = self._search(method, path)
            if len(self._memo) >= MEMO_MAX:
                self._memo.clear()
            self._memo[method, path.sent] = known
        return known

    def _search(self, method: str, path: RawPath) -> E:
        fitting = self._fitting(path.normal)
        if path.stripped != path.normal and fitting != self._fitting(path.stripped):
            raise AmbiguousPath("The path holds ;parameters where none are registered.")
        if not fitting:
            raise UnknownEndpoint("There is no such endpoint here.")
        wanted = (method, "GET") if method == "HEAD" else (method,)
        for name in wanted:
            for endpoint in fitting:
                if endpoint.method == name and method not in _NEVER:
                    return endpoint
        allowed = ", ".join(_allowed(fitting))
        raise MethodNotRegistered(
            f"This endpoint does not take {method}; it takes {allowed}.",
            headers={"Allow": allowed},
        )

    def _fitting(self, path: str) -> list[E]:
        return [entry.endpoint for entry in self._entries if entry.pattern.fullmatch(path)]


def _allowed(fitting: Iterable[Registered]) -> list[str]:
    methods = {endpoint.method for endpoint in fitting}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def _compiled(endpoint: E) -> _Entry[E]:
    *first, last = endpoint.path.removeprefix("/").split("/")
    # Only the last segment may be the rest: several would backtrack over long paths.
    rules = [*map(_rule, first), (_Rank.REST, "[^?#]*") if last == REST else _rule(last)]
    pattern = "".join(f"/{rule}" for _, rule in rules)
    return _Entry(re.compile(pattern), tuple(rank for rank, _ in rules), endpoint)


def _rule(segment: str) -> _Rule:
    if _ONE.fullmatch(segment):
        return _Rank.ONE, "[^/?#]+"
    return _Rank.LITERAL, re.escape(normal_template(segment))
