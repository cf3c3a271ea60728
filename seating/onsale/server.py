"""The server under rehearsal, and one kept connection to it on which every wait is bounded."""

import ssl
from dataclasses import dataclass
from email.message import Message
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Final, NamedTuple, Self
from urllib.parse import urlsplit

import gevent

CONNECT_WITHIN_S: Final = 15.0
ANSWER_WITHIN_S: Final = 60.0
MAX_BODY_BYTES: Final = 1_000_000

_READ_TRIES: Final = 6
_MAX_PAUSE_S: Final = 10.0
_TRY_LATER: Final = frozenset({429, 503})


class Broken(Exception):
    """No whole answer came, or none in time. Whether the request had its effect is not known."""


class Unreachable(Exception):
    """The server does not answer, or not what a seating server does. The message is one line."""


class Answer(NamedTuple):
    status: int
    headers: Message
    body: bytes

    @property
    def replayed(self) -> bool:
        return self.headers.get("Idempotent-Replayed") == "true"


@dataclass(frozen=True)
class Server:
    """Where it is: `prefix` is the path that a proxy may have put before all routes."""

    url: str
    host: str
    port: int
    prefix: str

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises ValueError for what is no http or https address."""
        parts = urlsplit(url)
        beside = parts.username or parts.password or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or beside:
            raise ValueError(f"{url!r} is not like http://127.0.0.1:3000")
        parts.hostname.encode("idna")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        return cls(url.rstrip("/"), parts.hostname, port, parts.path.rstrip("/"))

    def connection(self) -> HTTPConnection:
        """A new one, not open yet."""
        if self.url.startswith("https:"):
            return HTTPSConnection(self.host, self.port, context=self._tls)
        return HTTPConnection(self.host, self.port)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Shared by all connections: to read the trusted certificates takes 10 ms and more."""
        return ssl.create_default_context()


class Client:
    """One connection, used by one greenlet at a time; opened again by itself after it broke."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = server.connection()

    def open(self) -> None:
        """Raises Broken."""
        try:
            with gevent.Timeout(CONNECT_WITHIN_S, TimeoutError("no connection in time")):
                self._connection.connect()
        except OSError as error:
            self.close()
            raise Broken(str(error)) from error

    def close(self) -> None:
        self._connection.close()

    def exchange(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request, sent once, and its answer. Raises Broken."""
        try:
            with gevent.Timeout(ANSWER_WITHIN_S, TimeoutError("no answer in time")):
                self._connection.request(method, self._server.prefix + path, body, headers or {})
                response = self._connection.getresponse()
                received = response.read(MAX_BODY_BYTES + 1)
        except (OSError, HTTPException) as error:
            self.close()
            raise Broken(str(error) or type(error).__name__) from error
        if len(received) > MAX_BODY_BYTES:
            self.close()
            raise Broken("an answer without end")
        return Answer(response.status, response.headers, received)

    def read(self, path: str, tries: int = _READ_TRIES) -> Answer:
        """The answer to a GET, asked again after a broken connection, a 429 and a 503. Raises Unreachable."""
        for tried in range(1, tries + 1):
            pause_s = 0.1 * 2**tried
            try:
                answer = self.exchange("GET", path)
            except Broken as error:
                if tried == tries:
                    raise Unreachable(f"{self._server.url} does not answer: {error}") from error
            else:
                if answer.status not in _TRY_LATER or tried == tries:
                    return answer
                pause_s = max(pause_s, _retry_after_s(answer))
            gevent.sleep(min(pause_s, _MAX_PAUSE_S))
        raise AssertionError("tries is at least 1")


def _retry_after_s(answer: Answer) -> float:
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
