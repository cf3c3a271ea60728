"""A small HTTP server that imitates the event partner.

- Users 1 (two events), 2 (one) and 3 (one); `/getUserById/{id}` answers at once, `/getEventById/{id}` after 500 ms.
- A user `with-<n>` has n events, up to 200, `with-<n>-event-1` and so on; the lists do not name them.
- `/addEvent` accepts 5 events, refuses the next 10 with 503, and starts over. Accepted ones show in the lists and among
  their user's events until the process ends.
- The lists, `/getUsers` and `/getEvents`, drop one connection in twenty, chosen by a seeded generator.
"""

import json
import random
import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import FrameType
from typing import Any, Final, NoReturn

import structlog

from seating.partner.partner_catalogue import PartnerCatalogue

_EVENT_AFTER_S: Final = 0.5
_DROPPED_SHARE: Final = 0.05
_ACCEPTED, _REFUSED = 5, 10
_MAX_BODY_BYTES: Final = 64 * 1024
_IDLE_S: Final = 60

_log = structlog.get_logger(__name__)


def run(port: int, seed: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    with StandIn(port, seed) as server:
        _log.info("partner stand-in ready", port=server.server_port, seed=seed)
        server.serve_forever()


class StandIn(ThreadingHTTPServer):
    """Listens on the loopback interface only."""

    # Kept connections, which may be idle for a minute, must not delay the end.
    daemon_threads = True
    # The library's default, 5, is less than the calls that one web process may make at a time.
    request_queue_size = 1024

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self._random = random.Random(seed)
        self._asked_to_add = count()
        self.catalogue = PartnerCatalogue()

    def drops(self) -> bool:
        """Return whether to drop the next connection to a list."""
        return self._random.random() < _DROPPED_SHARE

    def accepts(self) -> bool:
        """Return whether to accept the next event."""
        return next(self._asked_to_add) % (_ACCEPTED + _REFUSED) < _ACCEPTED


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_S
    # Send a response in one write: a second would wait for the acknowledgement of the first.
    wbufsize = -1
    server: StandIn

    def do_GET(self) -> None:
        _, route, *rest = self.path.split("/")
        catalogue = self.server.catalogue
        match route, rest:
            case (("getUsers" | "getEvents"), []) if self.server.drops():
                self.close_connection = True
            case "getUsers", []:
                self._answer(200, catalogue.users())
            case "getEvents", []:
                self._answer(200, catalogue.events())
            case "getUserById", [user_id]:
                self._answer_found(catalogue.user(user_id))
            case "getEventById", [event_id]:
                time.sleep(_EVENT_AFTER_S)
                self._answer_found(catalogue.event(event_id))
            case _:
                self._answer_found(None)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if self.path != "/addEvent" or length > _MAX_BODY_BYTES:
            # The body stays unread, and would be taken for the next request.
            self.close_connection = True
            self._answer_found(None)
            return
        event = _event_in(self.rfile.read(length))
        if event is None:
            self._answer(400, {"error": "An event has a name and a userId"})
        elif self.server.accepts():
            self.server.catalogue.add(*event)
            self._answer(200, {"success": True})
        else:
            sorry = {"error": "Service temporarily unavailable", "message": "Event API is experiencing high load"}
            self._answer(503, {"success": False} | sorry)

    def log_message(self, format: str, *args: Any) -> None:
        _log.debug("partner request", line=format % args)

    def _answer_found(self, found: dict[str, Any] | None) -> None:
        self._answer(200 if found else 404, found or {"error": "Not found"})

    def _answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _event_in(body: bytes) -> tuple[str, str] | None:
    """Return the name and the user of a new event; None for an invalid body."""
    try:
        match json.loads(body):
            case {"name": str(name), "userId": str() | int() as user_id}:
                return name, str(user_id)
    except (ValueError, RecursionError):
        pass
    return None


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(0)
