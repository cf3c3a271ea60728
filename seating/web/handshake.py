"""Checks a WebSocket handshake (RFC 6455, section 4.2) and prepares it for the library.

The library answers an invalid handshake with a 500 page.
"""

import base64
import binascii
from collections import Counter

from flask import Request

from seating.domain.errors import InvalidRequest
from seating.web.live_socket import LiveSocket, connection_of
from seating.web.request_errors import LiveFeedFull, TooManyConnections


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
