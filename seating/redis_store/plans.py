"""The seating plans of open events: fetched from Redis once, then kept, since a plan never changes."""

from collections import OrderedDict
from typing import Any, cast

from gevent.event import AsyncResult
from redis.exceptions import ResponseError

from seating.domain.errors import InventoryUnavailable
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisUnavailable
from seating.redis_store.event_scripts import MissingInventory


class Plans:
    """Keeps plans of at most `max_seats` seats together (about 300 bytes a seat), least recently used go first."""

    def __init__(self, calls: Calls, max_seats: int = 500_000) -> None:
        self._calls = calls
        self._max_seats = max_seats
        self._kept: OrderedDict[str, SeatingPlan] = OrderedDict()
        self._fetching: dict[str, AsyncResult[Any]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, event_id: str) -> SeatingPlan:
        """Raises MissingInventory where Redis has no plan, InventoryUnavailable where it does not answer."""
        plan = self._kept.get(event_id)
        if plan is None:
            return self._fetch_once(event_id)
        self._kept.move_to_end(event_id)
        return plan

    def _fetch_once(self, event_id: str) -> SeatingPlan:
        """Whoever comes meanwhile shares the outcome: a crowd, each unpacking a large plan, would stop the process."""
        others = self._fetching.get(event_id)
        if others is not None:
            return cast(SeatingPlan, others.get())
        outcome: AsyncResult[Any] = AsyncResult()
        self._fetching[event_id] = outcome
        try:
            plan = self._kept[event_id] = self._fetch(event_id)
            self._forget_oldest()
            outcome.set(plan)
        except InventoryUnavailable as error:
            outcome.set_exception(error)
            raise
        finally:
            del self._fetching[event_id]
            if not outcome.ready():  # Whoever fetched was ended.
                outcome.set_exception(InventoryUnavailable())
        return plan

    def _fetch(self, event_id: str) -> SeatingPlan:
        try:
            packed = self._calls.command("GET", keys.plan(event_id))
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        if packed is None:
            raise MissingInventory
        return SeatingPlan.unpack(packed)

    def _forget_oldest(self) -> None:
        while len(self._kept) > 1 and sum(plan.capacity for plan in self._kept.values()) > self._max_seats:
            self._kept.popitem(last=False)
