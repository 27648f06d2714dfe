"""The one place that makes OpenAI clients: one connection pool, a light copy for each key.

A client of its own for every key would cost 22 ms and 800 KiB each; a copy costs 10 µs. The key is
added to each request and never kept in the pool. Nothing here knows what is asked of the upstream.

Three traps are closed here for good: `OPENAI_*` variables that would replace a builder's key or
redirect it, cookies of one builder sent along with another's request, and redirects that would
carry a prompt elsewhere.
"""

import logging
import os
from collections.abc import Iterable
from http.cookiejar import Cookie, CookieJar
from typing import Final

from typing_extensions import override

# Before the SDK is imported: an Authorization line in OPENAI_CUSTOM_HEADERS overrides a builder's
# key, OPENAI_BASE_URL redirects it, and others are sent along. The host's settings are the only
# way to say any of this.
for _name in [name for name in os.environ if name.startswith("OPENAI_")]:  # noqa: TID251
    del os.environ[_name]  # noqa: TID251

import httpx2  # noqa: E402
from openai import AsyncOpenAI, DefaultAsyncHttpxClient  # noqa: E402

from host.providers.base import FailureKind, UpstreamError  # noqa: E402

PLACEHOLDER: Final = "host-placeholder-not-a-key"
"""What the base clients carry. An empty key makes the SDK fall back to it, so it is no secret."""
CONNECT_TIMEOUT_S: Final = 5.0
SILENCE_TIMEOUT_S: Final = 120.0
"""How long an upstream may say nothing. A model that thinks sends events while it does."""
CONNECTIONS_MAX: Final = 2000
"""HTTP/1.1: one connection for each answer under way."""
CONNECTIONS_IDLE_MAX: Final = 200

# They print URLs with conversation ids at INFO, and cookies at DEBUG.
for _logger in ("openai", "httpx2", "httpcore2"):
    logging.getLogger(_logger).setLevel(logging.WARNING)


class NoCookies(CookieJar):
    """Forgets every cookie: the jar is shared by all builders."""

    @override
    def set_cookie(self, cookie: Cookie) -> None:
        pass


class OpenAIClients:
    """Lends clients for the addresses that the operator allows. Closed once, at shutdown."""

    def __init__(self, base_urls: Iterable[str]) -> None:
        self._http = DefaultAsyncHttpxClient(
            cookies=NoCookies(),
            follow_redirects=False,
            timeout=httpx2.Timeout(SILENCE_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(
                max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_IDLE_MAX
            ),
        )
        self._bases = {
            url: AsyncOpenAI(
                api_key=PLACEHOLDER,
                base_url=url,
                http_client=self._http,
                # The SDK sends no idempotency key: a request accepted and then lost ran 3 times.
                max_retries=0,
            )
            for url in base_urls
        }

    def client_for(self, key: str, base_url: str) -> AsyncOpenAI:
        """A client that sends `key` to `base_url`. Never close it: that closes the pool.

        Raises:
            UpstreamError: the key cannot stand in a header, or the address is not allowed.
        """
        # Checked here because the SDK would send its base key instead of an empty one, and the
        # error for a character that fits no header would carry the whole key.
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise UpstreamError(FailureKind.KEY_REJECTED)
        base = self._bases.get(base_url)
        if base is None:
            raise UpstreamError(FailureKind.ADDRESS_NOT_ALLOWED)
        return base.with_options(api_key=key)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()
