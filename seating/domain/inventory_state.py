"""An inventory as its log tells it: the fold of all entries from the first one on.

What the scripts do to Redis change by change is said here once more, in the plainest way. Rebuilding writes it back,
reconciling compares it with what is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from seating.domain import changes
from seating.domain.changes import Change
from seating.domain.hold import Hold
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, HELD, ORGANISER, SOLD
from seating.domain.seating_plan import ROW_BREAK, Run, SeatingPlan, runs_text

LONGEST_RUN = 10
"""Longer runs of free seats need not be told apart: nobody buys more at once."""

_COUNTED: Final[Mapping[str, str]] = {BOX_OFFICE: "sold", ORGANISER: "held", BLOCKED: "blocked"}


@dataclass(slots=True)
class InventoryState:
    """`maps` has a text a block, `idempotency` the record of each accepted purchase; both as Redis keeps them."""

    maps: list[str]
    capacity: int = 0
    state: str = "on_sale"
    sold: int = 0
    held: int = 0
    blocked: int = 0
    updated_ms: int = 0
    idempotency: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    cancelled: set[int] = field(default_factory=set)

    @classmethod
    def before_opening(cls, plan: SeatingPlan | None) -> "InventoryState":
        return cls(list(plan.empty_maps()) if plan else [])

    @property
    def longest_runs(self) -> str:
        """A character a block: `0` to `9`, and `:` for `LONGEST_RUN`."""
        return "".join(chr(ord("0") + _longest_run(seats)) for seats in self.maps)

    def apply(self, entry: LogEntry, change: Change) -> None:
        """`change` is what `entry` says."""
        self._refuse_unknown_seats(getattr(change, "runs", ()))
        match change:
            case changes.Opened():
                self.capacity = change.capacity
            case changes.Purchased():
                self.sold += change.quantity
                if change.hold is not None:
                    self._end(change.hold)
                self._mark(change.runs, SOLD)
                self.idempotency[change.idempotency] = _record(entry.position, change)
            case changes.Held():
                self.held += change.quantity
                self.holds[change.hold] = Hold(change.at_ms, change.until_ms, change.quantity, change.runs)
                self._mark(change.runs, HELD)
                if change.idempotency:
                    self.idempotency[change.idempotency] = _hold_record(entry.position, change)
            case changes.Extended() if change.hold in self.holds:
                self.holds[change.hold] = self.holds[change.hold]._replace(until_ms=change.until_ms)
            case changes.Released():
                self._end(change.hold)
                self._mark(change.runs, AVAILABLE)
            case changes.SeatSet():
                self._count(change.was, -1)
                self._count(change.status, 1)
                self._mark(change.runs, change.status)
            case changes.Cancelled():
                self.sold -= change.quantity
                self._mark(change.runs, AVAILABLE)
                self.cancelled.add(change.purchase.seq)
            case changes.StateSet():
                self.state = change.state
        self.updated_ms = change.at_ms

    def _end(self, hold: str) -> None:
        """A hold that is not there was in an entry that could not be read."""
        kept = self.holds.pop(hold, None)
        if kept is not None:
            self.held -= kept.quantity

    def _refuse_unknown_seats(self, runs: Iterable[Run]) -> None:
        for block, start, length in runs:
            if start + length > len(self.maps[block]):
                raise IndexError(f"block {block} has no seats {start} to {start + length}")

    def _count(self, status: str, seats: int) -> None:
        counter = _COUNTED.get(status)
        if counter:
            setattr(self, counter, getattr(self, counter) + seats)

    def _mark(self, runs: list[Run], status: str) -> None:
        for block, start, length in runs:
            seats = self.maps[block]
            self.maps[block] = seats[:start] + status * length + seats[start + length :]


def _record(position: Position, change: changes.Purchased) -> str:
    """As purchase.lua writes it."""
    parts = (change.rendering, change.fingerprint, position, change.nonce, change.quantity, change.left)
    return "|".join(map(str, (*parts, runs_text(change.runs))))


def _hold_record(position: Position, change: changes.Held) -> str:
    """As hold.lua writes it."""
    parts = (change.rendering, change.fingerprint, position, change.until_ms, change.quantity)
    return "|".join(map(str, (*parts, runs_text(change.runs))))


def _longest_run(seats: str) -> int:
    free = seats.translate({ord(status): ROW_BREAK for status in set(seats) - {AVAILABLE}})
    return min(LONGEST_RUN, max(map(len, free.split(ROW_BREAK))))
