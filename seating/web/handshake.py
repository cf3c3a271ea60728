"""Checks a WebSocket handshake (RFC 6455, section 4.2), and prepares it for the library or refuses it.

The library answers an invalid handshake with a 500 page. A valid but refused one is accepted and closed at once: a page
in a browser cannot read an HTTP error to a handshake. The library, which would double the cost, takes no part in that.
The close code is 4000 plus the HTTP error's status, or 1013 (try again later) instead of 4503.
"""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
from flask import Request, Response
from gunicorn import util  # type: ignore[import-untyped]
from wsproto.utilities import generate_accept_token

from seating.domain.errors import InvalidRequest, SeatingError
from seating.live.outbox import TRY_AGAIN_LATER, close_frame
from seating.telemetry import metrics
from seating.web.errors import status_of
from seating.web.live_socket import LiveSocket, connection_of
from seating.web.request_errors import LiveFeedFull, TooManyConnections
from seating.web.request_log import shown_client
from seating.web.services import settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_FIRST_CODE: Final = 4000
_MOST_AT_ONCE: Final = 64
_LINGER_S: Final = 0.5

_log = structlog.get_logger(__name__)


class OpenSockets:
    """The live sockets of one process: at most `per_address`, and `in_all`, so that buyers get connections too."""

    def __init__(self, per_address: int, in_all: int) -> None:
        self._per_address = per_address
        self._in_all = in_all
        self._open: Counter[str] = Counter()

    def enter(self, address: str) -> None:
        """Count a socket. Raises TooManyConnections, LiveFeedFull."""
        if self._open[address] >= self._per_address:
            raise TooManyConnections
        if self._open.total() >= self._in_all:
            raise LiveFeedFull
        self._open[address] += 1

    def leave(self, address: str) -> None:
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]


def check(request: Request) -> None:
    """Check the handshake. Raises InvalidRequest. Routing has already checked `Upgrade` and `Connection`."""
    if request.method != "GET" or request.environ.get("SERVER_PROTOCOL") != "HTTP/1.1":
        raise InvalidRequest("A WebSocket handshake must use GET and HTTP/1.1", "method")
    if request.headers.get("Sec-WebSocket-Version") != "13":
        raise InvalidRequest("Sec-WebSocket-Version must be 13", "Sec-WebSocket-Version")
    if not _is_key(request.headers.get("Sec-WebSocket-Key", "")):
        raise InvalidRequest("Sec-WebSocket-Key must be 16 bytes in Base64", "Sec-WebSocket-Key")


def prepare(request: Request, queue_bytes: int) -> LiveSocket:
    """Leave only the bare handshake to the library.

    It sees no extensions (compression would triple a socket's memory) and no headers that could make it fail.
    """
    environ = request.environ
    key = environ["HTTP_SEC_WEBSOCKET_KEY"]
    for name in [name for name in environ if name.startswith("HTTP_")]:
        del environ[name]
    environ |= {
        # wsproto refuses a handshake without a Host, whose value does not matter here.
        "HTTP_HOST": "seating",
        "HTTP_UPGRADE": "websocket",
        "HTTP_CONNECTION": "Upgrade",
        "HTTP_SEC_WEBSOCKET_KEY": key,
        "HTTP_SEC_WEBSOCKET_VERSION": "13",
    }
    connection = LiveSocket(connection_of(environ), queue_bytes)
    environ["gunicorn.socket"] = connection
    return connection


def _is_key(text: str) -> bool:
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


def close_code(status: int) -> int:
    """Return the code that closes a feed whose HTTP error would have this status."""
    # A fault of the server's does not last: clients come back, as they do at 1013.
    return _FIRST_CODE + status if status < 500 else TRY_AGAIN_LATER


class RefusedFeeds:
    """The refused feeds of one process: at most 64 wait for their client to leave; the others get the HTTP error."""

    def __init__(self) -> None:
        self._leaving = 0

    def refuse(self, request: Request, error: SeatingError) -> Response:
        """Return the response to a valid handshake. Raises `error` if too many clients are still leaving."""
        if self._leaving >= _MOST_AT_ONCE:
            raise error
        return _Refusal(self, request, error)

    def send(self, connection: Any, data: bytes) -> None:
        """Send without blocking, then wait half a second for the client to leave: it could lose the data otherwise."""
        self._leaving += 1
        try:
            with suppress(OSError):
                connection.send(data, timeout=0.0)
            util.close_graceful(connection, _LINGER_S)
        finally:
            self._leaving -= 1


class _Refusal(Response):
    def __init__(self, feeds: RefusedFeeds, request: Request, error: SeatingError) -> None:
        super().__init__(status=101)
        self._feeds = feeds
        self._code = close_code(status_of(error))
        self._error = error
        self._accept = generate_accept_token(request.environ["HTTP_SEC_WEBSOCKET_KEY"].encode())

    def __call__(self, environ: "WSGIEnvironment", _start_response: "StartResponse") -> Iterable[bytes]:
        """End the connection as flask-sock does, bypassing gunicorn."""
        metrics.LIVE_CLOSED.labels(str(self._code)).inc()
        told = {"code": self._code, "error": self._error.code, **shown_client(environ, settings())}
        _log.info("live feed refused", request_id=environ["seating.request_id"], **told)
        head = (
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self._accept.decode()}",
        )
        reason = f"{self._error.code}: {self._error.message}"
        self._feeds.send(
            connection_of(environ), "\r\n".join((*head, "", "")).encode() + close_frame(self._code, reason)
        )
        raise StopIteration
