"""A TCP proxy in front of Redis, or of Postgres, that fails at a chosen moment."""

import contextlib
import socket
from collections.abc import Callable
from enum import Enum, auto

import gevent
from gevent.event import Event
from gevent.pool import Group

COUNT = b"\r\nHINCRBY\r\n"
"""Marks a command of the tests' own; texts of scripts have the word in other surroundings."""

_CHUNK_BYTES = 1 << 16


class Fault(Enum):
    """What befalls a request."""

    LOSE_REQUEST = auto()
    """It does not reach Redis, and the connection breaks."""
    DROP_REPLY = auto()
    """Redis has carried it out, and the connection breaks instead of a reply."""
    HALVE_REPLY = auto()
    """Redis has carried it out, and the connection breaks half-way through the reply."""
    GARBLE_REPLY = auto()
    """Redis has carried it out, and something comes that is no reply of Redis."""
    HANG = auto()
    """Redis has carried it out, and the reply does not come before the strike is released."""


class Strike:
    """One fault, for the first request that contains `marker`."""

    def __init__(self, marker: bytes, fault: Fault) -> None:
        self.marker = marker
        self.fault = fault
        self.happened = Event()
        self.released = Event()

    def wait(self) -> None:
        """Until it has happened, and so whatever Redis does with the request."""
        assert self.happened.wait(10), f"no request with {self.marker!r}"

    def release(self) -> None:
        self.released.set()


class TcpProxy:
    """Passes everything but what it is told to strike.

    A request is what one read from the client gives: one write of the client, as long as that is small.
    """

    def __init__(self, redis_socket: str) -> None:
        self._redis_socket = redis_socket
        self._address = ("127.0.0.1", 0)
        self._strikes: list[Strike] = []
        self._clients = Group()
        self.random_fault: Callable[[], Fault | None] = lambda: None
        self.requests: list[bytes] = []
        self._passing = Event()
        self._passing.set()
        self.accept()

    @property
    def port(self) -> int:
        return self._address[1]

    def swallow(self) -> None:
        """Be a black hole, until pass_on(): whatever comes is taken and goes nowhere; nothing breaks."""
        self._passing.clear()

    def pass_on(self) -> None:
        self._passing.set()

    def await_passing(self) -> None:
        self._passing.wait()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._address[1]}"

    def accept(self) -> None:
        self._listener = socket.create_server(self._address, backlog=128)
        self._address = self._listener.getsockname()
        self._acceptor = gevent.spawn(self._accept_forever)

    def refuse(self) -> None:
        """Breaks all connections and has new ones refused, until accept()."""
        self._acceptor.kill()
        self._listener.close()
        self._clients.kill()

    def strike(self, marker: bytes, fault: Fault) -> Strike:
        strike = Strike(marker, fault)
        self._strikes.append(strike)
        return strike

    def writes(self, marker: bytes) -> int:
        """How many requests had `marker` in them."""
        return sum(marker in request for request in self.requests)

    def _accept_forever(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self._clients.spawn(_Session(self, client).run, self._redis_socket)

    def strike_on(self, request: bytes) -> Strike | None:
        """What is to befall this request."""
        self.requests.append(request)
        for strike in self._strikes:
            if strike.marker in request:
                self._strikes.remove(strike)
                return strike
        fault = self.random_fault()
        return Strike(b"", fault) if fault else None


class _Session:
    """One client's connection to Redis."""

    def __init__(self, proxy: TcpProxy, client: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._redis = socket.socket(socket.AF_UNIX)
        self._strike: Strike | None = None

    def run(self, redis_socket: str) -> None:
        with self._client, self._redis, contextlib.suppress(OSError):
            self._redis.connect(redis_socket)
            directions = [gevent.spawn(self._pass_requests), gevent.spawn(self._pass_replies)]
            try:
                gevent.wait(directions, count=1)
            finally:
                gevent.killall(directions)

    def _pass_requests(self) -> None:
        with contextlib.suppress(OSError):
            while request := self._client.recv(_CHUNK_BYTES):
                # What is large comes in several reads; the strike that one of them called for stays.
                self._strike = self._proxy.strike_on(request) or self._strike
                if self._strike and self._strike.fault is Fault.LOSE_REQUEST:
                    self._strike.happened.set()
                    return
                self._proxy.await_passing()
                self._redis.sendall(request)

    def _pass_replies(self) -> None:
        with contextlib.suppress(OSError):
            while reply := self._redis.recv(_CHUNK_BYTES):
                self._proxy.await_passing()
                strike, self._strike = self._strike, None
                passed = _struck(reply, strike) if strike else reply
                self._client.sendall(passed)
                if passed != reply:
                    return


def _struck(reply: bytes, strike: Strike) -> bytes:
    strike.happened.set()
    match strike.fault:
        case Fault.HANG:
            strike.released.wait()
            return reply
        case Fault.HALVE_REPLY:
            return reply[: len(reply) // 2]
        case Fault.GARBLE_REPLY:
            return b"HTTP/1.1 200 OK\r\n"
    return b""
