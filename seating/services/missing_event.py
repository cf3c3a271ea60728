"""Why Redis has no inventory of an event: there is no such event, it is over, or Redis has lost it."""

from collections.abc import Callable
from functools import partial

from seating.domain.errors import EventNotFound, InventoryUnavailable, NotOnSale, RecordUnavailable, SeatingError
from seating.memo import Memo
from seating.storage import events
from seating.storage.database import Database

Answer = Callable[[], SeatingError]

_REMEMBERED = 10_000
_REMEMBERED_FOR_S = 1.0


class MissingEvent:
    """Asks SQL once, however many ask at a time, and remembers the answer for a second.

    `nudge` is told of an inventory that is lost, so that it is rebuilt at once.
    """

    def __init__(self, database: Database, nudge: Callable[[str], object]) -> None:
        self._database = database
        self._nudge = nudge
        self._answers = Memo[str, Answer](max_weight=_REMEMBERED, max_age_s=_REMEMBERED_FOR_S)

    def absence_of(self, event_id: str) -> SeatingError:
        """The error that tells a caller why there is no inventory."""
        return self._answers.get(event_id, partial(self._ask, event_id))()

    def _ask(self, event_id: str) -> Answer:
        try:
            event = self._database.read(events.find, event_id)
        except RecordUnavailable:
            return InventoryUnavailable  # Nobody knows; whoever comes within the next second is told the same.
        if event is None:
            return EventNotFound
        if event.archived:
            return _over
        self._nudge(event_id)
        return InventoryUnavailable


def _over() -> SeatingError:
    return NotOnSale("This event is over", state="closed")
