"""Replaying a fork: what one history has beyond the record is done again on top of the record, in its own order.

Whoever was told "yours" keeps it, with the same id and receipt, unless another history has sold the seat meanwhile or
the same key has bought again.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from seating.domain import changes
from seating.domain.changes import Change
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.purchase import is_purchase_record
from seating.domain.seat_status import AVAILABLE, HELD
from seating.domain.seating_plan import SeatRange, runs_text


class Outcome(StrEnum):
    """How an entry of a fork fared."""

    REPLAYED = "replayed"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    OBSOLETE = "obsolete"
    WAITS = "waits"


class Replayed(NamedTuple):
    """`entry` is as the fork has it. `reason` says in words why it waits or was left out."""

    entry: LogEntry
    outcome: Outcome
    reason: str = ""


@dataclass(slots=True)
class Replay:
    """Goes on from `checkpoint` in `state`, those of the record. `appended` are the entries that the record gains.

    Times are in ms since 1970.
    """

    state: InventoryState
    checkpoint: Checkpoint
    now_ms: int
    seat_name: Callable[[SeatRange], str] = str
    appended: list[LogEntry] = field(default_factory=list)
    _waiting: dict[str, int] = field(default_factory=dict)
    _outcomes: list[Replayed] = field(default_factory=list)
    _extended: set[str] = field(default_factory=set)
    _purchases: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._purchases = {record.split("|")[2] for record in self.state.idempotency.values()}

    def run(self, fork: Iterable[LogEntry]) -> list[Replayed]:
        """What became of each entry of `fork`, in its order. Raises ValueError for one that cannot be read."""
        changed = [(entry, _read(entry)) for entry in fork]
        self._extended = {
            change.hold for _, change in changed if isinstance(change, changes.Extended) and self._is_ahead(change)
        }
        self._release_due()
        for entry, change in changed:
            outcome, reason = self._decide(change)
            self._outcomes.append(Replayed(entry, outcome, reason))
            if outcome is Outcome.REPLAYED:
                self._append(_original(entry, change))
            elif outcome is Outcome.WAITS and isinstance(change, changes.Purchased):
                self._waiting[str(change.original or entry.position)] = len(self._outcomes) - 1
        return self._outcomes

    def _append(self, text: str) -> None:
        entry = LogEntry.after(self.checkpoint, text)
        change = entry.read()
        assert change is not None, "it was read before"
        self.state.apply(entry, change)
        if isinstance(change, changes.Purchased):
            self._purchases.add(str(change.original or entry.position))
        self.appended.append(entry)
        self.checkpoint = Checkpoint.of(entry)

    def _release_due(self) -> None:
        """All but those that the fork extended."""
        for hold, kept in sorted(self.state.holds.items(), key=lambda item: item[1].until_ms):
            if kept.until_ms <= self.now_ms and hold not in self._extended:
                left = self.state.remaining + kept.quantity
                self._append(
                    f'{{"kind":"released","at":{self.now_ms},"hold":"{hold}","quantity":{kept.quantity},'
                    f'"left":{left},"runs":"{runs_text(kept.runs)}","expired":true}}'
                )

    def _is_ahead(self, change: changes.Held | changes.Extended) -> bool:
        return change.until_ms > self.now_ms

    def _decide(self, change: Change) -> tuple[Outcome, str]:
        state = self.state
        match change:
            case changes.Purchased():
                return self._decide_purchase(change)
            case changes.Held():
                if not self._is_ahead(change) and change.hold not in self._extended:
                    return Outcome.OBSOLETE, "the hold has lapsed"
                if change.idempotency in state.idempotency:
                    return Outcome.OBSOLETE, "its key was used for something else since"
                return self._if_free(change.runs, change.quantity, "")
            case changes.HoldChanged() | changes.Extended() | changes.Released():
                return self._decide_hold(change)
            case changes.SeatSet():
                return self._decide_seat(change)
            case changes.Cancelled():
                return self._decide_cancellation(change)
            case changes.StateSet():
                if state.state in (change.state, "closed"):
                    return Outcome.OBSOLETE, f"the sale is {state.state}"
                return Outcome.REPLAYED, ""
        return Outcome.OBSOLETE, "it began a term that is over"

    def _decide_hold(self, change: changes.HoldChanged | changes.Extended | changes.Released) -> tuple[Outcome, str]:
        own = self.state.holds.get(change.hold)
        if own is None:
            return Outcome.OBSOLETE, "the hold is not there any more"
        if isinstance(change, changes.Extended):
            return Outcome.REPLAYED, ""
        before = set(_all_places(change.runs))
        if isinstance(change, changes.HoldChanged):
            before = before.difference(_all_places(change.added)).union(_all_places(change.removed))
        if before != set(_all_places(own.runs)):
            return Outcome.OBSOLETE, "the hold has other seats"
        return self._if_free(change.added, 0, "") if isinstance(change, changes.HoldChanged) else (Outcome.REPLAYED, "")

    def _decide_purchase(self, change: changes.Purchased) -> tuple[Outcome, str]:
        kept = self.state.idempotency.get(change.idempotency)
        if kept is not None and is_purchase_record(kept):
            position, nonce = kept.split("|")[2:4]
            if nonce == change.nonce:
                return Outcome.OBSOLETE, "the record has it"
            return Outcome.SUPERSEDED, f"superseded by the purchase at {position}, which has the same key"
        own = self.state.holds.get(change.hold or "")
        if own and set(_all_places(own.runs)) != set(_all_places(change.runs)):
            return Outcome.WAITS, "its hold has other seats"
        return self._if_free(change.runs, change.quantity, change.hold)

    def _decide_seat(self, change: changes.SeatSet) -> tuple[Outcome, str]:
        now = self._status(change.runs[0])
        if now == change.status:
            return Outcome.OBSOLETE, "the seat is so already"
        if now != change.was:
            return Outcome.WAITS, f"the seat is {now}, and was {change.was}"
        return Outcome.REPLAYED, ""

    def _decide_cancellation(self, change: changes.Cancelled) -> tuple[Outcome, str]:
        position = str(change.purchase)
        if position in self.state.cancelled:
            return Outcome.OBSOLETE, "the purchase is cancelled already"
        if position in self._waiting:
            number = self._waiting.pop(position)
            self._outcomes[number] = Replayed(self._outcomes[number].entry, Outcome.CANCELLED)
            return Outcome.OBSOLETE, "the purchase has no seats"
        if position not in self._purchases:
            return Outcome.WAITS, f"there is no purchase at {position}"
        return Outcome.REPLAYED, ""

    def _if_free(self, runs: list[SeatRange], quantity: int, hold: str | None) -> tuple[Outcome, str]:
        """Whether these seats can be had: available, or held by `hold`."""
        own = self.state.holds.get(hold or "")
        if not runs:
            left = self.state.remaining + (own.quantity if own else 0)
            return (Outcome.REPLAYED, "") if left >= quantity else (Outcome.WAITS, f"only {left} seats are left")
        held = set(_all_places(own.runs)) if own else set()
        for run in runs:
            for place in _places(run):
                status = self._status(SeatRange(*place, 1))
                if status != AVAILABLE and not (status == HELD and place in held):
                    return Outcome.WAITS, f"seat {self.seat_name(SeatRange(*place, 1))} has another owner"
        return Outcome.REPLAYED, ""

    def _status(self, run: SeatRange) -> str:
        return self.state.maps[run.block][run.start : run.start + 1]


def _read(entry: LogEntry) -> Change:
    change = entry.read()
    if change is None:
        raise ValueError(f"the entry at {entry.position} cannot be read")
    return change


def _places(run: SeatRange) -> Iterator[tuple[int, int]]:
    return ((run.block, start) for start in range(run.start, run.start + run.length))


def _all_places(runs: Iterable[SeatRange]) -> Iterator[tuple[int, int]]:
    return (place for run in runs for place in _places(run))


def _original(entry: LogEntry, change: Change) -> str:
    """The entry's text; of what was answered with a position, with that."""
    answered = isinstance(change, changes.Purchased | changes.Held)
    if not answered or getattr(change, "original", None) is not None:
        return entry.change
    return f'{entry.change.removesuffix("}")},"original":"{entry.position}"}}'
