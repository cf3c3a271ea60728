"""Holding seats for a buyer for a while, holding them longer, and giving them back."""

from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.hold import HeldRecord, HoldOrder, new_token, token_of_key
from seating.domain.idempotency import short_hash
from seating.domain.offer import SoldAs
from seating.redis_store.holds import HoldStore
from seating.services.event_changes import EventChanges
from seating.services.offers import Offers
from seating.services.seat_names import SeatNames


class HeldSeats(NamedTuple):
    """`seats` are ids, none in general admission.

    `sold_as` is what they would be sold as now, None for an event without categories.
    """

    token: str
    record: HeldRecord
    seats: list[str]
    replayed: bool
    sold_as: SoldAs | None


@dataclass(frozen=True, slots=True)
class Holds:
    """Raises EventNotFound, InventoryUnavailable, OutcomeUnknown beside what is said of each."""

    store: HoldStore
    names: SeatNames
    changes: EventChanges
    offers: Offers

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
        within = self.offers.within(event_id, order)
        with self.changes.of(event_id) as change:
            whose = short_hash(event_id, holder)
            record, replayed = self.store.hold(
                event_id, token, whose, order, runs, idempotency, is_shop=is_shop, within=within
            )
        change.reached(record.position)
        return self._held(event_id, token, record, replayed=replayed)

    def extend(self, event_id: str, token: str) -> HeldSeats:
        """Raises HoldExpired, BacklogFull."""
        with self.changes.of(event_id) as change:
            record = self.store.extend(event_id, token)
        change.reached(record.position)
        return self._held(event_id, token, record, replayed=False)

    def release(self, event_id: str, token: str) -> None:
        """Raises HoldExpired."""
        with self.changes.of(event_id) as change:
            position = self.store.release(event_id, token)
        change.reached(position)

    def _held(self, event_id: str, token: str, record: HeldRecord, *, replayed: bool) -> HeldSeats:
        seats, sold_as = self.offers.named(event_id, record.runs, record.tariff, record.currency)
        return HeldSeats(token, record, seats, replayed, sold_as)
