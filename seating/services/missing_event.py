"""Explains why Redis has no inventory of an event: it does not exist, is archived, or was lost."""

from collections.abc import Callable
from functools import partial

from seating.domain.errors import EventNotFound, InventoryUnavailable, NotOnSale, RecordUnavailable, SeatingError
from seating.domain.event import DRAFT
from seating.memo import Memo
from seating.storage import events
from seating.storage.database import Database

Answer = Callable[[], SeatingError]

# Bounded, because strangers can ask for any id.
_REMEMBERED = 10_000
_REMEMBERED_FOR_S = 1.0


class MissingEvent:
    """Queries SQL once for concurrent callers, and caches the answer for a second.

    Calls `nudge` for a lost inventory, so that it is rebuilt at once.
    """

    def __init__(self, database: Database, nudge: Callable[[str], object]) -> None:
        self._database = database
        self._nudge = nudge
        self._answers = Memo[str, Answer](max_weight=_REMEMBERED, max_age_s=_REMEMBERED_FOR_S)

    def absence_of(self, event_id: str) -> SeatingError:
        """Return the error that explains why there is no inventory."""
        return self._answers.get(event_id, partial(self._ask, event_id))()

    def is_draft(self, event_id: str) -> bool:
        """Return whether it is a draft whose inventory was lost; not while SQL does not answer."""
        return self.absence_of(event_id).facts.get("state") == DRAFT

    def _ask(self, event_id: str) -> Answer:
        try:
            event = self._database.read(events.find, event_id)
        except RecordUnavailable:
            return InventoryUnavailable  # Unknown. Cached for a second like any other answer.
        if event is None:
            return EventNotFound
        if event.archived:
            return _over
        self._nudge(event_id)
        return partial(InventoryUnavailable, state=DRAFT) if event.state == DRAFT else InventoryUnavailable


def _over() -> SeatingError:
    return NotOnSale("This event is over", state="closed")
