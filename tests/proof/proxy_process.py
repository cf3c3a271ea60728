"""The process of a Proxy: it gets its orders as lines of JSON, and answers each with its port."""

import asyncio
import json
import random
import socket
import struct
import sys
from typing import Any, Final, cast

from tests.proof.proxy import Disturbance

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


class _Forwarding:
    """What is to happen to connections, and all that are open."""

    def __init__(self) -> None:
        self.backend = ""
        self.disturbance: Disturbance | None = None
        self.share = 0.0
        self.latency_s = 0.0
        self.links: set[_ClientSide] = set()

    def obey(self, orders: dict[str, Any]) -> None:
        self.backend = orders.get("backend", self.backend)
        self.share = orders.get("share", self.share)
        self.latency_s = orders.get("latency_s", self.latency_s)
        if "disturbance" in orders:
            self.disturbance = orders["disturbance"] and Disturbance(orders["disturbance"])
        for link in list(self.links) if "cut" in orders else ():
            link.reset()


class _ClientSide(asyncio.Protocol):
    """A connection of the product's, and the one to Redis that belongs to it."""

    def __init__(self, forwarding: _Forwarding) -> None:
        self._forwarding = forwarding
        self._loop = asyncio.get_running_loop()
        self._early: list[bytes] = []
        self._ended = False
        self._spoiling: Disturbance | None = None
        self._due = 0.0
        self.redis: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self._forwarding.links.add(self)
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._loop.create_unix_connection(lambda: _RedisSide(self), self._forwarding.backend)
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
        disturbance, disturbed = self._forwarding.disturbance, random.random() < self._forwarding.share
        if not disturbed or disturbance is None:
            self._forward_after(0, data)
        elif disturbance is Disturbance.RESET_BEFORE:
            self.reset()
        elif disturbance is Disturbance.LATENCY:
            self._forward_after(self._forwarding.latency_s, data)
        else:
            self._spoiling = disturbance
            self._forward_after(0, data)

    def _forward_after(self, latency_s: float, data: bytes) -> None:
        """Not before what came earlier on this connection and is late."""
        self._due = max(self._loop.time() + latency_s, self._due)
        if self._due > self._loop.time():
            self._loop.call_at(self._due, self._forward, data)
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
        self._forwarding.links.discard(self)
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


async def main() -> None:
    """Serve until standard input ends."""
    forwarding, loop = _Forwarding(), asyncio.get_running_loop()
    server = await loop.create_server(lambda: _ClientSide(forwarding), "127.0.0.1", 0)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        forwarding.obey(json.loads(line))
        print(server.sockets[0].getsockname()[1], flush=True)


if __name__ == "__main__":
    asyncio.run(main())
