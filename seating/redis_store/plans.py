"""The seating plans of open events, fetched from Redis once and cached: a plan never changes."""

from functools import partial

from seating.domain.errors import InventoryUnavailable
from seating.domain.seating_plan import UNREADABLE, SeatingPlan
from seating.memo import Memo
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts, MissingInventory


class UnreadablePlan(InventoryUnavailable):
    """The plan's key does not contain a valid plan."""


class Plans:
    """Caches plans with up to `max_seats` seats in total (about 300 bytes each), dropping the least recently used."""

    def __init__(self, calls: Calls, max_seats: int = 500_000) -> None:
        self._scripts = EventScripts(calls)
        self._kept = Memo[str, SeatingPlan](max_weight=max_seats, weigh=lambda plan: plan.capacity)

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, event_id: str) -> SeatingPlan:
        """Return the plan. Raises MissingInventory if Redis has none, UnreadablePlan, InventoryUnavailable."""
        return self._kept.get(event_id, partial(self._fetch, event_id))

    def restore(self, event_id: str, plan: SeatingPlan) -> None:
        """Overwrite an unreadable plan; do not create a missing one."""
        # XX: a key that is gone was deleted with its event, or is being rebuilt.
        self._scripts.ask("SET", keys.plan(event_id), plan.pack(), "XX")

    def _fetch(self, event_id: str) -> SeatingPlan:
        packed = self._scripts.ask("GET", keys.plan(event_id))
        if packed is None:
            raise MissingInventory
        try:
            return SeatingPlan.unpack(packed)
        except UNREADABLE as error:
            raise UnreadablePlan from error
