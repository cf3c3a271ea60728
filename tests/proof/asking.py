"""How the load's clients ask: over a connection that is kept, with every request in the history."""

import http.client
import json
import time
import uuid
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

import gevent

from tests.proof.history import HistoryFile, Kind, Operation

_TIMEOUT_S: Final = 15
"""Of a request: then its outcome is unknown."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 1.0


class Connection:
    """One HTTP connection, opened again when it broke."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)

    def send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int | None, bytes | None, Mapping[str, str]]:
        """Return status, body and headers; without a status if no complete response came."""
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            return response.status, response.read(), response.headers
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return None, None, {}

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
    """One client's requests. `goes_on` is false when the run ends: then nothing is repeated."""

    def __init__(
        self, client: int, port: int, history: HistoryFile, random: Random, goes_on: Callable[[], bool]
    ) -> None:
        self.client = client
        self.random = random
        self.goes_on = goes_on
        self._port = port
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
        connection = self._idle.pop() if self._idle else Connection(self._port)
        answer = connection.send(method, path, sent, headers)
        self._idle.append(connection)
        return self._history.answered(asked, *answer)

    def surely(self, op: Kind, event: str, method: str, path: str, *args: Any, **options: Any) -> Operation:
        """Repeat it until its outcome is known, as a buyer does who wants to know."""
        done, pause_s = self.once(op, event, method, path, *args, **options), _FIRST_PAUSE_S
        while done.outcome == "unknown" and self.goes_on():
            gevent.sleep(self.random.uniform(0.5, 1) * pause_s)
            done, pause_s = self.once(op, event, method, path, *args, **options), min(2 * pause_s, _LONGEST_PAUSE_S)
        return done
