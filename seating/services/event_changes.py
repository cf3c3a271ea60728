"""The gate that every change of an event passes through."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.redis_store.event_scripts import MissingInventory, RunsRefused
from seating.services.answered import Answered
from seating.services.fence import Fence
from seating.services.rollout import LogReaders
from seating.services.seat_names import SeatNames


@dataclass(frozen=True, slots=True)
class Change:
    """A change in progress. Call `reached` with its position in the log."""

    _event_id: str
    _changes: "EventChanges"

    def reached(self, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        """Call this before responding. For a purchase, pass its receipt and the hash of caller and key."""
        self._changes.answered.note(self._event_id, position, receipt, idempotency)
        self._changes.nudge(self._event_id)


@dataclass(frozen=True, slots=True)
class EventChanges:
    """Before a change, make sure that this process knows the event's term. After it, note the position as confirmed, so
    that its loss is reported, and nudge persistence. Explain refusals.
    """

    names: SeatNames
    answered: Answered
    fence: Fence
    nudge: Callable[[str], object]
    readers: LogReaders

    @contextmanager
    def of(self, event_id: str, kind: str | None = None) -> Iterator[Change]:
        """Name the `kind` of the entry if not every version reads it (log_format.py).

        Raises RolloutInProgress while a running worker does not, EventNotFound, NotOnSale or InventoryUnavailable if
        Redis has no inventory, and SeatUnavailable, SeatSold or SeatHeld, with the names of the seats.
        """
        if kind:
            self.readers.check(kind)
        # A process that has seen nothing of the event would accept any server, an old primary too.
        self.fence.before_first_sale(event_id)
        try:
            yield Change(event_id, self)
        except MissingInventory:
            raise self.names.presence.absence_of(event_id) from None
        except RunsRefused as error:
            refusal = error.named(seats=self.names.names(event_id, error.runs))
            refusal.verdict = error.verdict
            raise refusal from None
