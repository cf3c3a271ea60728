"""Our gunicorn worker: gunicorn's signals and settings, our connections, and refusals as problem details."""

import errno
import math
import os
import secrets
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, Final

import gevent
import structlog
from gevent.event import Event
from gunicorn import util  # type: ignore[import-untyped]
from gunicorn.http import errors as http_errors  # type: ignore[import-untyped]
from gunicorn.workers.ggevent import GeventWorker  # type: ignore[import-untyped]

from seating.config import load_settings
from seating.server.draining import Draining, drop_new_handshakes
from seating.server.load_board import LoadBoard
from seating.server.open_files import OPS_CONNECTIONS
from seating.web.errors import PROBLEM_TYPE, code_of, problem, status_of, title_of
from seating.web.request_errors import TooManyConnections
from seating.web.security_headers import COMMON

if TYPE_CHECKING:
    from seating.server.client_socket import ClientSocket
    from seating.server.greenlet_pool import GreenletPool

STATUS: Final[dict[type[BaseException], int]] = {
    http_errors.ParseException: 400,
    http_errors.ForbiddenProxyRequest: 403,
    http_errors.LimitRequestLine: 414,
    http_errors.ExpectationFailed: 417,
    http_errors.LimitRequestHeaders: 431,
    # Our own bugs, though gunicorn derives them from its client errors.
    http_errors.InvalidResponseHeader: 500,
    http_errors.InvalidResponseHeaderName: 500,
    http_errors.UnsupportedTransferCoding: 501,
}

_MOST_UNSENT_BYTES: Final = 256 * 1024
"""What the kernel buffers for a client that does not read. Its default is up to four megabytes (`tcp_wmem`)."""

_REPLACED_WITHIN_S: Final = 10.0
_HANDSHAKE_S: Final = 0.05
"""Enough for the last packet of a handshake from a balancer, which is near."""

_log = structlog.get_logger(__name__)


