"""The server under rehearsal: connections for the buyers, and reads for the checks."""

import ssl
from collections.abc import Mapping
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import MappingProxyType
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import gevent

READING_AT_ONCE: Final = 16

BROKEN: Final = (OSError, HTTPException)
"""What `ask` raises when a connection breaks or cannot be opened."""

_ANSWER_WITHIN_S: Final = 60.0
_MAX_BODY_BYTES: Final = 1_000_000
_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Pauses before a read is repeated."""
_LONGEST_PAUSE_S: Final = 10.0
_TRY_AGAIN: Final = frozenset({429, 503})
_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Unreachable(Exception):
    """The server does not answer, or not like a seating server. The message is one line."""


class Reply(NamedTuple):
    status: int
    body: bytes
    replayed: bool = False
    retry_after_s: int = 0


def ask(
    connection: HTTPConnection, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = _NONE
) -> Reply:
    """Send one request. Raises one of BROKEN; the next request reconnects."""
    try:
        # The connection's own timeout bounds each wait, but not a body that drips.
        with gevent.Timeout(_ANSWER_WITHIN_S, TimeoutError("no whole answer")):
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            content = response.read(_MAX_BODY_BYTES)
    except BROKEN:
        connection.close()
        raise
    retry_after = response.headers.get("Retry-After", "")
    replayed = response.headers.get("Idempotent-Replayed") == "true"
    return Reply(response.status, content, replayed, int(retry_after) if retry_after.isdecimal() else 0)


class HttpClient:
    """`prefix` is the path under which a proxy may serve all routes."""

    def __init__(self, url: str) -> None:
        """Raises ValueError unless `url` is an http or https address."""
        parts = urlsplit(url)
        beside = parts.username or parts.password or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or beside:
            raise ValueError(f"{url!r} is not like http://127.0.0.1:3000")
        # Raises a ValueError for a name that could never be looked up.
        parts.hostname.encode("idna")
        self.url: Final = url.rstrip("/")
        self.host: Final = parts.hostname
        self.port: Final = parts.port or (443 if parts.scheme == "https" else 80)
        self.prefix: Final = parts.path.rstrip("/")
        self._idle: list[HTTPConnection] = []

    def connection(self) -> HTTPConnection:
        """Return a new connection, not open yet, with a timeout for every wait."""
        if self.url.startswith("https:"):
            return HTTPSConnection(self.host, self.port, timeout=_ANSWER_WITHIN_S, context=self._tls)
        return HTTPConnection(self.host, self.port, timeout=_ANSWER_WITHIN_S)

    def read(self, path: str, *, patiently: bool = True) -> Reply:
        """Return the response to a GET. With `patiently`, retry after a broken connection, a 429 or a 503.

        Raises Unreachable.
        """
        pauses_s = iter(_PAUSES_S if patiently else ())
        while True:
            pause_s = next(pauses_s, None)
            try:
                reply = self._get(path)
            except BROKEN as error:
                if pause_s is None:
                    raise Unreachable(f"{self.url} does not answer: {error}") from error
            else:
                if pause_s is None or reply.status not in _TRY_AGAIN:
                    return reply
                pause_s = max(pause_s, min(reply.retry_after_s, _LONGEST_PAUSE_S))
            gevent.sleep(pause_s)

    def _get(self, path: str) -> Reply:
        """Use a connection that is kept for the next read."""
        connection = self._idle.pop() if self._idle else self.connection()
        reply = ask(connection, "GET", self.prefix + path)
        self._idle.append(connection)
        return reply

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Shared by all connections: reading the trusted certificates takes 10 ms or more."""
        return ssl.create_default_context()
