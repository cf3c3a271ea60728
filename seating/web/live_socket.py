"""A connection that both the WebSocket library and the live feed write to.

The library (simple-websocket 1.1) calls `send` once and takes for granted that everything went out; a client that reads
slowly would get torn frames.
"""

import socket
from collections.abc import Callable
from typing import Any

import gevent
from gevent.lock import BoundedSemaphore
from gunicorn import util  # type: ignore[import-untyped]

_SEND_BUFFER_BYTES = 64 * 1024


class LiveSocket:
    """In place of the socket that the library takes; it is closed by the web server, when its request ends."""

    __slots__ = ("_lock", "_socket", "ended", "on_end")

    def __init__(self, connection: "socket.socket") -> None:
        self._socket = connection
        self._lock = BoundedSemaphore(1)
        self.ended = False
        self.on_end: Callable[[], None] | None = None
        # What a client does not read is to wait in its bounded queue, not in the kernel.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def send(self, data: bytes) -> int:
        """All of `data`, and nothing else in between."""
        with self._lock:
            self._socket.sendall(data)
        return len(data)

    def recv(self, size: int) -> bytes:
        return self._socket.recv(size)

    def close(self) -> None:
        """The library has read the last of it: the client said goodbye, is gone, or sent what is no WebSocket."""
        self.ended = True
        if self.on_end:
            self.on_end()

    def linger(self) -> None:
        """Reads and forgets what the client may still be sending: the kernel would drop our last words for it."""
        util.close_graceful(self._socket)

    def cut(self) -> None:
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            self.close()


class LivePeer:
    """What the live feed knows of a client. `library` is simple-websocket's server."""

    __slots__ = ("_library", "_socket")

    def __init__(self, library: Any, connection: LiveSocket) -> None:
        self._library = library
        self._socket = connection

    @property
    def pong_received(self) -> bool:
        return bool(self._library.pong_received)

    @pong_received.setter
    def pong_received(self, received: bool) -> None:
        self._library.pong_received = received

    def write(self, frames: bytes) -> None:
        self._socket.send(frames)

    def cut(self) -> None:
        self._socket.cut()


class ReaderGreenlet:
    """The library's reading thread, as a greenlet without what threads carry around."""

    __slots__ = ("_greenlet", "_target", "name")

    def __init__(self, target: Callable[[], None]) -> None:
        self.name = ""
        self._target = target
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        self._greenlet = gevent.spawn(self._target)

    def join(self, within_s: float) -> None:
        if self._greenlet:
            self._greenlet.join(within_s)


class FinishedHandshake:
    """In place of wsproto's, which is a whole HTTP parser and would stay for as long as the socket."""

    def events(self) -> tuple[()]:
        return ()


class IgnoredMessages(list[Any]):
    """What clients say is not kept: nothing is expected of them."""

    def append(self, _message: object) -> None:
        pass