class WebWorker(GeventWorker):  # type: ignore[misc]
    """Serves connections with the parts of this package; starts, stops and reloads like gunicorn's workers."""

    draining: ClassVar[Draining] = Draining()
    _board: ClassVar[LoadBoard | None] = None

    def __init__(self, *args: Any) -> None:
        """Runs in the master, before it forks."""
        super().__init__(*args)
        # On the class, because all workers of a master must share one board.
        # A reload may want more of them; those that it replaces keep the board that they have.
        board = WebWorker._board
        if board is None or not board.has_room_for(self.cfg.workers):
            board = WebWorker._board = LoadBoard(self.cfg.workers)
        self.place = board.place(self.age)
        self._stopping = Event()

    def run(self) -> None:
        # The master imports this file too, but must not import the metrics: they belong to one process.
        from seating.server.accepting import Acceptor, Limits
        from seating.server.client_socket import Deadlines
        from seating.server.conversation import Conversation
        from seating.web.services import begin_serving, close_feeds, operations_of

        settings = load_settings()
        # Each process counts for itself, so each allows its share.
        share = math.ceil(settings.http_connections_per_address / self.cfg.workers)
        acceptors = []
        for listener in self.sockets:
            listener.setblocking(0)
            # Accepted connections inherit this from their listener.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _MOST_UNSENT_BYTES)
            server = listener.getsockname()
            application, place = self.wsgi, self.place
            limits = Limits(self.worker_connections, share, settings.proxy_networks)
            if settings.ops_address and server[1] == settings.ops_address[1]:
                # Separate from buyers' connections, and not counted on the board.
                application, place = operations_of(self.wsgi), LoadBoard(1).place(0)
                limits = Limits(OPS_CONNECTIONS, OPS_CONNECTIONS)
            serve = partial(self._serve, Conversation(self, server, application, settings.proxy_networks).hold)
            acceptors.append(Acceptor(listener, serve, self._refuse, limits, place))
        # Before it accepts: on a reload the old processes serve until this one knows whether it is ready.
        begin_serving(self.wsgi, self.draining.has_begun)
        Deadlines(acceptors, self.cfg.keepalive, lambda: not self.alive).start()
        accepting = [gevent.spawn(acceptor.run) for acceptor in acceptors]
        # A process without an acceptor would look alive and serve no one. Once it ends, gunicorn starts another.
        while self.alive and not any(greenlet.dead for greenlet in accepting):
            self.notify()
            self._stopping.wait(1.0)
        if self._stopping.is_set():
            self._await_replacement()
        if self.draining.has_begun():  # Not on a reload: the new processes have the same listeners.
            for listener in self.sockets:
                drop_new_handshakes(listener)
            gevent.sleep(_HANDSHAKE_S)
        gevent.killall(accepting)
        self.place.leave()
        for acceptor, listener in zip(acceptors, self.sockets, strict=True):
            acceptor.accept_waiting()
            listener.close()
        # Not sooner: clients would come back to this process. Open sockets would use up the graceful timeout.
        gevent.spawn(close_feeds, self.wsgi)
        self._finish([acceptor.greenlets for acceptor in acceptors])

    def _await_replacement(self) -> None:
        """Accept connections until one of the processes that replace this one does, unless all stop.

        gunicorn stops the old ones when it starts the new ones, which take seconds to load.
        """
        known, ends = self.place.youngest(), time.monotonic() + _REPLACED_WITHIN_S
        while (
            self.place.youngest() <= known
            and time.monotonic() < ends
            and not self.draining.has_begun()
            # Without its master, no other process replaces this one.
            and self.ppid == os.getppid()
        ):
            self.notify()
            gevent.sleep(0.05)

    def is_leaving(self) -> bool:
        """Return whether connections are to be closed after their next response."""
        return not self.alive or self.draining.has_begun()

    def _finish(self, pools: "list[GreenletPool]") -> None:
        """Finish accepted connections, within the graceful timeout."""
        ends = time.monotonic() + self.cfg.graceful_timeout
        while any(len(pool) for pool in pools) and time.monotonic() < ends:
            self.notify()
            gevent.sleep(0.1)
        for pool in pools:
            pool.kill(timeout=1)

    def _serve(self, hold: "Callable[[ClientSocket, Any], None]", client: "ClientSocket", address: Any) -> None:
        try:
            hold(client, address)
        except (http_errors.NoMoreData, StopIteration, TimeoutError):
            pass  # The client left during a request, its WebSocket ended, or it was too slow.
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                _log.error("connection failed", exc_info=error)
        except Exception as error:  # noqa: BLE001 - the parser's, and the application's
            self.handle_error(None, client, address, error)

    def _refuse(self, client: "ClientSocket") -> None:
        """Send the refusal for too many connections, without waiting for anything."""
        error = TooManyConnections()
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.recv(16 * 1024)  # Closing with unread data would make the kernel drop the response.
        retry = f"Retry-After: {error.retry_after_s}"
        client.send(_answer(status_of(error), error.code, error.message, secrets.token_hex(8), retry))

    def handle_exit(self, signal_number: int, frame: Any) -> None:
        super().handle_exit(signal_number, frame)
        self._stopping.set()

    def handle_error(self, _request: Any, client: Any, _address: Any, error: BaseException) -> None:
        """Respond to a request that failed before or outside the application; the connection is then closed."""
        status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
        request_id = secrets.token_hex(8)
        if status == 500:
            _log.error("unexpected error", exc_info=error, request_id=request_id)
        else:
            # Not the error's text, which quotes what the client sent.
            told = {"status": status, "code": code_of(status), "reason": type(error).__name__}
            _log.info("malformed request", request_id=request_id, **told)
        with suppress(OSError):  # The client may be gone.
            util.write_nonblock(client, _answer(status, code_of(status), HTTPStatus(status).description, request_id))
        # Data still arriving would otherwise make the kernel drop the response.
        util.close_graceful(client)


def _answer(status: int, code: str, message: str, request_id: str, *lines: str) -> bytes:
    body = problem(status, code, message, request_id)
    head = (
        f"HTTP/1.1 {status} {title_of(status)}",
        "Connection: close",
        f"Content-Type: {PROBLEM_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-Id: {request_id}",
        *(f"{name}: {value}" for name, value in COMMON),
        *lines,
    )
    return "\r\n".join((*head, "", body)).encode()
