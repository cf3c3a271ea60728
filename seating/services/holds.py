"""Holding seats for a buyer for a while: reading a hold, changing it, holding longer, and giving seats back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.errors import OutcomeUnknown
from seating.domain.hold import HeldRecord, HoldOutcomeUnknown, hold_id, new_token, sealed
from seating.domain.idempotency import short_hash
from seating.domain.purchase import Order, buyer_hash
from seating.domain.rate_policy import Verdict
from seating.domain.sold_as import SoldAs
from seating.redis_store.event_scripts import MissingInventory
from seating.redis_store.holds import HoldStore
from seating.redis_store.rate_limits import RateLimit
from seating.services.event_changes import EventChanges
from seating.services.offers import Offers
from seating.services.seat_names import SeatNames


class HeldSeats(NamedTuple):
    """`seats` are ids, none in general admission.

    `sold_as` is what they would be sold as now, None for an event without categories. `verdict` is what the rate limit
    said, None where it was not asked.
    """

    token: str
    record: HeldRecord
    seats: list[str]
    sold_as: SoldAs | None
    replayed: bool = False
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """Raises EventNotFound, InventoryUnavailable, OutcomeUnknown beside what is said of each."""

    store: HoldStore
    names: SeatNames
    changes: EventChanges
    offers: Offers

    def hold(
        self,
        event_id: str,
        caller: str,
        holder: str,
        key: str | None,
        order: Order,
        *,
        is_shop: bool = False,
        limit: RateLimit | None = None,
    ) -> HeldSeats:
        """Holds `order`, once for each key that the caller uses; a repetition tells the hold as it is now.

        `holder` is whose seats are bounded: a shop or, for callers without a name, the client's address. Raises
        SoldOut, NotTogether, SeatNotFound, SeatUnavailable, NotOnSale, TooManyHeld, BuyerLimit, IdempotencyKeyReused,
        BacklogFull, RateLimited, HoldExpired while the key's hold has not ended long ago, and without a key
        HoldOutcomeUnknown.
        """
        token = new_token()
        idempotency = "" if key is None else short_hash(caller, key)
        # Only those who know the key, and so may repeat the request, can read the token.
        kept = "" if key is None else sealed(token, hold_id(token), event_id, caller, key)
        runs = self.names.runs(event_id, order.seats)
        within = self.offers.within(event_id, order)
        holders = self._holders(event_id, holder, order.buyer, is_shop=is_shop)
        with self.changes.of(event_id):
            try:
                held = self.store.hold(event_id, token, holders, order, runs, idempotency, kept, limit, within)
            except OutcomeUnknown as error:
                if key is None:
                    raise HoldOutcomeUnknown from error
                raise
        self.changes.reached(event_id, held.record.position)
        if held.replayed and key is not None:
            # The seal is an XOR, so sealing opens it again.
            token = sealed(held.sealed, held.id, event_id, caller, key)
        return self._named(event_id, token, held.record)._replace(replayed=held.replayed, verdict=held.verdict)

    def get(self, event_id: str, token: str) -> HeldSeats:
        """The hold as it is now. Raises HoldExpired."""
        try:
            record = self.store.find(event_id, token)
        except MissingInventory:
            raise self.names.presence.absence_of(event_id) from None
        return self._named(event_id, token, record)

    def extend(self, event_id: str, token: str) -> HeldSeats:
        """Raises HoldExpired, BacklogFull."""
        with self.changes.of(event_id):
            record = self.store.extend(event_id, token)
        self.changes.reached(event_id, record.position)
        return self._named(event_id, token, record)

    def change(
        self,
        event_id: str,
        token: str,
        add: Sequence[str],
        remove: Sequence[str],
        limit: RateLimit | None = None,
    ) -> HeldSeats:
        """Take seats in and give others back, all or nothing; the hold lasts as long as before.

        A seat to add that is there, or to remove that is not, changes nothing: a repetition is safe. Raises
        HoldExpired, SeatNotFound, SeatUnavailable, TooManyHeld, BuyerLimit, InvalidRequest, NotOnSale, BacklogFull,
        RateLimited, RolloutInProgress.
        """
        added, removed = self.names.runs(event_id, add), self.names.runs(event_id, remove)
        with self.changes.of(event_id, "hold_changed"):
            held = self.store.change(event_id, token, added, removed, limit)
        self.changes.reached(event_id, held.record.position)
        return self._named(event_id, token, held.record)._replace(verdict=held.verdict)

    def release(self, event_id: str, token: str) -> None:
        """Raises HoldExpired."""
        with self.changes.of(event_id):
            position = self.store.release(event_id, token)
        self.changes.reached(event_id, position)

    def _named(self, event_id: str, token: str, record: HeldRecord) -> HeldSeats:
        seats, sold_as = self.offers.named(event_id, record.runs, record.tariff, record.currency)
        return HeldSeats(token, record, seats, sold_as)

    def _holders(self, event_id: str, holder: str, buyer: str | None, *, is_shop: bool) -> dict[str, int]:
        """Hashes of all whose seats are counted, each with the most that it may hold. A shop's buyer comes second."""
        limits = self.store.limits
        holders = {short_hash(event_id, holder): limits.max_seats_of_shop if is_shop else limits.max_seats}
        if buyer is not None:
            holders[buyer_hash(holder, buyer)] = limits.max_seats_of_buyer
        return holders
