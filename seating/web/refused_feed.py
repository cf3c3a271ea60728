"""Accepts and closes a refused feed at once: a page in a browser cannot read an HTTP error to a handshake.

It does so without the library, which would double the cost. The close code is 4000 plus the HTTP error's status, or
1013 (try again later) instead of 4503.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import structlog
from flask import Request, Response
from gunicorn import util  # type: ignore[import-untyped]
from wsproto.utilities import generate_accept_token

from seating.domain.errors import SeatingError
from seating.live.outbox import TRY_AGAIN_LATER, close_frame
from seating.telemetry import metrics
from seating.web.errors import status_of
from seating.web.live_socket import connection_of
from seating.web.request_log import shown_client
from seating.web.services import settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_FIRST_CODE: Final = 4000
_MOST_AT_ONCE: Final = 64
_LINGER_S: Final = 0.5

_log = structlog.get_logger(__name__)


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
