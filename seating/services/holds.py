"""Holding seats for a buyer for a while, holding them longer, and giving them back."""

from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.hold import HeldRecord, HoldOrder, new_token, token_of_key
from seating.domain.idempotency import short_hash
from seating.redis_store.holds import HoldStore
from seating.services.event_changes import EventChanges
from seating.services.seat_names import SeatNames


class HeldSeats(NamedTuple):
    """`seats` are ids, none in general admission."""

    token: str
    record: HeldRecord
    seats: list[str]
    replayed: bool


@dataclass(frozen=True, slots=True)
class Holds:
    """Raises EventNotFound, InventoryUnavailable, OutcomeUnknown beside what is said of each."""

    store: HoldStore
    names: SeatNames
    changes: EventChanges

    def hold(
        self, event_id: str, caller: str, holder: str, key: str | None, order: HoldOrder, *, is_shop: bool = False
    ) -> HeldSeats:
        """Holds `order`, once for each key that the caller uses.

        `holder` is whose seats are bounded: a shop or, for callers without a name, the client's address. Raises
        SoldOut, NotTogether, SeatNotFound, SeatUnavailable, NotOnSale, TooManyHeld, IdempotencyKeyReused, BacklogFull.
        """
        token = new_token() if key is None else token_of_key(event_id, caller, key)
        idempotency = "" if key is None else short_hash(caller, key)
        runs = self.names.runs(event_id, order.seats)
        with self.changes.of(event_id) as change:
            whose = short_hash(event_id, holder)
            record, replayed = self.store.hold(event_id, token, whose, order, runs, idempotency, is_shop=is_shop)
        change.reached(record.position)
        return HeldSeats(token, record, self.names.names(event_id, record.runs), replayed)

    def extend(self, event_id: str, token: str) -> HeldSeats:
        """Raises HoldExpired, BacklogFull."""
        with self.changes.of(event_id) as change:
            record = self.store.extend(event_id, token)
        change.reached(record.position)
        return HeldSeats(token, record, self.names.names(event_id, record.runs), replayed=False)

    def release(self, event_id: str, token: str) -> None:
        """Raises HoldExpired."""
        with self.changes.of(event_id) as change:
            position = self.store.release(event_id, token)
        change.reached(position)
