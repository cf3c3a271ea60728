"""Fifteen hundred clients that hold their connections as long as they can, and buyers who come beside them."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from statistics import quantiles

import gevent
import psutil

from seating.server.client_socket import SEND_WITHIN_S
from tests.crowd import allow_many_sockets
from tests.servers import wait_until
from tests.system import System
from tests.web import get

EACH = 500
CROWD = 3 * EACH
BUYERS = 8
PAUSE_S = 0.05
P99_S = 0.5
PROMETHEUS = {"Accept": "text/plain"}

HEAD = b"GET /seats HTTP/1.1\r\nHost: localhost\r\n"
BODY = (
    b"POST /api/v1/purchase HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Idempotency-Key: a-key-of-a-slow-client\r\nContent-Length: 1000\r\n\r\n{"
)


def slow_head(connection: socket.socket) -> None:
    """A header a second."""
    connection.sendall(HEAD)
    _dribble(connection, b"X: x\r\n")


def slow_body(connection: socket.socket) -> None:
    """A byte a second."""
    connection.sendall(BODY)
    _dribble(connection, b" ")


def _dribble(connection: socket.socket, piece: bytes) -> None:
    """Until the server has enough of it."""
    connection.settimeout(1)
    while True:
        try:
            connection.recv(1)
        except TimeoutError:
            connection.sendall(piece)
        else:
            return


def deaf(connection: socket.socket) -> None:
    """Asks for megabytes and reads none of them, so that it cannot see the server go."""
    connection.sendall(get("/seats") * 64)
    gevent.sleep(SEND_WITHIN_S)


@contextmanager
def crowd(system: System) -> Iterator[None]:
    """500 of each kind. Who is cut comes again at once."""

    def hold(act: Callable[[socket.socket], None]) -> None:
        while True:
            with suppress(OSError), socket.socket() as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                connection.connect(("127.0.0.1", system.port))
                act(connection)

    holding = [gevent.spawn(hold, act) for act in (slow_head, slow_body, deaf) for _ in range(EACH)]
    try:
        yield
    finally:
        gevent.killall(holding)


def latencies_s(system: System, event: str, for_s: float) -> list[float]:
    """Of purchases, each on a connection of its own."""
    found: list[float] = []
    ends = time.monotonic() + for_s

    def buy_on() -> None:
        while time.monotonic() < ends:
            begun = time.monotonic()
            assert system.buy(1, event_id=event).status == 200
            found.append(time.monotonic() - begun)
            gevent.sleep(PAUSE_S)

    gevent.joinall([gevent.spawn(buy_on) for _ in range(BUYERS)], raise_error=True)
    return found


def p99_s(latencies: list[float]) -> float:
    return quantiles(latencies, n=100)[-1]


def test_purchases_beside_them_stay_fast(system: System) -> None:
    allow_many_sockets()
    event = system.create_event(totalSeats=100_000)
    quiet = p99_s(latencies_s(system, event, 2))
    others = open_files(system)
    with crowd(system):
        wait_until(lambda: open_files(system) - others >= CROWD, what="all of them to be served")
        latencies = latencies_s(system, event, 8)
        assert open_files(system) - others > 0.9 * CROWD
    figures = f"p99 {p99_s(latencies):.3f} s of {len(latencies)} purchases; {quiet:.3f} s before"
    assert len(latencies) >= 200, figures
    assert p99_s(latencies) < P99_S, figures
    (cut,) = re.findall(rb'deadlines_missed_total{wait="head"} (\d+)', system.get("/metrics", PROMETHEUS).body)
    assert int(cut) >= EACH, figures


def open_files(system: System) -> int:
    """Of the web processes. What is accepted is one; what waits to be accepted is none."""
    return sum(process.num_fds() for process in psutil.Process(system.parts["web"].process.pid).children())
