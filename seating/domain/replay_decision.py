"""Whether a change of a fork can be replayed on top of the record, which may have sold its seats since."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from seating.domain import areas, changes, seat_map
from seating.domain.changes import Change
from seating.domain.hold import Hold
from seating.domain.inventory_state import InventoryState
from seating.domain.receipt import is_purchase_record
from seating.domain.seat_status import AVAILABLE, HELD
from seating.domain.seating_plan import SeatRange, places


class Outcome(StrEnum):
    """How an entry of a fork fared."""

    REPLAYED = "replayed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    OBSOLETE = "obsolete"
    WAITS = "waits"


class Decision(NamedTuple):
    """`reason` says in words why a change waits or is left out."""

    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What changes meet in the `state` of the record."""

    state: InventoryState
    seat_name: Callable[[SeatRange], str]

    def decide(self, change: Change) -> Decision:
        """Decide about any change but a cancellation, which depends on what else of the fork was replayed."""
        state = self.state
        match change:
            case changes.Purchased():
                return self._decide_purchase(change)
            case changes.Held():
                if change.idempotency in state.idempotency:
                    return Decision(Outcome.OBSOLETE, "its key was used for something else since")
                return self._if_free(change.runs, change.quantity, "")
            case changes.HoldChanged() | changes.Extended() | changes.Released():
                return self._decide_hold(change)
            case changes.SeatSet():
                return self._decide_seats(change)
            case changes.OfferSet():
                if state.offer != change.was:
                    return Decision(Outcome.WAITS, "the record has another offer")
                return Decision(Outcome.REPLAYED)
            case changes.StateSet():
                if state.state in (change.state, "closed"):
                    return Decision(Outcome.OBSOLETE, f"the sale is {state.state}")
                return Decision(Outcome.REPLAYED)
        return Decision(Outcome.OBSOLETE, "it began a term that is over")

    def _decide_purchase(self, change: changes.Purchased) -> Decision:
        kept = self.state.idempotency.get(change.idempotency)
        if kept is not None and is_purchase_record(kept):
            position, nonce = kept.split("|")[2:4]
            # The random part of its id, so it is this very purchase, recorded by an earlier replay.
            if nonce == change.nonce:
                return Decision(Outcome.OBSOLETE, "the record has it")
            return Decision(Outcome.SUPERSEDED, f"superseded by the purchase at {position}, which has the same key")
        own = self.state.holds.get(change.hold or "")
        if own and set(places(own.runs)) != set(places(change.runs)):
            return Decision(Outcome.WAITS, "its hold has other seats")
        return self._if_free(change.runs, change.quantity, change.hold)

    def _decide_hold(self, change: changes.HoldChanged | changes.Extended | changes.Released) -> Decision:
        own = self.state.holds.get(change.hold)
        if own is None:
            return Decision(Outcome.OBSOLETE, "the hold is not there any more")
        if isinstance(change, changes.Extended):
            return Decision(Outcome.REPLAYED)
        # What the hold had in the fork before this change; the record's must be the same.
        before = set(places(change.runs))
        if isinstance(change, changes.HoldChanged):
            before = before.difference(places(change.added)).union(places(change.removed))
        if before != set(places(own.runs)):
            return Decision(Outcome.OBSOLETE, "the hold has other seats")
        if isinstance(change, changes.HoldChanged):
            return self._if_free(change.added, 0, "")
        return Decision(Outcome.REPLAYED)

    def _decide_seats(self, change: changes.SeatSet) -> Decision:
        there = self.state.remaining if change.was == AVAILABLE else areas.places(self.state.organised, change.was)
        if there < change.quantity:
            return Decision(Outcome.WAITS, f"fewer than {change.quantity} places are {change.was}")
        seats: list[tuple[str, str, str]] = []
        for run, was in change.parts():
            area = self.state.maps[run.block]
            if not areas.is_area(area):
                wanted = self.state.returned_to(run) if change.status == AVAILABLE else change.status
                seats += [(self._status(SeatRange(*place, 1)), was, wanted) for place in places([run])]
            elif areas.places(area, was) < run.length:
                return Decision(Outcome.WAITS, f"fewer than {run.length} places of area {run.block} are {was}")
        # The organiser may have done the same again after the failover.
        if seats and all(now == wanted for now, _, wanted in seats):
            return Decision(Outcome.OBSOLETE, "the seats are so already")
        for now, was, _ in seats:
            if now != was:
                return Decision(Outcome.WAITS, f"a seat is {now}, and was {was}")
        return Decision(Outcome.REPLAYED)

    def _if_free(self, runs: list[SeatRange], quantity: int, hold: str | None) -> Decision:
        """Whether these seats can be had: available, or held by `hold`."""
        taken = first_taken(self.state, self.seat_name, runs, quantity, self.state.holds.get(hold or ""))
        return Decision(Outcome.WAITS, taken) if taken else Decision(Outcome.REPLAYED)

    def _status(self, run: SeatRange) -> str:
        return self.state.maps[run.block][run.start : run.start + 1]


def first_taken(
    state: InventoryState,
    seat_name: Callable[[SeatRange], str],
    runs: Sequence[SeatRange],
    quantity: int = 0,
    own: Hold | None = None,
) -> str:
    """Return what is in the way of a buyer, in words; empty if nothing is. What is off sale or held by `own` is not.

    `quantity` is how many seats are wanted where there are no `runs`.
    """
    left = state.remaining + (own.quantity if own else 0)
    if not runs and left < quantity:
        return f"only {left} seats are left"
    held = set(places(own.runs)) if own else set()
    for run in runs:
        seats = state.maps[run.block]
        if areas.is_area(seats):
            if not own and not seat_map.can_be_had(seats, run):
                return f"fewer than {run.length} places are left of area {run.block}"
            continue
        for place in places([run]):
            seat = SeatRange(*place, 1)
            if not seat_map.can_be_had(seats, seat) and not (
                place in held and seats[seat.start : seat.start + 1] == HELD
            ):
                return f"seat {seat_name(seat)} has another owner"
    return ""
