"""The network between a page and the product, which can go away without a word."""

import socket
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer

_CHUNK_BYTES = 1 << 16


class Network:
    """Forwards to a port of this machine. While it is cut, nothing arrives and nothing breaks."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._passes = Event()
        self._passes.set()
        self._open: set[socket.socket] = set()
        self._server = StreamServer(("127.0.0.1", 0), self._serve, spawn=Pool(200))
        self._server.start()

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def cut(self) -> None:
        self._passes.clear()

    def restore(self) -> None:
        """Pass on what comes from now on; connections that were cut stay dead."""
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._passes.set()

    def stop(self) -> None:
        self.restore()
        self._server.stop(timeout=0)

    def _serve(self, client: Any, _address: Any) -> None:
        with client, socket.create_connection(("127.0.0.1", self._to)) as server:
            self._open |= {client, server}
            try:
                ways = [gevent.spawn(self._pass_on, *way) for way in ((client, server), (server, client))]
                gevent.joinall(ways, count=1)
                gevent.killall(ways)
            finally:
                self._open -= {client, server}

    def _pass_on(self, come: socket.socket, go: socket.socket) -> None:
        with suppress(OSError):
            while chunk := come.recv(_CHUNK_BYTES):
                self._passes.wait()
                go.sendall(chunk)
