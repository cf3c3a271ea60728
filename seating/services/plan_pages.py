"""Rendered seating plans, cached per process."""

import gzip
from functools import partial
from typing import Final

from seating.domain import plan_page
from seating.domain.errors import NotOnSale, PlanNotFound
from seating.domain.plan_page import PlanPage
from seating.domain.seating_plan import SeatingPlan
from seating.memo import Memo
from seating.services.seat_names import SeatNames
from seating.storage.database import Offload

_MOST_BYTES: Final = 32_000_000


class PlanPages:
    """Keeps up to 32 MB of pages, dropping the least recently used. `offload` runs rendering and decompression."""

    def __init__(self, names: SeatNames, offload: Offload) -> None:
        self._names = names
        self._offload = offload
        self._kept = Memo[tuple[str, bool], PlanPage](max_weight=_MOST_BYTES, weigh=lambda page: len(page.body))

    def of(self, event_id: str, *, gzipped: bool = True) -> PlanPage:
        """Return an event's page. Raises PlanNotFound in general admission, EventNotFound, InventoryUnavailable."""
        make = self._render if gzipped else self._decompress
        return self._kept.get((event_id, gzipped), partial(make, event_id))

    def _render(self, event_id: str) -> PlanPage:
        plan = self._plan(event_id)
        if plan is None:
            raise PlanNotFound
        page: PlanPage = self._offload(partial(plan_page.render, plan))
        return page

    def _plan(self, event_id: str) -> SeatingPlan | None:
        try:
            return self._names.plan(event_id)
        except NotOnSale:  # It was archived: only SQL has it.
            return self._names.recorded_plan(event_id)

    def _decompress(self, event_id: str) -> PlanPage:
        page = self.of(event_id)
        return page._replace(body=self._offload(partial(gzip.decompress, page.body)))
