"""Connects the library (simple-websocket 1.1), which does the handshake and reads, to the outbox, which writes.

The library calls `send` once and assumes that everything was sent: slow clients would get torn frames. It also reads in
a thread, which would cost as much memory as the rest of a socket.
"""

import socket
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import gevent
from gevent.event import Event
from gevent.lock import BoundedSemaphore
from gunicorn import util  # type: ignore[import-untyped]

from seating.live.outbox import Outbox

_BUFFER_BYTES = 64 * 1024
_LAST_WORDS_S = 1.0
_PONG_BYTES = 131
"""The longest pong, the only thing that clients have to say."""
_PAUSE_S_PER_BYTE = 5e-6
"""Four times the CPU time of the smallest frames."""


def connection_of(environ: Mapping[str, Any]) -> "socket.socket":
    """Return the web server's socket for this request. The web server closes it."""
    connection: socket.socket = environ["gunicorn.socket"]
    return connection


class LiveSocket:
    """Replaces the socket that the library uses."""

    __slots__ = ("_connection", "outbox")
    _turn: ClassVar = BoundedSemaphore()
    """Of the sockets of this process that say more than they have to: together they take a fifth of it at most."""

    def __init__(self, connection: "socket.socket", queue_bytes: int) -> None:
        self._connection = connection
        self.outbox = Outbox(connection, queue_bytes)
        # Data that a client does not read must wait in its bounded queue, not in the kernel.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        # What is left of a flood is read slowly, also after its end.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)

    def send(self, data: bytes) -> int:
        # The library writes to the socket as it likes; the outbox puts frames in one order, and bounds them.
        self.outbox.offer(data)
        self.outbox.flush()
        return len(data)

    def recv(self, size: int) -> bytes:
        data = self._connection.recv(size)
        self.outbox.heard = True
        if len(data) > _PONG_BYTES:
            with self._turn:
                gevent.sleep(len(data) * _PAUSE_S_PER_BYTE)
        else:  # Data that keeps coming never waits.
            gevent.sleep(0)
        return data

    def close(self) -> None:
        """Called after the library's last read: the client closed, left, or sent invalid data."""

    def linger(self) -> None:
        """Read and discard data that still arrives: otherwise the kernel would drop our close frame."""
        self.outbox.wait_written(_LAST_WORDS_S)
        util.close_graceful(self._connection)


class Reader:
    """Replaces the library's reading thread: `run` reads in the request's greenlet."""

    __slots__ = ("name", "run")

    def __init__(self, target: Callable[[], None]) -> None:
        self.name = ""
        self.run = target

    def start(self) -> None:
        pass


class FinishedHandshake:
    """Replaces wsproto's handshake, a whole HTTP parser that would live as long as the socket."""

    def events(self) -> tuple[()]:
        return ()


class IgnoredMessages(list[Any]):
    """Discards the messages of clients."""

    def append(self, _message: object) -> None:
        pass


LIBRARY_OPTIONS: Final = {"max_message_size": 64 * 1024, "thread_class": Reader, "event_class": Event}


def make_lean(library: Any) -> None:
    """Reduce the memory of `library`, simple-websocket's server after its handshake."""
    library.input_buffer = IgnoredMessages()
    library.ws.handshake = FinishedHandshake()
