"""Between the library (simple-websocket 1.1), which does the handshake and reads, and the outbox, which writes.

The library calls `send` once and takes for granted that everything went out; a client that reads slowly would get torn
frames. And it reads in a thread, which would cost as much memory as all the rest of a socket.
"""

import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

from gevent.event import Event
from gunicorn import util  # type: ignore[import-untyped]

from seating.live.outbox import Outbox

_SEND_BUFFER_BYTES = 64 * 1024
_LAST_WORDS_S = 1.0


def connection_of(environ: Mapping[str, Any]) -> "socket.socket":
    """What the web server reads the request from. It also closes it."""
    connection: socket.socket = environ["gunicorn.socket"]
    return connection


class LiveSocket:
    """In place of the socket that the library takes."""

    __slots__ = ("_connection", "outbox")

    def __init__(self, connection: "socket.socket", queue_bytes: int) -> None:
        self._connection = connection
        self.outbox = Outbox(connection, queue_bytes)
        # What a client does not read is to wait in its bounded queue, not in the kernel.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def send(self, data: bytes) -> int:
        self.outbox.offer(data)
        self.outbox.flush()
        return len(data)

    def recv(self, size: int) -> bytes:
        data = self._connection.recv(size)
        self.outbox.heard = True
        return data

    def close(self) -> None:
        """The library has read the last of it: the client said goodbye, is gone, or sent what is no WebSocket."""

    def linger(self) -> None:
        """Reads and forgets what the client may still be sending: the kernel would drop our last words for it."""
        self.outbox.wait_written(_LAST_WORDS_S)
        util.close_graceful(self._connection)


class Reader:
    """In place of the library's reading thread: `run` reads in the greenlet that is there already."""

    __slots__ = ("name", "run")

    def __init__(self, target: Callable[[], None]) -> None:
        self.name = ""
        self.run = target

    def start(self) -> None:
        pass


class FinishedHandshake:
    """In place of wsproto's, which is a whole HTTP parser and would stay for as long as the socket."""

    def events(self) -> tuple[()]:
        return ()


class IgnoredMessages(list[Any]):
    """What clients say is not kept: nothing is expected of them."""

    def append(self, _message: object) -> None:
        pass


LIBRARY_OPTIONS: Final = {"max_message_size": 64 * 1024, "thread_class": Reader, "event_class": Event}


def make_lean(library: Any) -> None:
    """`library` is simple-websocket's server after its handshake."""
    library.input_buffer = IgnoredMessages()
    library.ws.handshake = FinishedHandshake()
