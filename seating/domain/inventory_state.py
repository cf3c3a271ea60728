"""An inventory as its log tells it: the fold of all entries from the first one on.

What the scripts do to Redis change by change is said here once more, in the plainest way. Rebuilding writes it back,
reconciling compares it with what is there.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final

import orjson

from seating.domain import changes
from seating.domain.changes import Change
from seating.domain.hold import HOLD_RENDERING, Hold
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import shop_members
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, HELD, ORGANISER, SOLD
from seating.domain.seating_plan import ROW_BREAK, SeatingPlan, SeatRange, runs_text

LONGEST_RUN = 10
"""Longer runs of free seats need not be told apart: nobody buys more at once."""

_COUNTED: Final[Mapping[str, str]] = {BOX_OFFICE: "sold", ORGANISER: "held", BLOCKED: "blocked"}


@dataclass(slots=True)
class InventoryState:
    """As Redis keeps it: `maps` has a text a block, `idempotency` the record of each accepted purchase and each hold.

    `notes` has the keys of holds that have ended, and until when each is refused, in ms since 1970, in the order of
    their ends; those that were over at the last change may be missing. `cancelled` has when each cancelled purchase,
    named by its position, was taken back, and the seats left then.
    """

    maps: list[str]
    capacity: int = 0
    state: str = "on_sale"
    sold: int = 0
    held: int = 0
    blocked: int = 0
    updated_ms: int = 0
    idempotency: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    notes: OrderedDict[str, int] = field(default_factory=OrderedDict)
    cancelled: dict[str, str] = field(default_factory=dict)

    @classmethod
    def before_opening(cls, plan: SeatingPlan | None) -> "InventoryState":
        return cls(list(plan.empty_maps()) if plan else [])

    def dump(self) -> bytes:
        """As `load` reads it."""
        return orjson.dumps({field.name: getattr(self, field.name) for field in fields(self)}, default=list)

    @classmethod
    def load(cls, dumped: bytes) -> "InventoryState":
        state = cls(**orjson.loads(dumped))
        holds = {hold: Hold(*kept) for hold, kept in state.holds.items()}
        state.holds = {hold: kept._replace(runs=[SeatRange(*run) for run in kept.runs]) for hold, kept in holds.items()}
        state.notes = OrderedDict(state.notes)
        return state

    def runs_of(self, status: str) -> list[SeatRange]:
        """Every seat of a status, each as a run of its own."""
        return [
            SeatRange(block, place, 1)
            for block, seats in enumerate(self.maps)
            for place, found in enumerate(seats)
            if found == status
        ]

    @property
    def remaining(self) -> int:
        return self.capacity - self.sold - self.held - self.blocked

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
                    self._end(change.hold, change.at_ms)
                self._mark(change.runs, SOLD)
                self.idempotency[change.idempotency] = purchase_record(change.original or entry.position, change)
            case changes.Held():
                self.held += change.quantity
                if change.idempotency:
                    self.idempotency[change.idempotency] = _hold_record(change.original or entry.position, change)
                # Records of versions before stay when the hold ends.
                key = (change.idempotency if change.rendering == HOLD_RENDERING else "", change.note_ms)
                self.holds[change.hold] = Hold(change.at_ms, change.until_ms, change.quantity, change.runs, *key)
                self._mark(change.runs, HELD)
            case changes.HoldChanged() if change.hold in self.holds:
                hold = self.holds[change.hold]
                self.held += change.quantity - hold.quantity
                self.holds[change.hold] = hold._replace(quantity=change.quantity, runs=change.runs)
                self._mark(change.removed, AVAILABLE)
                self._mark(change.added, HELD)
            case changes.Extended() if change.hold in self.holds:
                self.holds[change.hold] = self.holds[change.hold]._replace(until_ms=change.until_ms)
            case changes.Released():
                self._end(change.hold, change.at_ms)
                self._mark(change.runs, AVAILABLE)
            case changes.SeatSet():
                self._count(change.was, -1)
                self._count(change.status, 1)
                self._mark(change.runs, change.status)
            case changes.Cancelled():
                self.sold -= change.quantity
                self._mark(change.runs, AVAILABLE)
                self.cancelled[str(change.purchase)] = f"{change.at_ms}|{change.left}"
            case changes.StateSet():
                self.state = change.state
        self.updated_ms = change.at_ms

    def _end(self, hold: str, at_ms: int) -> None:
        """A hold that is not there was in an entry that could not be read."""
        kept = self.holds.pop(hold, None)
        if kept is None:
            return
        self.held -= kept.quantity
        if kept.field:
            if is_record_of_hold(self.idempotency.get(kept.field, ""), hold):
                del self.idempotency[kept.field]
            self.notes[kept.field] = at_ms + kept.note_ms
            self.notes.move_to_end(kept.field)
        while self.notes and next(iter(self.notes.values())) <= at_ms:
            self.notes.popitem(last=False)

    def _refuse_unknown_seats(self, runs: Iterable[SeatRange]) -> None:
        for block, start, length in runs:
            if start + length > len(self.maps[block]):
                raise IndexError(f"block {block} has no seats {start} to {start + length}")

    def _count(self, status: str, seats: int) -> None:
        counter = _COUNTED.get(status)
        if counter:
            setattr(self, counter, getattr(self, counter) + seats)

    def _mark(self, runs: list[SeatRange], status: str) -> None:
        for block, start, length in runs:
            seats = self.maps[block]
            self.maps[block] = seats[:start] + status * length + seats[start + length :]


def purchase_record(position: Position, change: changes.Purchased) -> str:
    """As purchase.lua writes it."""
    parts = (change.rendering, change.fingerprint, position, change.nonce, change.quantity, change.left)
    who = shop_members(change.caller, change.reference)
    return "|".join(map(str, (*parts, runs_text(change.runs), change.at_ms, f"{{{who}}}")))


def _hold_record(position: Position, change: changes.Held) -> str:
    """As hold.lua writes it, or wrote it in versions before."""
    if change.rendering == HOLD_RENDERING:
        return f"{change.rendering}|{change.fingerprint}|{change.hold}|{change.sealed}"
    parts = (change.rendering, change.fingerprint, position, change.until_ms, change.quantity)
    return "|".join(map(str, (*parts, runs_text(change.runs))))


def is_record_of_hold(record: str, hold: str) -> bool:
    """Whether an idempotency record is that of this very hold."""
    return record.count("|") == 3 and record.split("|")[2] == hold


def _longest_run(seats: str) -> int:
    free = seats.translate({ord(status): ROW_BREAK for status in set(seats) - {AVAILABLE}})
    return min(LONGEST_RUN, max(map(len, free.split(ROW_BREAK))))
