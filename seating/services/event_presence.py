"""Why Redis has no inventory of an event: there is no such event, it is over, or Redis has lost it."""

import threading
import time
from collections.abc import Callable

from seating.domain.errors import EventNotFound, InventoryUnavailable, NotOnSale, RecordUnavailable, SeatingError
from seating.storage import events
from seating.storage.database import Database

Answer = Callable[[], SeatingError]

_REMEMBERED = 10_000
_REMEMBERED_FOR_S = 1.0


class EventPresence:
    """Asks SQL once, however many ask at a time, and remembers the answer for a second.

    `nudge` is told of an inventory that is lost, so that it is rebuilt at once.
    """

    def __init__(self, database: Database, nudge: Callable[[str], object]) -> None:
        self._database = database
        self._nudge = nudge
        self._answers: dict[str, tuple[float, Answer]] = {}
        self._asking: dict[str, threading.Lock] = {}

    def absence_of(self, event_id: str) -> SeatingError:
        """The error that tells a caller why there is no inventory."""
        answer = self._remembered(event_id)
        if answer is None:
            # Whoever comes while the first one asks waits for its answer instead of asking again.
            with self._asking.setdefault(event_id, threading.Lock()):
                answer = self._remembered(event_id) or self._ask(event_id)
            self._asking.pop(event_id, None)
        return answer()

    def _remembered(self, event_id: str) -> Answer | None:
        until, answer = self._answers.get(event_id, (0.0, None))
        return answer if until > time.monotonic() else None

    def _ask(self, event_id: str) -> Answer:
        answer: Answer = InventoryUnavailable
        try:
            event = self._database.read(events.find, event_id)
        except RecordUnavailable:
            pass  # Nobody knows; whoever comes within the next second is told the same.
        else:
            if event is None:
                answer = EventNotFound
            elif event.archived:
                answer = _over
            else:
                self._nudge(event_id)
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        self._answers[event_id] = (time.monotonic() + _REMEMBERED_FOR_S, answer)
        return answer


def _over() -> SeatingError:
    return NotOnSale("This event is over", state="closed")
