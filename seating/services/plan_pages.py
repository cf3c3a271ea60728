"""What the page gets of a plan, rendered once a process."""

from collections import OrderedDict
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from seating.domain import plan_page
from seating.domain.errors import PlanNotFound
from seating.domain.plan_page import PlanPage
from seating.services.seat_names import SeatNames
from seating.storage.database import Offload

_MOST_BYTES: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class PlanPages:
    """Keeps pages of 32 MB together, least recently used go first. `offload` is for the rendering."""

    names: SeatNames
    offload: Offload
    _kept: OrderedDict[str, PlanPage] = field(default_factory=OrderedDict)

    def of(self, event_id: str) -> PlanPage:
        """Raises PlanNotFound in general admission, EventNotFound, InventoryUnavailable."""
        if event_id not in self._kept:
            plan = self.names.plan(event_id)
            if plan is None:
                raise PlanNotFound
            self._kept[event_id] = self.offload(partial(plan_page.render, plan))
        page = self._kept[event_id]
        self._kept.move_to_end(event_id)
        while len(self._kept) > 1 and sum(len(kept.gzipped) for kept in self._kept.values()) > _MOST_BYTES:
            self._kept.popitem(last=False)
        return page
