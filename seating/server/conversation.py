"""Serves one connection: reads each request with one of two parsers and sends each response the same way."""

import time
from collections.abc import Callable, Sequence
from socket import SHUT_WR
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import gevent
import structlog
from gunicorn.http.body import Body, LengthReader  # type: ignore[import-untyped]
from gunicorn.http.parser import RequestParser  # type: ignore[import-untyped]
from gunicorn.http.unreader import SocketUnreader  # type: ignore[import-untyped]
from gunicorn.http.wsgi import base_environ, create  # type: ignore[import-untyped]

from seating.server.arrivals import Arrivals
from seating.server.client_socket import BODY_WITHIN_S, HEAD_WITHIN_S, ClientSocket
from seating.server.plain_requests import AVAILABLE, PlainReader
from seating.server.responses import JoinedResponse
from seating.setting_formats import IPNetwork

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_READ_BYTES: Final = 16 * 1024

_log = structlog.get_logger(__name__)


class Received(NamedTuple):
    """A request. `rest` is what follows it; if its body is still unread, that is in `unreader` behind the body."""

    environ: dict[str, Any]
    response: JoinedResponse
    rest: bytes = b""
    body: Any = None
    unreader: Any = None


class Conversation:
    """Serves the connections of one listening socket, whose address is `server`. `worker` is gunicorn's."""

    def __init__(
        self, worker: Any, server: Any, application: "WSGIApplication", proxies: Sequence[IPNetwork] = ()
    ) -> None:
        self._worker = worker
        self._application = application
        self._cfg = worker.cfg
        self._server = server
        self._arrivals = Arrivals(tuple(proxies))
        base = base_environ(self._cfg) | {
            # As gunicorn's asynchronous workers set it: greenlets share the application as threads would.
            "wsgi.multithread": True,
            "wsgi.url_scheme": "http",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_NAME": server[0],
            "SERVER_PORT": str(server[1]),
            "SCRIPT_NAME": "",
        }
        self._plain = PlainReader(base, self._cfg.limit_request_line, self._cfg.limit_request_fields)

    def hold(self, client: ClientSocket, address: tuple[Any, ...]) -> None:
        """Serve until either side closes. Raises what gunicorn's parser raises, OSError, and TimeoutError."""
        peer = self.peer(client, address)
        data = b""
        arrived_s = 0.0
        loop, turn = gevent.get_hub().loop, -1
        client.read_within(HEAD_WITHIN_S, "first")  # A client that connects has something to say.
        while True:
            if not data:
                data = client.recv(_READ_BYTES)
                if not data:
                    return
                arrived_s = time.perf_counter() - client.silent_s()
            if loop.iteration == turn:  # Nobody had a turn since the last request, which was here already.
                gevent.sleep(0)
            turn = loop.iteration
            # A head that came in pieces is never plain; gunicorn's parser waits for the rest of it.
            received = (AVAILABLE and self.read_fast(client, peer, data)) or self._read_carefully(client, address, data)
            self._arrivals.note(received.environ, arrived_s)
            if not self._answer(received):
                self._end(client, received)
                return
            data = self._rest(client, received)
            if received.body is not None:  # What follows it came with it or later.
                arrived_s = time.perf_counter()
            client.read_within(self._cfg.keepalive, "idle")

    @staticmethod
    def peer(client: ClientSocket, address: tuple[Any, ...]) -> dict[str, Any]:
        return {"gunicorn.socket": client, "REMOTE_ADDR": address[0], "REMOTE_PORT": str(address[1])}

    def read_fast(self, client: ClientSocket, peer: dict[str, Any], data: bytes) -> Received | None:
        """Read a request with the fast parser; None if gunicorn's has to read it."""
        request = self._plain.read(data, peer)
        if request is None:
            return None
        response = JoinedResponse(request, client, self._cfg)
        # All of it is here. The application takes as long as it takes, and a WebSocket has pings.
        if not request.pending:
            client.read_whenever()
            return Received(request.environ, response, request.rest)
        client.read_within(BODY_WITHIN_S, "body")
        unreader = SocketUnreader(client)
        unreader.unread(request.rest)
        request.environ["wsgi.input"] = body = Body(LengthReader(unreader, request.pending))
        return Received(request.environ, response, body=body, unreader=unreader)

    def _read_carefully(self, client: ClientSocket, address: tuple[Any, ...], data: bytes) -> Received:
        client.read_within(HEAD_WITHIN_S, "head")
        parser = RequestParser(self._cfg, client, address)
        parser.unreader.unread(data)
        request = next(parser)
        if getattr(request.body.reader, "length", None) == 0:
            client.read_whenever()  # It may be a WebSocket: it has pings instead.
        else:
            client.read_within(BODY_WITHIN_S, "body")
        response, environ = create(request, client, address, self._server, self._cfg, JoinedResponse)
        environ["wsgi.multithread"] = True
        return Received(environ, response, body=request.body, unreader=parser.unreader)

    def _answer(self, received: Received) -> bool:
        """Send the response; return whether the connection stays open."""
        response, worker = received.response, self._worker
        worker.nr += 1
        # gunicorn then starts another process, as for its own workers.
        if worker.nr >= worker.max_requests:
            worker.alive = False
        items: Any = self._application(received.environ, response.start_response)
        # Decided after the application ran: it may have taken long.
        if worker.is_leaving():
            response.force_close()
        try:
            for item in items:
                response.write(item)
            response.close()
        # The connection failed, not the application: this is no aborted response.
        except OSError:
            raise
        except Exception as error:
            # Nothing was sent, so the caller can still answer with an error.
            if not response.begun:
                raise
            _log.error("response aborted", exc_info=error)
            return False
        finally:
            # PEP 3333 requires it, also after an error.
            if hasattr(items, "close"):
                items.close()
        # If a body cannot be read, nobody knows where the next request would begin.
        return not (response.should_close() or (received.body is not None and received.body.failed))

    def _rest(self, client: ClientSocket, received: Received) -> bytes:
        """Read and discard the rest of the body; return what follows it."""
        if received.body is None:
            return received.rest
        _discard(client, received.body.read)
        rest: bytes = received.unreader.take_buffered()
        return rest

    def _end(self, client: ClientSocket, received: Received) -> None:
        """Discard what is still sent of the body: closing with unread data would make the kernel drop the response."""
        body = received.body
        if body is not None and getattr(body.reader, "length", None) != 0:
            client.shutdown(SHUT_WR)
            _discard(client, client.recv if body.failed else body.read)


def _discard(client: ClientSocket, read: Callable[[int], bytes]) -> None:
    client.read_within(HEAD_WITHIN_S, "body")
    while read(_READ_BYTES):
        gevent.sleep(0)  # Yield to others, however fast the data comes.
