"""A server that speaks the sale's contract just well enough, and lies as it is told to."""

import json
import socket
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from gevent.pywsgi import WSGIHandler, WSGIServer

SPOILED = 7
"""The purchase that lies are about."""


class Reply(NamedTuple):
    body: bytes
    status: str = "200 OK"
    headers: tuple[tuple[str, str], ...] = ()


class FakeServer:
    """Sells `capacity` seats, one a purchase, of an event `demo` that is the default one, unless there is none.

    `lie` is what it gets wrong, `""` nothing; the code below says each of them.
    """

    def __init__(self, lie: str = "", capacity: int = 30) -> None:
        self.capacity = capacity
        self.lie = lie
        self.sold: dict[str, bytes] = {}
        self._server = WSGIServer(("127.0.0.1", 0), self._serve, log=None, error_log=None, handler_class=_Handler)

    def __enter__(self) -> "FakeServer":
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.stop(timeout=1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def _serve(self, environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        environ["wsgi.input"].read()
        path, key = environ["PATH_INFO"], environ.get("HTTP_IDEMPOTENCY_KEY", "")
        match path.rpartition("/")[2]:
            case "purchase" | "purchases":
                reply = self._repeat(key) if key in self.sold else self._sell(key)
                if self.lie == "breaks" and not reply.headers:
                    environ["test.socket"].shutdown(socket.SHUT_RDWR)
            case "event" | "demo":
                reply = self._counts()
            case "stats" if self.lie == "has no default event":
                reply = _json({"code": "EVENT_NOT_FOUND"}, "404 Not Found")
            case "stats":
                reply = _json({"persistence": {"lag": 3 if self.lie == "lags" else 0}})
            case purchase_id:
                reply = self._purchase(purchase_id)
        start_response(reply.status, [*reply.headers, ("Content-Length", str(len(reply.body)))])
        return [reply.body]

    def _sell(self, key: str) -> Reply:
        number = len(self.sold) + 1
        if number > self.capacity:
            return _json({"code": "SOLD_OUT", "seatsRemaining": 0}, "409 Conflict")
        self.sold[key] = self._said(number)
        if self.lie == "fails" and number == SPOILED:
            return _json({"code": "INVENTORY_UNAVAILABLE"}, "503 Service Unavailable")
        if self.lie == "mumbles" and number == SPOILED:
            return _json({"success": True})
        return Reply(self.sold[key])

    def _said(self, number: int) -> bytes:
        again = min(number, SPOILED)
        said = {
            "success": True,
            "seatsRemaining": self.capacity - number,
            "purchaseId": f"demo.{again if self.lie == 'same purchase' else number}",
            "eventId": "demo",
            "seats": [f"seat-{again if self.lie == 'same seat' else number}"],
            "position": f"1-{again if self.lie == 'same position' else number}",
        }
        return json.dumps(said).encode()

    def _repeat(self, key: str) -> Reply:
        if self.lie == "forgets":
            return _json({"code": "SOLD_OUT", "seatsRemaining": 0}, "409 Conflict")
        if self.lie == "faints":
            return _json({"code": "INVENTORY_UNAVAILABLE"}, "503 Service Unavailable")
        body = self.sold[key] + b"\n" if self.lie == "rewords" else self.sold[key]
        return Reply(body) if self.lie == "unmarked" else Reply(body, headers=(("Idempotent-Replayed", "true"),))

    def _counts(self) -> Reply:
        sold = len(self.sold)
        if self.lie == "sells more" and sold:
            sold += 1
        left = self.capacity - sold - (1 if self.lie == "drops a seat" else 0)
        counts = {"seatsSold": sold, "seatsRemaining": left, "seatsHeld": 0, "seatsBlocked": 0}
        return _json({"totalSeats": self.capacity, **counts})

    def _purchase(self, purchase_id: str) -> Reply:
        spoiled = purchase_id == f"demo.{SPOILED}"
        if self.lie == "loses" and spoiled:
            return _json({"code": "PURCHASE_NOT_FOUND"}, "404 Not Found")
        purchases = map(json.loads, self.sold.values())
        seats = next(said["seats"] for said in purchases if said["purchaseId"] == purchase_id)
        if self.lie == "records otherwise" and spoiled:
            seats = ["seat-8"]
        state = "accepted" if self.lie == "records late" and spoiled else "persisted"
        return _json({"state": state, "quantity": 1, "seats": seats})


class _Handler(WSGIHandler):
    """Lets the application have the connection, to break it."""

    def get_environ(self) -> dict[str, Any]:
        return {**super().get_environ(), "test.socket": self.socket}


def _json(body: dict[str, Any], status: str = "200 OK") -> Reply:
    return Reply(json.dumps(body).encode(), status)
