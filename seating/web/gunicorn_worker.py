"""gunicorn's gevent worker, whose own refusals of what is not even HTTP are problem details like all others."""

import secrets
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import gevent
import structlog
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import errors as http_errors  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from seating.web.errors import PROBLEM_TYPE, code_of, problem, title_of

_STATUS: Final[dict[type[BaseException], int]] = {
    http_errors.ParseException: 400,
    http_errors.ForbiddenProxyRequest: 403,
    http_errors.LimitRequestLine: 414,
    http_errors.ExpectationFailed: 417,
    http_errors.LimitRequestHeaders: 431,
    # The application's own fault, though gunicorn derives them from the client's.
    http_errors.InvalidResponseHeader: 500,
    http_errors.InvalidResponseHeaderName: 500,
    http_errors.UnsupportedTransferCoding: 501,
}

_log = structlog.get_logger(__name__)


class ProblemWorker(GeventWorker):  # type: ignore[misc]
    def handle_exit(self, signal_number: int, frame: Any) -> None:
        """Live sockets would otherwise last as long as the graceful timeout."""
        super().handle_exit(signal_number, frame)
        if hasattr(self, "wsgi"):  # A worker may be told to go before it has begun.
            # The master imports this file too, and must not import the metrics.
            from seating.web.services import hub_of

            gevent.spawn(hub_of(self.wsgi).close)

    def handle_error(self, _request: Any, client: Any, _address: Any, error: BaseException) -> None:
        """Answers a request that failed before, or outside of, the application; the connection is then closed."""
        status = next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)
        request_id = secrets.token_hex(8)
        if status == 500:
            _log.error("unexpected error", exc_info=error, request_id=request_id)
        else:
            _log.info("not understood", request_id=request_id, status=status, reason=type(error).__name__)
        with suppress(OSError):  # The client may be gone.
            util.write_nonblock(client, _answer(status, request_id))
        # What it may still be sending would otherwise make the kernel drop the answer.
        util.close_graceful(client)


def _answer(status: int, request_id: str) -> bytes:
    body = problem(status, code_of(status), HTTPStatus(status).description, request_id)
    head = (
        f"HTTP/1.1 {status} {title_of(status)}",
        "Connection: close",
        f"Content-Type: {PROBLEM_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
    )
    return "\r\n".join((*head, "", body)).encode()
