"""The seating plans of open events: fetched from Redis once, then kept, since a plan never changes."""

from functools import partial

from seating.domain.errors import InventoryUnavailable
from seating.domain.seating_plan import UNREADABLE, SeatingPlan
from seating.memo import Memo
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts, MissingInventory


class UnreadablePlan(InventoryUnavailable):
    """What is kept under the plan's key is no plan."""


class Plans:
    """Keeps plans of at most `max_seats` seats together (about 300 bytes a seat), least recently used go first."""

    def __init__(self, calls: Calls, max_seats: int = 500_000) -> None:
        self._scripts = EventScripts(calls)
        self._kept = Memo[str, SeatingPlan](max_weight=max_seats, weigh=lambda plan: plan.capacity)

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, event_id: str) -> SeatingPlan:
        """Raises MissingInventory where Redis has no plan, UnreadablePlan, InventoryUnavailable without an answer."""
        return self._kept.get(event_id, partial(self._fetch, event_id))

    def restore(self, event_id: str, plan: SeatingPlan) -> None:
        """Writes a plan again over what cannot be read; one that is gone stays so."""
        self._scripts.ask("SET", keys.plan(event_id), plan.pack(), "XX")

    def _fetch(self, event_id: str) -> SeatingPlan:
        packed = self._scripts.ask("GET", keys.plan(event_id))
        if packed is None:
            raise MissingInventory
        try:
            return SeatingPlan.unpack(packed)
        except UNREADABLE as error:
            raise UnreadablePlan from error
