"""The JSON documents of seating plans, cached per process."""

import gzip
from functools import partial
from typing import Final

from seating.domain import plan_document
from seating.domain.errors import NotOnSale, PlanNotFound
from seating.domain.plan_document import PlanDocument
from seating.domain.seating_plan import SeatingPlan
from seating.memo import Memo
from seating.services.seat_names import SeatNames
from seating.storage.database import Offload

_MOST_BYTES: Final = 32_000_000


class PlanDocuments:
    """Keeps up to 32 MB of documents, dropping the least recently used. `offload` runs rendering and decompression."""

    def __init__(self, names: SeatNames, offload: Offload) -> None:
        self._names = names
        self._offload = offload
        self._kept = Memo[tuple[str, bool], PlanDocument](max_weight=_MOST_BYTES, weigh=lambda kept: len(kept.body))

    def of(self, event_id: str, *, gzipped: bool = True) -> PlanDocument:
        """Return an event's document. Raises PlanNotFound in general admission, EventNotFound, InventoryUnavailable."""
        # Nearly all clients take gzip, so that form is made first and the other one from it.
        make = self._render if gzipped else self._decompress
        return self._kept.get((event_id, gzipped), partial(make, event_id))

    def _render(self, event_id: str) -> PlanDocument:
        plan = self._plan(event_id)
        if plan is None:
            raise PlanNotFound
        document: PlanDocument = self._offload(partial(plan_document.render, plan))
        return document

    def _plan(self, event_id: str) -> SeatingPlan | None:
        try:
            return self._names.plan(event_id)
        except NotOnSale:  # It was archived: only SQL has it.
            return self._names.recorded_plan(event_id)

    def _decompress(self, event_id: str) -> PlanDocument:
        document = self.of(event_id)
        return document._replace(body=self._offload(partial(gzip.decompress, document.body)))
