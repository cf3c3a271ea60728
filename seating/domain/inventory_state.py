"""An inventory as its log tells it: the fold of all entries from the first one on.

What the scripts do to Redis change by change is said here once more, in the plainest way. Rebuilding writes it back,
reconciling compares it with what is there.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final

import orjson

from seating.domain import areas, changes, seat_map
from seating.domain.cancellation import Cancellation
from seating.domain.changes import Change
from seating.domain.hold import HOLD_RENDERING, Hold
from seating.domain.log_entry import LogEntry
from seating.domain.offer import Offer
from seating.domain.receipt import hold_record, is_record_of_hold, purchase_record, seats_by_buyer, without_private
from seating.domain.seat_status import AVAILABLE, BLOCKED, BOX_OFFICE, HELD, OFF_SALE, ORGANISER, SOLD
from seating.domain.seating_plan import SeatingPlan, SeatRange

_COUNTED: Final[Mapping[str, str]] = {BOX_OFFICE: "sold", ORGANISER: "held", BLOCKED: "blocked", OFF_SALE: "blocked"}


@dataclass(slots=True)
class InventoryState:
    """As Redis keeps it: `maps` has a text a block, `idempotency` the record of each accepted purchase and each hold.

    In general admission `maps` has the counts of each area; where there are no categories it has none, and `organised`
    has the counts of the organiser's places, if there ever were any. `notes` has the keys of
    holds that have ended, and until when each is refused, in ms since 1970, in the order of their ends; those that were
    over at the last change may be missing. `cancelled` has the Cancellation of each purchase that has one, by the
    purchase's position.
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
    offer: Offer | None = None
    organised: str = ""

    @classmethod
    def before_opening(cls, plan: SeatingPlan | None) -> "InventoryState":
        return cls(list(plan.empty_maps()) if plan else [])

    def dump(self) -> bytes:
        """As `load` reads it."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}
        return orjson.dumps(kept | {"offer": self.offer and self.offer.to_fields()}, default=list)

    def digest(self) -> str:
        """SHA-256 in hex of what `dump` returns, personal data left out: that may be erased from it."""
        records = {field: without_private(record) for field, record in self.idempotency.items()}
        return hashlib.sha256(replace(self, idempotency=records).dump()).hexdigest()

    @classmethod
    def load(cls, dumped: bytes) -> "InventoryState":
        kept = orjson.loads(dumped)
        state = cls(**kept)
        holds = {hold: Hold(*kept) for hold, kept in state.holds.items()}
        state.holds = {hold: kept._replace(runs=[SeatRange(*run) for run in kept.runs]) for hold, kept in holds.items()}
        state.notes = OrderedDict(state.notes)
        state.offer = Offer.from_fields(kept["offer"]) if kept.get("offer") else None
        return state

    def runs_of(self, status: str) -> list[SeatRange]:
        """Every seat of a status, each as a run of its own."""
        found = ((block, place, seat) for block, seats in enumerate(self.maps) for place, seat in enumerate(seats))
        return [SeatRange(block, place, 1) for block, place, seat in found if seat == status]

    def cancellation(self, purchase: str) -> Cancellation | None:
        """What is cancelled of the purchase at this position; None for nothing."""
        kept = self.cancelled.get(purchase)
        return Cancellation.parse(kept) if kept is not None else None

    @property
    def remaining(self) -> int:
        return self.capacity - self.sold - self.held - self.blocked

    @property
    def buyers(self) -> dict[str, int]:
        """How many seats each buyer has whom a shop named, by the hash of caller and buyer; erased ones have none."""
        return seats_by_buyer(self.idempotency.values(), self.cancelled)

    @property
    def longest_runs(self) -> str:
        """A character a block: `0` to `9`, and `:` for `LONGEST_RUN`; none in general admission."""
        blocks = (seats for seats in self.maps if not areas.is_area(seats))
        return "".join(chr(ord("0") + seat_map.longest_run(seats)) for seats in blocks)

    def apply(self, entry: LogEntry, change: Change) -> None:
        """`change` is what `entry` says."""
        self._refuse_unknown_seats(change)
        match change:
            case changes.Opened():
                self.capacity = change.capacity
                self.state = change.state
                self._open(change.offer)
            case changes.OfferSet():
                self._set_offer(change.offer)
            case changes.Purchased():
                was = self._sold_from(change)  # Before `_end` forgets the hold.
                self.sold += change.quantity
                if change.hold is not None:
                    self._end(change.hold, change.at_ms)
                self.take(change.runs, was, SOLD)
                self.idempotency[change.idempotency] = purchase_record(entry, change)
            case changes.Held():
                self.held += change.quantity
                if change.idempotency:
                    self.idempotency[change.idempotency] = hold_record(change.original or entry.position, change)
                # Records of versions before stay when the hold ends.
                key = (change.idempotency if change.rendering == HOLD_RENDERING else "", change.note_ms)
                self.holds[change.hold] = Hold(change.at_ms, change.until_ms, change.quantity, change.runs, *key)
                self.take(change.runs, AVAILABLE, HELD)
            case changes.HoldChanged() if change.hold in self.holds:
                hold = self.holds[change.hold]
                self.held += change.quantity - hold.quantity
                self.holds[change.hold] = hold._replace(quantity=change.quantity, runs=change.runs)
                self.give_back(change.removed, HELD)
                self.take(change.added, AVAILABLE, HELD)
            case changes.Extended() if change.hold in self.holds:
                self.holds[change.hold] = self.holds[change.hold]._replace(until_ms=change.until_ms)
            case changes.Released():
                self._end(change.hold, change.at_ms)
                self.give_back(change.runs, HELD)
            case changes.SeatSet():
                # General admission without areas: there are no runs, only a number.
                if change.quantity:
                    self.set_places(change.was, change.status, change.quantity)
                for run, was in change.parts():
                    self.set_seats([run], was, self.returned_to(run) if change.status == AVAILABLE else change.status)
            case changes.Cancelled():
                self.sold -= change.quantity
                self.give_back(change.runs, SOLD)
                purchase = str(change.purchase)
                self.cancelled[purchase] = str(Cancellation.after(self.cancellation(purchase), change))
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
            # Its record may be of something newer that the key was used for.
            if is_record_of_hold(self.idempotency.get(kept.field, ""), hold):
                del self.idempotency[kept.field]
            self.notes[kept.field] = at_ms + kept.note_ms
            self.notes.move_to_end(kept.field)
        # In the order of their ends, so the first one that is not over ends the search.
        while self.notes and next(iter(self.notes.values())) <= at_ms:
            self.notes.popitem(last=False)

    def _open(self, offer: Offer | None) -> None:
        if offer and not self.maps:
            self.maps = [areas.new_area(category.capacity or 0) for category in offer.categories]
        self._set_offer(offer)

    def _set_offer(self, offer: Offer | None) -> None:
        """What can be had of a category that is off sale is blocked, and comes back with it."""
        self.offer = offer
        for block, seats in enumerate(self.maps):
            was, status = (AVAILABLE, OFF_SALE) if offer and offer.is_off_sale(block) else (OFF_SALE, AVAILABLE)
            changed = seat_map.count(seats, was)
            self.blocked += changed if status == OFF_SALE else -changed
            self.maps[block] = seat_map.replace(seats, was, status)

    def take(self, runs: list[SeatRange], was: str, status: str) -> None:
        """Gives seats to a buyer. Those off sale are no longer blocked: only a history that was lost has sold them."""
        if was == AVAILABLE and self.offer:
            self.blocked -= sum(seat_map.taken_off_sale(self.maps[run.block], run) for run in runs)
        self._mark(runs, was, status)

    def give_back(self, runs: list[SeatRange], was: str) -> None:
        """The seats of a buyer return: available, or blocked where their category is off sale."""
        for run in runs:
            status = self.returned_to(run)
            self._count(status, run.length)
            self._mark([run], was, status)

    def off_sale_of(self, runs: Iterable[SeatRange]) -> list[SeatRange]:
        """Those of `runs` that cannot be had when they return, since their category is off sale."""
        return self.offer.off_sale_of(runs) if self.offer else []

    def returned_to(self, run: SeatRange) -> str:
        return OFF_SALE if self.off_sale_of([run]) else AVAILABLE

    def set_places(self, was: str, status: str, quantity: int) -> None:
        """Places of an event without areas become what the organiser wants. Raises IndexError."""
        self.organised = areas.organise(self.organised, was, status, quantity)
        self._recount(was, status, quantity)

    def set_seats(self, runs: list[SeatRange], was: str, status: str) -> None:
        """Seats that no buyer has become what the organiser wants."""
        self._recount(was, status, sum(run.length for run in runs))
        self._mark(runs, was, status)

    def _recount(self, was: str, status: str, seats: int) -> None:
        self._count(was, -seats)
        self._count(status, seats)

    def _sold_from(self, purchase: changes.Purchased) -> str:
        """What the seats are until then. A lost history may have sold them from a hold that has lapsed here."""
        return HELD if purchase.hold in self.holds else AVAILABLE

    def _refuse_unknown_seats(self, change: Change) -> None:
        for block, start, length in getattr(change, "runs", ()):
            if start + length > len(self.maps[block]) and not areas.is_area(self.maps[block]):
                raise IndexError(f"block {block} has no seats {start} to {start + length}")
        if self.maps and areas.is_area(self.maps[0]):
            # Try on a copy first: an area without enough places must not leave a change half applied.
            moved = list(self.maps)
            for (block, _, length), was, status in self._moves(change):
                moved[block] = areas.move(moved[block], was, status, length)

    def _moves(self, change: Change) -> Iterable[tuple[SeatRange, str, str]]:
        """Each run that changes, what it was and, but for its category being off sale, what it becomes."""
        match change:
            case changes.Purchased():
                return [(run, self._sold_from(change), SOLD) for run in change.runs]
            case changes.Held():
                return [(run, AVAILABLE, HELD) for run in change.runs]
            case changes.HoldChanged() if change.hold in self.holds:
                removed = [(run, HELD, AVAILABLE) for run in change.removed]
                return [*removed, *((run, AVAILABLE, HELD) for run in change.added)]
            case changes.Released():
                return [(run, HELD, AVAILABLE) for run in change.runs]
            case changes.SeatSet():
                return [(run, was, change.status) for run, was in change.parts()]
            case changes.Cancelled():
                return [(run, SOLD, AVAILABLE) for run in change.runs]
        return ()

    def _count(self, status: str, seats: int) -> None:
        counter = _COUNTED.get(status)
        if counter:
            setattr(self, counter, getattr(self, counter) + seats)

    def _mark(self, runs: list[SeatRange], was: str, status: str) -> None:
        for run in runs:
            self.maps[run.block] = seat_map.mark(self.maps[run.block], run, was, status)
