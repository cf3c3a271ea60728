"""A TCP proxy between the product and Redis that breaks connections in the ways a network does."""

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from pathlib import Path
from typing import Final, cast

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class Disturbance(Enum):
    """What happens to some of the requests that come in."""

    RESET_BEFORE = auto()
    """The request does not reach Redis, and its client gets a reset."""
    RESET_AFTER = auto()
    """Redis runs the request, and its client gets a reset instead of the reply."""
    HALF_REPLY = auto()
    """The client gets the first half of the reply, then the end of the connection."""
    LATENCY = auto()
    """The request arrives late."""


class Proxy:
    """Listens on a port of its own, on a thread of its own. `backend` is the Unix socket of the server behind it.

    A change of `backend` is for new connections; `cut` ends those there are.
    """

    def __init__(self, backend: Path) -> None:
        self.backend = backend
        self.disturbance: Disturbance | None = None
        self.share = 0.0
        self.latency_s = 0.0
        self.links: set[_ClientSide] = set()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(self.loop.create_server(lambda: _ClientSide(self), "127.0.0.1", 0))
        self.port: int = self._server.sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @contextmanager
    def disturbed(self, disturbance: Disturbance, share: float, latency_s: float = 0.0) -> Iterator[None]:
        """Disturb a share of the requests, from 0 to 1, until the end of the block."""
        self.share, self.latency_s, self.disturbance = share, latency_s, disturbance
        try:
            yield
        finally:
            self.disturbance = None

    def cut(self) -> None:
        """Reset all connections."""

        async def reset() -> None:
            for link in list(self.links):
                link.reset()

        self._run(reset())

    def close(self) -> None:
        self.cut()
        self.loop.call_soon_threadsafe(self._server.close)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout=10)

    def _run(self, work):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout=10)


class _ClientSide(asyncio.Protocol):
    """A connection of the product's, and the one to Redis that belongs to it."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._early: list[bytes] = []
        self._ended = False
        self._spoiling: Disturbance | None = None
        self._due = 0.0
        self.redis: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._proxy.links.add(self)
        self._connecting = self._proxy.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._proxy.loop.create_unix_connection(lambda: _RedisSide(self), str(self._proxy.backend))
        except OSError:
            self.reset()

    def opened(self, redis: asyncio.Transport) -> None:
        self.redis = redis
        for data in self._early:
            redis.write(data)
        self._early.clear()
        if self._ended:
            redis.abort()

    def data_received(self, data: bytes) -> None:
        disturbance, disturbed = self._proxy.disturbance, random.random() < self._proxy.share
        if not disturbed or disturbance is None:
            self._forward_after(0, data)
        elif disturbance is Disturbance.RESET_BEFORE:
            self.reset()
        elif disturbance is Disturbance.LATENCY:
            self._forward_after(self._proxy.latency_s, data)
        else:
            self._spoiling = disturbance
            self._forward_after(0, data)

    def _forward_after(self, latency_s: float, data: bytes) -> None:
        """Not before what came earlier on this connection and is late."""
        loop = self._proxy.loop
        self._due = max(loop.time() + latency_s, self._due)
        if self._due > loop.time():
            loop.call_at(self._due, self._forward, data)
        else:
            self._forward(data)

    def _forward(self, data: bytes) -> None:
        if self.redis is None:
            self._early.append(data)
        elif not self.redis.is_closing():
            self.redis.write(data)

    def reply(self, data: bytes) -> None:
        if self._spoiling is None:
            self.transport.write(data)
        elif self._spoiling is Disturbance.HALF_REPLY and not self.transport.is_closing():
            self.transport.write(data[: len(data) // 2])
            self.transport.close()
        else:
            self.reset()

    def connection_lost(self, _error: Exception | None) -> None:
        self._ended = True
        self._proxy.links.discard(self)
        if self.redis:
            self.redis.abort()

    def reset(self) -> None:
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()

    def pause_writing(self) -> None:
        if self.redis:
            self.redis.pause_reading()

    def resume_writing(self) -> None:
        if self.redis:
            self.redis.resume_reading()


class _RedisSide(asyncio.Protocol):
    def __init__(self, client: _ClientSide) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client.opened(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        self._client.reply(data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._client.transport.close()
