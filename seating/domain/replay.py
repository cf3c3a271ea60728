"""Replaying a fork: what one history has beyond the record is done again on top of the record, in its own order.

Whoever was told "yours" keeps it, with the same id and receipt, unless another history has sold the seat meanwhile or
the same key has bought again.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from seating.domain import changes
from seating.domain.cancellation import Bought
from seating.domain.change_json import change_json
from seating.domain.changes import Change
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.receipt import is_purchase_record
from seating.domain.replay_decision import Conditions, Decision, Outcome
from seating.domain.seat_status import AVAILABLE
from seating.domain.seating_plan import SeatRange


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
    _waiting_parts: dict[str, list[int]] = field(default_factory=dict)
    _outcomes: list[Replayed] = field(default_factory=list)
    _extended: set[str] = field(default_factory=set)
    _purchases: dict[str, Bought] = field(default_factory=dict)

    def run(self, fork: Iterable[LogEntry]) -> list[Replayed]:
        """What became of each entry of `fork`, in its order. Raises ValueError for one that cannot be read."""
        changed = [(entry, _read(entry)) for entry in fork]
        if changed:  # Mostly there is no fork, and the record has many purchases.
            self._purchases = self._recorded()
        # The record has not seen these extensions, and would let the holds lapse.
        self._extended = {
            change.hold for _, change in changed if isinstance(change, changes.Extended) and self._is_ahead(change)
        }
        # First, so that the fork's purchases find the seats of lapsed holds free.
        self._release_due()
        for entry, change in changed:
            outcome, reason = self._decide(change)
            self._outcomes.append(Replayed(entry, outcome, reason))
            if outcome is Outcome.REPLAYED:
                self._append(self._text(entry, change), entry.private)
            elif outcome is Outcome.WAITS and isinstance(change, changes.Purchased):
                self._waiting[str(change.original or entry.position)] = len(self._outcomes) - 1
            elif outcome is Outcome.WAITS and isinstance(change, changes.Cancelled):
                self._waiting_parts.setdefault(str(change.purchase), []).append(len(self._outcomes) - 1)
        return self._outcomes

    def _recorded(self) -> dict[str, Bought]:
        """What each purchase of the record bought, by its position."""
        records = (record.split("|") for record in self.state.idempotency.values() if is_purchase_record(record))
        return {parts[2]: Bought(int(parts[4]), SeatRange.parse_all(parts[6])) for parts in records}

    def _append(self, text: str, private: str | None = None) -> None:
        entry = LogEntry.after(self.checkpoint, text, private=private)
        change = entry.read()
        assert change is not None, "it was read before"
        self.state.apply(entry, change)
        if isinstance(change, changes.Purchased):
            self._purchases[str(change.original or entry.position)] = Bought(change.quantity, change.runs)
        self.appended.append(entry)
        self.checkpoint = Checkpoint.of(entry)

    def _release_due(self) -> None:
        """All but those that the fork extended."""
        for hold, kept in sorted(self.state.holds.items(), key=lambda item: item[1].until_ms):
            if kept.until_ms <= self.now_ms and hold not in self._extended:
                left, off_sale = self._returned(kept.quantity, kept.runs)
                released = changes.Released(self.now_ms, hold, kept.quantity, left, kept.runs, True, off_sale)
                self._append(change_json(released))

    def _returned(self, quantity: int, runs: Sequence[SeatRange]) -> tuple[int, list[SeatRange]]:
        """How many seats are left once these are given back, and which of them are off sale then."""
        off_sale = self.state.off_sale_of(runs)
        return self.state.remaining + quantity - sum(run.length for run in off_sale), off_sale

    def _is_ahead(self, change: changes.Held | changes.Extended) -> bool:
        return change.until_ms > self.now_ms

    def _decide(self, change: Change) -> Decision:
        match change:
            case changes.Cancelled():
                return self._decide_cancellation(change)
            case changes.Held() if not self._is_ahead(change) and change.hold not in self._extended:
                return Decision(Outcome.OBSOLETE, "the hold has lapsed")
        return Conditions(self.state, self.seat_name).decide(change)

    def _decide_cancellation(self, change: changes.Cancelled) -> Decision:
        position = str(change.purchase)
        if position in self._waiting and change.remaining:
            return Decision(Outcome.WAITS, "its purchase has no seats")
        if position in self._waiting:
            number = self._waiting.pop(position)
            self._outcomes[number] = Replayed(self._outcomes[number].entry, Outcome.CANCELLED)
            for part in self._waiting_parts.pop(position, ()):
                self._outcomes[part] = Replayed(self._outcomes[part].entry, Outcome.OBSOLETE, "all was cancelled later")
            return Decision(Outcome.OBSOLETE, "the purchase has no seats")
        if position not in self._purchases:
            return Decision(Outcome.WAITS, f"there is no purchase at {position}")
        if not self._left_to_cancel(change).quantity:
            return Decision(Outcome.OBSOLETE, "that is cancelled already")
        return Decision(Outcome.REPLAYED)

    def _left_to_cancel(self, change: changes.Cancelled) -> Bought:
        """What the record has not cancelled of what the fork did."""
        bought = self._purchases[str(change.purchase)]
        gone = Bought(bought.quantity - change.remaining, change.runs)
        return bought.to_cancel(gone.as_part(), self.state.cancellation(str(change.purchase)))

    def _text(self, entry: LogEntry, change: Change) -> str:
        """What the record gains for `entry`; of a cancellation, what is left of it to do.

        What returns is off sale by the record's offer, not the fork's.
        """
        match change:
            case changes.HoldChanged() | changes.Released() | changes.SeatSet():
                return self._text_of_return(entry, change)
            case changes.Cancelled():
                return self._text_of_cancellation(entry, change)
        return _original(entry, change)

    def _text_of_return(self, entry: LogEntry, change: changes.HoldChanged | changes.Released | changes.SeatSet) -> str:
        if isinstance(change, changes.HoldChanged):
            fewer = self.state.holds[change.hold].quantity - change.quantity
            left, off_sale = self._returned(fewer, change.removed)
        elif isinstance(change, changes.Released):
            left, off_sale = self._returned(change.quantity, change.runs)
        elif change.status == AVAILABLE:
            left, off_sale = self._returned(sum(run.length for run in change.runs), change.runs)
            left -= sum(run.length for run, was in change.parts() if was == AVAILABLE)
        else:
            return entry.change
        if off_sale == change.off_sale:
            return entry.change
        return change_json(replace(change, left=left, off_sale=off_sale))

    def _text_of_cancellation(self, entry: LogEntry, change: changes.Cancelled) -> str:
        quantity, runs = self._left_to_cancel(change)
        purchase = str(change.purchase)
        standing = self._purchases[purchase].standing(self.state.cancellation(purchase)).quantity - quantity
        left, off_sale = self._returned(quantity, runs)
        if (quantity, standing, off_sale) == (change.quantity, change.remaining, change.off_sale):
            return entry.change
        less = replace(change, quantity=quantity, left=left, runs=list(runs), remaining=standing, off_sale=off_sale)
        return change_json(less)


def _read(entry: LogEntry) -> Change:
    change = entry.read()
    if change is None:
        raise ValueError(f"the entry at {entry.position} cannot be read")
    return change


def _original(entry: LogEntry, change: Change) -> str:
    """The entry's text; of what was answered with a position, with that."""
    answered = isinstance(change, changes.Purchased | changes.Held)
    if not answered or getattr(change, "original", None) is not None:
        return entry.change
    # Not parsed and written anew: that would drop fields that this version does not know.
    return f'{entry.change.removesuffix("}")},"original":"{entry.position}"}}'
