"""A receiver of webhooks that verifies signatures by itself, and misbehaves as it is told to."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

import gevent.event
from gevent.server import StreamServer

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Received(NamedTuple):
    """A complete request. `path` is what the request line has."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.json["type"])

    def is_signed(self, secret: str) -> bool:
        """Whether it is, by the rules of standardwebhooks.com."""
        said = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        key = base64.b64decode(secret.removeprefix("whsec_"))
        expected = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split(" ")


Answering = Callable[["Receiver", Received, Any], None]


def ok(_receiver: "Receiver", _received: Received, connection: Any) -> None:
    connection.sendall(OK)


def status(code: int, headers: str = "") -> Answering:
    def answer(_receiver: "Receiver", _received: Received, connection: Any) -> None:
        connection.sendall(f"HTTP/1.1 {code} Whatever\r\n{headers}Content-Length: 0\r\n\r\n".encode())

    return answer


def silence(receiver: "Receiver", _received: Received, _connection: Any) -> None:
    """Answer nothing, until it is stopped."""
    receiver.stopped.wait()


def drip(receiver: "Receiver", _received: Received, connection: Any) -> None:
    """Send headers without end, one byte at a time, so that no single read takes long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not receiver.stopped.wait(0.2):
        connection.sendall(b"x")


def half(_receiver: "Receiver", _received: Received, connection: Any) -> None:
    """Close the connection in the middle of the response."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    connection.shutdown(socket.SHUT_RDWR)


def hang_up(_receiver: "Receiver", _received: Received, connection: Any) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def endless(receiver: "Receiver", _received: Received, connection: Any) -> None:
    """Accept, with a body that does not end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    with suppress(OSError):
        while not receiver.stopped.is_set():
            connection.sendall(b"x" * 65_536)


class Receiver:
    """`answers` are given to the first requests, one each; then `always`. `accepted` are those answered with `ok`."""

    def __init__(self, *answers: Answering, always: Answering = ok, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.always = always
        self.requests: list[Received] = []
        self.accepted: list[Received] = []
        self._tls = {"ssl_context": tls} if tls else {}
        self.stopped = gevent.event.Event()
        self.port = 0
        self.start()

    def start(self) -> None:
        """Listen, on the same port as before."""
        self.stopped.clear()
        self._server = StreamServer(("127.0.0.1", self.port), self._serve, **self._tls)
        self._server.reuse_addr = 1
        self._server.start()
        self.port = self._server.server_port

    def stop(self) -> None:
        """Close the port and all connections, as a process that ends."""
        self.stopped.set()
        self._server.stop(timeout=0)

    def url(self, path: str = "/hooks", host: str = "127.0.0.1") -> str:
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    @property
    def ids(self) -> list[str]:
        return [received.id for received in self.accepted]

    @property
    def in_order(self) -> list[str]:
        """The ids that were accepted, in the order in which each came first."""
        return list(dict.fromkeys(self.ids))

    def _serve(self, connection: Any, _address: object) -> None:
        with suppress(OSError), connection.makefile("rb") as reading:
            while received := _read(reading):
                self.requests.append(received)
                answer = self.answers.pop(0) if self.answers else self.always
                answer(self, received, connection)
                if answer is ok:
                    self.accepted.append(received)


def _read(reading: Any) -> Received | None:
    line = reading.readline()
    if not line:
        return None
    headers = {}
    while (header := reading.readline().strip()) != b"":
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    body = reading.read(int(headers["content-length"]))
    return Received(line.decode().split(" ")[1], headers, body)
