"""A small HTTP server that imitates the event partner, for machines without one.

- Users 1 (two events), 2 (one) and 3 (one); `/getUserById/{id}` answers at once, `/getEventById/{id}` after 500 ms.
- A user `with-<n>` has n events, up to 200, `with-<n>-event-1` and so on; the lists do not name them.
- `/addEvent` accepts 5 events, refuses the next 10 with 503, and starts over. Accepted ones show in the lists and among
  their user's events until the process ends.
- The lists, `/getUsers` and `/getEvents`, drop one connection in twenty, chosen by a seeded generator.
"""

import json
import random
import re
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, count
from types import FrameType
from typing import Any, Final, NoReturn

import structlog

MOST_ADDED: Final = 1000

_EVENTS_OF: Final = {"1": ["event-1", "event-2"], "2": ["event-3"], "3": ["event-4"]}
_FIRST_NEW: Final = 5
_WITH = re.compile(r"with-([1-9]\d?|1\d\d|200)(?:-event-([1-9]\d{0,2}))?")
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


class PartnerCatalogue:
    """A few users and their events, and the newest MOST_ADDED of the events that were added. Thread-safe."""

    def __init__(self) -> None:
        self._added: dict[str, dict[str, Any]] = {}
        self._numbers = count(_FIRST_NEW)
        self._lock = threading.Lock()

    def add(self, name: str, user_id: str) -> None:
        """Add an event. An unknown user becomes one by having an event."""
        with self._lock:
            event_id = f"event-{next(self._numbers)}"
            self._added[event_id] = {"id": event_id, "name": name, "userId": user_id}
            if len(self._added) > MOST_ADDED:
                del self._added[next(iter(self._added))]

    def users(self) -> list[dict[str, Any] | None]:
        owners = dict.fromkeys(chain(_EVENTS_OF, (event["userId"] for event in self._news())))
        return [self.user(user_id) for user_id in owners]

    def events(self) -> list[dict[str, Any]]:
        return [_event(event, user) for user, events in _EVENTS_OF.items() for event in events] + self._news()

    def user(self, user_id: str) -> dict[str, Any] | None:
        events = list(_EVENTS_OF.get(user_id, ()))
        match = _WITH.fullmatch(user_id)
        if match and not match[2]:
            events = [f"{user_id}-event-{number}" for number in range(1, int(match[1]) + 1)]
        events += [event["id"] for event in self._news() if event["userId"] == user_id]
        return {"id": user_id, "name": f"User {user_id}", "events": events} if events else None

    def event(self, event_id: str) -> dict[str, Any] | None:
        match = _WITH.fullmatch(event_id)
        if match and match[2] and int(match[2]) <= int(match[1]):
            return _event(event_id, f"with-{match[1]}")
        return next((event for event in self.events() if event["id"] == event_id), None)

    def _news(self) -> list[dict[str, Any]]:
        with self._lock:
            return list(self._added.values())


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


def _event(event_id: str, user_id: str) -> dict[str, Any]:
    return {"id": event_id, "name": f"Event {event_id}", "userId": user_id}


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
