"""The stand-in's data: a few users and their events, and the events added since it started."""

import re
import threading
from itertools import chain, count
from typing import Any, Final

MOST_ADDED: Final = 1000

_EVENTS_OF: Final = {"1": ["event-1", "event-2"], "2": ["event-3"], "3": ["event-4"]}
_FIRST_NEW: Final = 5
_WITH = re.compile(r"with-([1-9]\d?|1\d\d|200)(?:-event-([1-9]\d{0,2}))?")


class PartnerCatalogue:
    """Thread-safe. Keeps the newest MOST_ADDED of the added events."""

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


def _event(event_id: str, user_id: str) -> dict[str, Any]:
    return {"id": event_id, "name": f"Event {event_id}", "userId": user_id}
