"""How the load's clients ask: over a connection that is kept, with every request in the history."""

import json
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

import gevent
import httptools

from tests.proof.history import HistoryFile, Kind, Operation

_TIMEOUT_S: Final = 15
"""Of a request: then its outcome is unknown."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0


class _Response:
    """What llhttp calls for the parts of a response. http.client takes four times the CPU time for it."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode()] = value.decode("latin-1")

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        self.is_complete = True


class Connection:
    """One HTTP connection, opened again when it broke. Each wait for data ends after `timeout_s`."""

    def __init__(self, port: int, timeout_s: float = _TIMEOUT_S) -> None:
        self._port = port
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int | None, bytes | None, Mapping[str, str]]:
        """Return status, body and headers; without a status if no complete response came."""
        sent = {"Host": "127.0.0.1", **headers} | ({} if body is None else {"Content-Length": str(len(body))})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
        response = _Response()
        parser = httptools.HttpResponseParser(response)
        try:
            connection = self._socket = self._socket or self._opened()
            connection.sendall("\r\n".join(lines).encode() + (body or b""))
            while not response.is_complete:
                part = connection.recv(1 << 16)
                if not part:
                    raise ConnectionError("the connection ended before the response")
                parser.feed_data(part)
        except (OSError, httptools.HttpParserError):
            self.close()
            return None, None, {}
        # The parser says no of every response that it has read to its end.
        if response.headers.get("Connection") == "close":
            self.close()
        return parser.get_status_code(), response.body, response.headers

    def _opened(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self._port), self._timeout_s)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    def get(self, path: str) -> Any:
        """Return what a path says, asked until it is a 200 for up to a minute. Raises TimeoutError."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            status, body, _ = self.send("GET", path, None, {})
            if status == 200 and body:
                return json.loads(body)
            gevent.sleep(0.2)
        raise TimeoutError(path)


class Asking:
    """One client's requests. `goes_on` is false when the run ends: then nothing is repeated.

    `last_wait_s` is how long the last success took, if it need not wait for SQL.
    """

    def __init__(
        self,
        client: int,
        port: int,
        history: HistoryFile,
        random: Random,
        goes_on: Callable[[], bool],
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        self.client = client
        self.random = random
        self.goes_on = goes_on
        self.last_wait_s = 0.0
        self._port = port
        self._timeout_s = timeout_s
        self._history = history
        self._idle: list[Connection] = []

    def new_key(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def once(
        self,
        op: Kind,
        event: str,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        key: str | None = None,
        named: Mapping[str, str] | None = None,
        prefer: str = "",
    ) -> Operation:
        """Send one request and record what came of it. `named` is what its path names."""
        headers = {"Content-Type": "application/json"} if body is not None else {}
        headers |= {"Idempotency-Key": key} if key else {}
        headers |= {"Prefer": prefer} if prefer else {}
        sent = None if body is None else json.dumps(body).encode()
        asked = Operation(self.client, op, event, key, {**(body or {}), **(named or {})}, time.monotonic_ns())
        connection = self._idle.pop() if self._idle else Connection(self._port, self._timeout_s)
        answer = connection.send(method, path, sent, headers)
        self._idle.append(connection)
        done = self._history.answered(asked, *answer)
        if done.outcome == "ok" and done.returned and not prefer:
            self.last_wait_s = (done.returned - done.invoked) / 1e9
        return done

    def hang_up(self) -> None:
        for connection in self._idle:
            connection.close()

    def surely(self, op: Kind, event: str, method: str, path: str, *args: Any, **options: Any) -> Operation:
        """Repeat it until its outcome is known, as a buyer does who wants to know."""
        done, pause_s = self.once(op, event, method, path, *args, **options), _FIRST_PAUSE_S
        while done.outcome == "unknown" and self.goes_on():
            gevent.sleep(self.random.uniform(0.5, 1) * pause_s)
            done, pause_s = self.once(op, event, method, path, *args, **options), min(2 * pause_s, _LONGEST_PAUSE_S)
        return done
