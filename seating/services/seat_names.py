"""Translates seat ids to places in an event's maps, and back."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

import structlog

from seating.domain.errors import InventoryUnavailable, SeatNotFound
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.memo import Memo
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.inventory import Inventory
from seating.redis_store.plans import Plans, UnreadablePlan
from seating.services.missing_event import MissingEvent
from seating.storage import events
from seating.storage.database import Database

_T = TypeVar("_T")

_MOST_RECORDED_SEATS: Final = 200_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SeatNames:
    plans: Plans
    inventory: Inventory
    database: Database
    presence: MissingEvent
    _recorded: Memo[str, SeatingPlan] = field(
        default_factory=lambda: Memo(max_weight=_MOST_RECORDED_SEATS, weigh=lambda plan: plan.capacity)
    )

    def plan(self, event_id: str) -> SeatingPlan | None:
        """Return an open event's plan; None in general admission. Raises as `of_open`."""
        return self.of_open(event_id, self._open_plan)

    def of_open(self, event_id: str, read: Callable[[str], _T]) -> _T | None:
        """Return what `read` finds of an open event; None if the event has no such thing (MissingInventory).

        Raises EventNotFound, and InventoryUnavailable without an inventory: then nobody knows what the event has.
        """
        with suppress(MissingInventory):
            return read(event_id)
        if self.inventory.read(event_id) is None:
            raise self.presence.absence_of(event_id)
        # A rebuild may have ended between the two reads.
        with suppress(MissingInventory):
            return read(event_id)
        return None

    def runs(self, event_id: str, seats: Sequence[str]) -> list[SeatRange]:
        """Return the places of these seats. Raises SeatNotFound, InvalidRequest for a repeated seat, EventNotFound."""
        if not seats:
            return []
        plan = self.plan(event_id)
        if plan is None:
            raise SeatNotFound(seats=list(seats))
        return plan.runs_of(seats)

    def names(self, event_id: str, runs: Sequence[SeatRange]) -> list[str]:
        """Return the ids of the seats in `runs`, even of an archived event."""
        return self.any_plan(event_id).seats_of(runs) if runs else []

    def any_plan(self, event_id: str) -> SeatingPlan:
        """Return the plan of an open or archived event, from SQL if Redis does not answer.

        Raises MissingInventory in general admission.
        """
        try:
            return self._open_plan(event_id)
        except InventoryUnavailable:
            return self._recorded_plan(event_id)

    def recorded_plan(self, event_id: str) -> SeatingPlan | None:
        """As SQL has it; None in general admission."""
        with suppress(MissingInventory):
            return self._recorded_plan(event_id)
        return None

    def _open_plan(self, event_id: str) -> SeatingPlan:
        try:
            return self.plans.of(event_id)
        except UnreadablePlan as error:
            _log.error("plan unreadable", event_id=event_id, error=repr(error.__cause__))
            plan = self._recorded_plan(event_id)
            # The plan never changes, so SQL's copy is as good as what Redis had.
            self.plans.restore(event_id, plan)
            return plan

    def _recorded_plan(self, event_id: str) -> SeatingPlan:
        return self._recorded.get(event_id, partial(self._plan_on_record, event_id))

    def _plan_on_record(self, event_id: str) -> SeatingPlan:
        plan = self.database.read(events.plan_of, event_id)
        if plan is None:
            raise MissingInventory
        return plan
