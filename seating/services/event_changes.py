"""The gate through which every change of an event goes, whoever asks for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seating.domain.errors import SeatUnavailable
from seating.domain.position import Position
from seating.domain.purchase import Receipt
from seating.redis_store.event_scripts import MissingInventory, RunsUnavailable
from seating.services.answered import Answered
from seating.services.fence import Fence
from seating.services.seat_names import SeatNames


@dataclass(frozen=True, slots=True)
class Change:
    """A change under way; `reached` says where the log has it."""

    _event_id: str
    _changes: "EventChanges"

    def reached(self, position: Position, receipt: Receipt | None = None, idempotency: str = "") -> None:
        """Call this before the caller is answered. A purchase has a receipt, and the hash of its caller and key."""
        self._changes.answered.note(self._event_id, position, receipt, idempotency)
        self._changes.nudge(self._event_id)


@dataclass(frozen=True, slots=True)
class EventChanges:
    """Before a change: this process knows the event's term. After it: the position is noted as answered, so that its
    loss would be reported, and persistence is nudged. If it is refused: the refusal is explained.
    """

    names: SeatNames
    answered: Answered
    fence: Fence
    nudge: Callable[[str], object]

    @contextmanager
    def of(self, event_id: str) -> Iterator[Change]:
        """Raises EventNotFound, NotOnSale or InventoryUnavailable where Redis has no inventory, and SeatUnavailable."""
        self.fence.before_first_sale(event_id)
        try:
            yield Change(event_id, self)
        except MissingInventory:
            raise self.names.presence.absence_of(event_id) from None
        except RunsUnavailable as error:
            refusal = SeatUnavailable(seats=self.names.names(event_id, error.runs))
            refusal.verdict = error.verdict
            raise refusal from None
