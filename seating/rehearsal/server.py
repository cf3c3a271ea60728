"""The server under rehearsal: one connection for each buyer, and what can be asked about the sale."""

import ssl
from functools import cached_property
from http.client import HTTPConnection, HTTPSConnection
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from urllib3 import PoolManager, Retry
from urllib3.exceptions import HTTPError, MaxRetryError

READING_AT_ONCE: Final = 16

ANSWER_WITHIN_S: Final = 60.0


class Unreachable(Exception):
    """The server does not answer, or not what a seating server does. The message is one line."""


class Reply(NamedTuple):
    status: int
    body: bytes
    replayed: bool = False


class HttpClient:
    """`prefix` is the path that a proxy may have put before all routes."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for what is no http or https address."""
        parts = urlsplit(url)
        beside = parts.username or parts.password or parts.query or parts.fragment
        if parts.scheme not in ("http", "https") or not parts.hostname or beside:
            raise ValueError(f"{url!r} is not like http://127.0.0.1:3000")
        parts.hostname.encode("idna")
        self.url: Final = url.rstrip("/")
        self.host: Final = parts.hostname
        self.port: Final = parts.port or (443 if parts.scheme == "https" else 80)
        self.prefix: Final = parts.path.rstrip("/")
        again = Retry(5, backoff_factor=0.2, backoff_max=10, retry_after_max=10, status_forcelist=(429, 503))
        self._again: Final = again.new(raise_on_status=False, redirect=False)
        self._reading = PoolManager(maxsize=READING_AT_ONCE, timeout=ANSWER_WITHIN_S)

    def connection(self) -> HTTPConnection:
        """A new one, not open yet, on which every wait is bounded."""
        if self.url.startswith("https:"):
            return HTTPSConnection(self.host, self.port, timeout=ANSWER_WITHIN_S, context=self._tls)
        return HTTPConnection(self.host, self.port, timeout=ANSWER_WITHIN_S)

    def read(self, path: str, *, patiently: bool = True) -> Reply:
        """The answer to a GET; `patiently`, it is asked again after a broken connection, a 429 and a 503.

        Raises Unreachable.
        """
        try:
            response = self._reading.request("GET", self.url + path, retries=self._again if patiently else False)
        except HTTPError as error:
            reason = error.reason if isinstance(error, MaxRetryError) else error
            raise Unreachable(f"{self.url} does not answer: {getattr(reason, '__cause__', None) or reason}") from error
        return Reply(response.status, response.data)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Shared by all connections: to read the trusted certificates takes 10 ms and more."""
        return ssl.create_default_context()
