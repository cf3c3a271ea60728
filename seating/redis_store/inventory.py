"""The inventory of each open event: counts, seats and receipts. Every change is one script."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from seating.domain.actor import Actor
from seating.domain.cancellation import Cancellation, Part
from seating.domain.changes import Purchased
from seating.domain.errors import IdempotencyKeyReused, NotOnSale, SaleRunning
from seating.domain.hold import hold_id
from seating.domain.offer import BlockRange, Offer
from seating.domain.position import Position
from seating.domain.purchase import NO_WISH, Order, Purchase, PurchaseState, buyer_hash, new_nonce
from seating.domain.rate_policy import Verdict
from seating.domain.receipt import RENDERING, Receipt, shop_members
from seating.domain.seating_plan import SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts
from seating.redis_store.inventory_snapshot import FIELDS, Head, Snapshot, head
from seating.redis_store.rate_limits import RateLimit


class Accepted(NamedTuple):
    """`replayed` if the purchase had been accepted before. `verdict` is None without a rate limit."""

    receipt: Receipt
    replayed: bool
    verdict: Verdict | None = None


class CancelReply(NamedTuple):
    """`reached` is the end of the log, `cancelled` all that is cancelled of the purchase. `is_new` if it has grown."""

    reached: Position
    cancelled: Cancellation | None
    is_new: bool


class Inventory:
    """Raises InventoryUnavailable or OutcomeUnknown if Redis does not answer, MissingInventory if it has none.

    New purchases are refused while `backlog_max_entries` wait for SQL or Redis uses `backlog_memory_percent` of its
    maxmemory.
    """

    def __init__(self, calls: Calls, *, backlog_max_entries: int, backlog_memory_percent: int) -> None:
        self._calls = calls
        self._scripts = EventScripts(calls)
        self._backlog_limits = (backlog_max_entries, backlog_memory_percent)

    def purchase(
        self,
        event_id: str,
        caller: str,
        idempotency: str,
        order: Order,
        runs: Sequence[SeatRange] = (),
        limit: RateLimit | None = None,
        within: Sequence[BlockRange] = (),
    ) -> Accepted:
        """Sell `order`. Raises the errors of `accepted`, and RateLimited.

        `idempotency` is the hash of `caller` and key. A repeated request gets the first receipt again. Any other
        counts against `limit`, in the same round trip; the result or the error has the verdict. `runs` are the places
        of the order's seats, `within` the blocks of its category and zone, if it names any.
        """
        asked = (RENDERING, order.quantity, runs_text(runs), order.wish_text(within))
        hold = "" if order.hold_token is None else hold_id(order.hold_token)
        buyer = buyer_hash(caller, order.buyer)
        rest = (new_nonce(), shop_members(caller), hold, "", "", order.personal.to_text(), buyer)
        former = order.former_fingerprint()
        try:
            return self._sell(event_id, (idempotency, order.fingerprint(), *asked), rest, limit, order.field)
        except IdempotencyKeyReused:
            if former is None:
                raise
        # Older versions had the reference in the fingerprint. To ask again is safe: a known key never sells.
        return self._sell(event_id, (idempotency, former, *asked), rest, limit, order.field)

    def sell_again(
        self, event_id: str, position: Position, purchase: Purchased, private: str | None, by: Actor
    ) -> Accepted:
        """Sell a lost history's purchase again: the same seats under the same id, whatever the state of the sale.

        `position` is the one in the buyer's receipt, `private` the personal data. Raises SeatUnavailable, SoldOut,
        IdempotencyKeyReused.
        """
        kept = (purchase.idempotency, purchase.fingerprint, purchase.rendering)
        buyer = buyer_hash(purchase.caller, purchase.personal_data(private).buyer)
        first_receipt = f"{position}|{purchase.left}|{purchase.at_ms}"
        shop = shop_members(purchase.caller, purchase.reference, purchase.tariff, purchase.currency)
        rest = (purchase.nonce, shop, "", by.member(), first_receipt, private or "", buyer)
        return self._sell(event_id, (*kept, purchase.quantity, runs_text(purchase.runs), NO_WISH), rest, None)

    def _sell(
        self,
        event_id: str,
        asked: tuple[Argument, ...],
        rest: tuple[Argument, ...],
        limit: RateLimit | None,
        field: str = "quantity",
    ) -> Accepted:
        args = (*asked, *self._backlog_limits, *rest)
        (outcome, record), verdict = self._scripts.measured("purchase", event_id, args, "sale", limit, field)
        receipt = Receipt.parse(event_id, record.decode())
        self._calls.seen.note(event_id, receipt.id.position)
        return Accepted(receipt, outcome == b"REPLAYED", verdict)

    @property
    def missing_durability(self) -> str:
        """What the server lacks to be durable, as last seen; "" if it is durable."""
        return self._calls.missing_durability

    def read(self, event_id: str) -> Snapshot | None:
        """Return the event's inventory; None if Redis has none."""
        return self.read_all([event_id])[0]

    def read_all(self, event_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `read`, for many events. Also None if a cluster's server does not answer while others do."""
        found = dict(self.read_answering(event_ids))
        return [found.get(event_id) for event_id in event_ids]

    def read_answering(self, event_ids: Sequence[str]) -> list[tuple[str, Snapshot | None]]:
        """Return each event with its inventory, except those whose server does not answer while others do."""
        replies = zip(event_ids, self._scripts.look([_keys(event_id) for event_id in event_ids]), strict=True)
        return [(event_id, Snapshot.of(values)) for event_id, values in replies if values is not None]

    def look_at(self, event_ids: Sequence[str]) -> list[Snapshot | Head | None]:
        """As `read_all`, but return the head of an inventory that is archived or cannot be read completely."""
        replies = self._scripts.look([_keys(event_id) for event_id in event_ids])
        return [Snapshot.of(values) or head(values) for values in replies]

    def current(self, event_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `read_all`, but seats of expired holds count as free: a purchase would release them."""
        return [
            self._without_lapsed(event_id) if found and found.counts.held else found
            for event_id, found in zip(event_ids, self.read_all(event_ids), strict=True)
        ]

    def _without_lapsed(self, event_id: str) -> Snapshot | None:
        lapsed, *values = self._scripts.reply("count_lapsed", keys.of_seats(event_id), FIELDS)
        found = Snapshot.of(values)
        if found is None:
            return None
        return found._replace(counts=replace(found.counts, held=found.counts.held - lapsed))

    def remembered_keys(self, event_id: str) -> int:
        """Return how many idempotency keys are kept."""
        return int(self._scripts.ask("HLEN", keys.idempotency(event_id)))

    def is_silent(self, event_id: str) -> bool:
        """Return whether the event's server, one of a cluster, has just failed to answer a call."""
        return self._calls.is_silent(keys.inventory(event_id))

    def seen_events(self) -> list[str]:
        """Return the events whose positions this process has seen."""
        return self._calls.seen.events()

    def is_known(self, event_id: str) -> bool:
        """Return whether Redis has any key of the event."""
        return bool(self._scripts.ask("EXISTS", *keys.all_of(event_id)))

    def cancel(self, purchase: Purchase, part: Part, by: Actor) -> CancelReply:
        """Cancel `part` of the purchase and return its seats. Repeating it changes nothing.

        A purchase that SQL does not have yet can only be cancelled in its own epoch, whose log has it. Raises
        InventoryUnavailable in a later one.
        """
        event_id, position, _ = purchase.id
        of_event = (keys.cancelled(event_id), keys.quarantine(event_id), keys.buyers(event_id))
        event_keys = (*keys.of_seats(event_id)[:4], *of_event)
        epoch = position.epoch if purchase.state is PurchaseState.ACCEPTED else ""
        wanted = (runs_text(part.runs), "" if part.quantity is None else part.quantity)
        bought = (str(position), purchase.quantity, runs_text(purchase.runs), epoch, by.member())
        args = (*bought, *wanted, buyer_hash(purchase.caller, purchase.personal.buyer))
        outcome, reached, cancelled = self._scripts.run("cancel", event_keys, args)
        return CancelReply(self._scripts.reached(event_id, reached), _cancellation(cancelled), outcome == b"CANCELLED")

    def cancellations(self, event_id: str, positions: Sequence[Position]) -> list[Cancellation | None]:
        """Return what is cancelled of each purchase at `positions`; None for nothing."""
        if not positions:
            return []
        kept = self._scripts.ask("HMGET", keys.cancelled(event_id), *map(str, positions))
        return [_cancellation(text) for text in kept]

    def set_state(self, event_id: str, state: str, by: Actor) -> Position:
        """Set the state to on_sale, paused or closed; return the end of the log.

        Raises NotOnSale once it is closed, and for a draft that is to be paused.
        """
        outcome, *reached = self._scripts.run("set_state", _keys(event_id), (state, by.member()))
        if outcome == b"CLOSED":
            raise NotOnSale("This event is closed for good", state="closed")
        if outcome == b"DRAFT":
            raise NotOnSale("This event is a draft: it has no sale to pause", state="draft")
        return self._scripts.reached(event_id, reached[0])

    def offers(self, event_ids: Sequence[str]) -> list[Offer | None]:
        """Return the offer of each event; None if it has no categories, or if Redis does not have its offer."""
        found = self._scripts.ask_all([("HGET", keys.inventory(event_id), "offered") for event_id in event_ids])
        return [_offer(offered) for offered in found]

    def left_by_category(self, event_id: str) -> dict[int, int]:
        """Return the number of free seats by category number. Costly: the script reads all maps of the hall."""
        _, pairs = self._scripts.run("categories_left", keys.of_seats(event_id), ())
        return dict(zip(pairs[::2], pairs[1::2], strict=True))

    def set_offer(self, event_id: str, offer: Offer, was: Offer | None, by: Actor) -> Position | None:
        """Replace the offer `was` by `offer`; return the end of the log, or None if the offer is no longer `was`.

        Raises SaleRunning, and NotOnSale for a closed event.
        """
        fields = [word for field in offer.inventory_fields().items() for word in field]
        text = "" if was is None and offer == Offer() else offer.to_json()
        args = (was.to_json() if was else "", by.member(), text, offer.searched, *fields)
        outcome, *reached = self._scripts.run("set_offer", keys.of_seats(event_id)[:4], args)
        if outcome == b"STALE":
            return None
        if outcome == b"ON_SALE":
            raise SaleRunning
        if outcome == b"CLOSED":
            raise NotOnSale("This event is closed for good", state="closed")
        return self._scripts.reached(event_id, reached[0])

    def archive(self, event_id: str, idle_ms: int) -> bool:
        """Remove an event that is closed, completely in SQL, and unchanged for `idle_ms`; False if it is not."""
        outcome, *_ = self._scripts.reply("archive", keys.all_of(event_id), (idle_ms,))
        return bool(outcome == b"ARCHIVED")


def _cancellation(text: bytes | None) -> Cancellation | None:
    """Return None for an unreadable one too."""
    try:
        return Cancellation.parse(text.decode()) if text else None
    except ValueError:
        return None


def _keys(event_id: str) -> tuple[str, str]:
    return keys.inventory(event_id), keys.log(event_id)


def _offer(offered: bytes | None) -> Offer | None:
    try:
        return Offer.from_json(offered) if offered else None
    except (ValueError, KeyError, TypeError):  # No script of ours wrote it, and SQL has the offer too.
        return None
