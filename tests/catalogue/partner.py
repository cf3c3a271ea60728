"""An event partner whose habits a test chooses, on a real socket, that knows what reached it."""

import json
from collections.abc import Callable
from typing import Any

import gevent
from gevent import socket
from gevent.event import Event
from gevent.server import StreamServer

Connection = socket.socket
Habit = Callable[[Connection, str], None]

GIGABYTE = 1 << 30


class Partner:
    """`calls` are the paths that were asked for; `habit` answers one, and then its connection is closed."""

    def __init__(self, habit: Habit) -> None:
        self.habit = habit
        self.calls: list[str] = []
        self._server = StreamServer(("127.0.0.1", 0), self._serve)
        self._server.start()

    @property
    def port(self) -> int:
        port: int = self._server.server_port
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Refuses connections from now on."""
        self._server.stop()

    def _serve(self, connection: Connection, _address: Any) -> None:
        try:
            with connection.makefile("rb") as stream:
                request = stream.readline().decode().split()
                if not request:
                    return  # Connected, and given up before anything was asked.
                length = 0
                while header := stream.readline().strip():
                    name, _, value = header.partition(b":")
                    if name.lower() == b"content-length":
                        length = int(value)
                stream.read(length)
            self.calls.append(request[1])
            self.habit(connection, request[1])
        except OSError:
            pass  # The client has had enough, which is what most of these tests are about.
        finally:
            connection.close()


def answers(status: int, value: Any, **headers: str) -> Habit:
    return sends(status, json.dumps(value).encode(), **headers)


def sends(status: int, body: bytes, **headers: str) -> Habit:
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    head = f"HTTP/1.1 {status} So\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items())

    def send(connection: Connection, _path: str) -> None:
        connection.sendall(head.encode() + b"\r\n" + body)

    return send


def fares_well(connection: Connection, path: str) -> None:
    """Everybody has as many events as their id says, and every event is there."""
    answers(200, _well(path))(connection, path)


def fills(size: int) -> Habit:
    """Fares well, with spaces up to a body of `size` bytes."""
    return lambda connection, path: sends(200, json.dumps(_well(path)).encode().ljust(size))(connection, path)


def _well(path: str) -> Any:
    _, route, *rest = path.split("/")
    found: dict[str, Any] = {
        "getUsers": [{"id": 1, "name": "One"}],
        "getEvents": [{"id": "e", "name": "E", "userId": 1}],
        "addEvent": {"success": True},
    }
    if route == "getUserById":
        found[route] = {"id": rest[0], "name": "N", "events": [f"e{number}" for number in range(int(rest[0]))]}
    if route == "getEventById":
        found[route] = {"id": rest[0], "name": "N", "seats": 7}
    return found[route]


def hangs(connection: Connection, _path: str) -> None:
    connection.recv(1)


def drops(connection: Connection, _path: str) -> None:
    """Closes without a word."""


def sends_half(connection: Connection, _path: str) -> None:
    sends(200, b'{"id": "1", ', Content_Length="1000")(connection, "")


def sends_half_of_its_chunks(connection: Connection, _path: str) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"id"\r\n')


def sends_a_gigabyte(connection: Connection, _path: str) -> None:
    connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n".encode())
    _send_on(connection, b" " * (1 << 16), 0)


def sends_chunks_without_end(connection: Connection, _path: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    _send_on(connection, b"10000\r\n" + b" " * (1 << 16) + b"\r\n", 0)


def drips(connection: Connection, _path: str) -> None:
    """A body, a byte at a time, each well before a read would time out."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    _send_on(connection, b" ", 0.02)


def drips_headers(connection: Connection, _path: str) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    _send_on(connection, b"x", 0.02)


def only(route: str, habit: Habit) -> Habit:
    """Fares well but for one route."""

    def choose(connection: Connection, path: str) -> None:
        (habit if path.startswith(f"/{route}") else fares_well)(connection, path)

    return choose


class Gate:
    """Answers well, but only once it is opened."""

    def __init__(self) -> None:
        self.opened = Event()

    def __call__(self, connection: Connection, path: str) -> None:
        self.opened.wait()
        fares_well(connection, path)


def _send_on(connection: Connection, piece: bytes, pause_s: float) -> None:
    sent = 0
    while sent < GIGABYTE:
        connection.sendall(piece)
        sent += len(piece)
        gevent.sleep(pause_s)
