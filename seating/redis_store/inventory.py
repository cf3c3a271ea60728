"""The inventory of each open event: counts, seats and accepted purchases, changed by one script a change."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from seating.domain.actor import Actor
from seating.domain.cancellation import Cancellation, Part
from seating.domain.changes import Purchased
from seating.domain.errors import IdempotencyKeyReused, NotOnSale, SaleRunning
from seating.domain.hold import hold_id
from seating.domain.offer import NO_WISH, BlockRange, Offer, wish_text
from seating.domain.position import Position
from seating.domain.purchase import Order, Purchase, PurchaseState, buyer_hash, new_nonce
from seating.domain.rate_policy import Verdict
from seating.domain.receipt import RENDERING, Receipt, shop_members
from seating.domain.seating_plan import SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts, judged
from seating.redis_store.inventory_snapshot import FIELDS, Head, Snapshot, head
from seating.redis_store.rate_limits import RateLimit


class Accepted(NamedTuple):
    """`replayed` tells the first answer from its repetitions. `verdict` is None where no rate limit was asked."""

    receipt: Receipt
    replayed: bool
    verdict: Verdict | None = None


class CancelReply(NamedTuple):
    """`reached` is where the log ends then, `cancelled` what of the purchase is; `is_new` if that has just grown."""

    reached: Position
    cancelled: Cancellation | None
    is_new: bool


class Inventory:
    """Raises InventoryUnavailable or OutcomeUnknown where Redis does not answer, MissingInventory where it has none.

    New purchases are refused when `backlog_max_entries` wait for SQL or Redis uses `backlog_memory_percent` of its
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
        """Sells `order` or raises why not: one of the errors of `accepted`.

        `idempotency` is the hash of `caller` and key; a repetition gets the first receipt again. Anything else is
        measured by `limit`, in the same round trip: the result or the error carries its verdict. Raises RateLimited.
        `runs` are where the order's seats are, `within` the blocks that its category and zone are, where it names one.
        """
        asked = (RENDERING, order.quantity, runs_text(runs), wish_text(order, within))
        hold = "" if order.hold_token is None else hold_id(order.hold_token)
        buyer = buyer_hash(caller, order.buyer)
        rest = (new_nonce(), shop_members(caller), hold, "", "", order.personal.to_text(), buyer)
        former = order.former_fingerprint()
        try:
            return self._sell(event_id, (idempotency, order.fingerprint(), *asked), rest, limit, order.field)
        except IdempotencyKeyReused:
            if former is None:
                raise
        # The record may be of a version whose fingerprints had the reference in them; a known key sells nothing.
        return self._sell(event_id, (idempotency, former, *asked), rest, limit, order.field)

    def sell_again(
        self, event_id: str, position: Position, purchase: Purchased, private: str | None, by: Actor
    ) -> Accepted:
        """Sells what a history that was lost had sold, the same seats under the same id, whatever the sale's state.

        `position` is what the buyer was answered with, `private` the personal data. Raises SeatUnavailable, SoldOut,
        IdempotencyKeyReused.
        """
        kept = (purchase.idempotency, purchase.fingerprint, purchase.rendering)
        buyer = buyer_hash(purchase.caller, purchase.personal_data(private).buyer)
        told = f"{position}|{purchase.left}|{purchase.at_ms}"
        shop = shop_members(purchase.caller, purchase.reference, purchase.tariff, purchase.currency)
        rest = (purchase.nonce, shop, "", by.member(), told, private or "", buyer)
        return self._sell(event_id, (*kept, purchase.quantity, runs_text(purchase.runs), NO_WISH), rest, None)

    def _sell(
        self,
        event_id: str,
        asked: tuple[Argument, ...],
        rest: tuple[Argument, ...],
        limit: RateLimit | None,
        field: str = "quantity",
    ) -> Accepted:
        event_keys = (*keys.of_sale(event_id), keys.buyers(event_id))
        args = (*asked, *self._backlog_limits, *rest)
        if limit:
            event_keys = (*event_keys, keys.event_limit(event_id, "sale", limit.key))
            args = (*args, *limit.policy.arguments)
        (outcome, record), verdict = judged(self._scripts.run("purchase", event_keys, args), limit, field)
        receipt = Receipt.parse(event_id, record.decode())
        self._calls.seen.note(event_id, receipt.id.position)
        return Accepted(receipt, outcome == b"REPLAYED", verdict)

    @property
    def missing_durability(self) -> str:
        """What the server, as last asked, needs before it sells; "" when it is durable."""
        return self._calls.missing_durability

    def read(self, event_id: str) -> Snapshot | None:
        """The event's inventory now, or None where Redis holds none."""
        return self.read_all([event_id])[0]

    def read_all(self, event_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `read`, for many events. None also where a server of a cluster does not answer while others do."""
        found = dict(self.read_answering(event_ids))
        return [found.get(event_id) for event_id in event_ids]

    def read_answering(self, event_ids: Sequence[str]) -> list[tuple[str, Snapshot | None]]:
        """Each event with its inventory, without those whose server does not answer while others do."""
        replies = zip(event_ids, self._scripts.look([_keys(event_id) for event_id in event_ids]), strict=True)
        return [(event_id, Snapshot.of(values)) for event_id, values in replies if values is not None]

    def look_at(self, event_ids: Sequence[str]) -> list[Snapshot | Head | None]:
        """As `read_all`, but with what there is where an inventory is archived or cannot be read."""
        replies = self._scripts.look([_keys(event_id) for event_id in event_ids])
        return [Snapshot.of(values) or head(values) for values in replies]

    def current(self, event_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `read_all`, for those who want to buy: what holds have that are due counts as free."""
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
        """How many idempotency keys are kept."""
        return int(self._scripts.ask("HLEN", keys.idempotency(event_id)))

    def is_silent(self, event_id: str) -> bool:
        """Whether the server of a cluster that has this event has just let somebody wait in vain."""
        return self._calls.is_silent(keys.inventory(event_id))

    def seen_events(self) -> list[str]:
        """Those that this process has sold from."""
        return self._calls.seen.events()

    def is_known(self, event_id: str) -> bool:
        """Whether Redis has any key of that event's inventory."""
        return bool(self._scripts.ask("EXISTS", *keys.all_of(event_id)))

    def cancel(self, purchase: Purchase, part: Part, by: Actor) -> CancelReply:
        """Returns the seats of a `part` of the purchase, once: to ask again changes nothing.

        One that SQL does not have yet is only known to this epoch's log; InventoryUnavailable in another.
        """
        event_id, position, _ = purchase.id
        of_event = (keys.cancelled(event_id), keys.quarantine(event_id), keys.buyers(event_id))
        event_keys = (*keys.of_seats(event_id)[:4], *of_event)
        epoch = position.epoch if purchase.state is PurchaseState.ACCEPTED else ""
        wanted = (runs_text(part.runs), "" if part.quantity is None else part.quantity)
        told = (str(position), purchase.quantity, runs_text(purchase.runs), epoch, by.member())
        args = (*told, *wanted, buyer_hash(purchase.caller, purchase.personal.buyer))
        outcome, reached, cancelled = self._scripts.run("cancel", event_keys, args)
        return CancelReply(self._reached(event_id, reached), _cancellation(cancelled), outcome == b"CANCELLED")

    def cancellations(self, event_id: str, positions: Sequence[Position]) -> list[Cancellation | None]:
        """What is cancelled of each of the purchases at `positions`."""
        if not positions:
            return []
        kept = self._scripts.ask("HMGET", keys.cancelled(event_id), *map(str, positions))
        return [_cancellation(text) for text in kept]

    def set_state(self, event_id: str, state: str, by: Actor) -> Position:
        """`state` is on_sale, paused or closed. Raises NotOnSale for an event that is closed: that is for good.

        Returns where the log ends then.
        """
        outcome, *reached = self._scripts.run("set_state", _keys(event_id), (state, by.member()))
        if outcome == b"CLOSED":
            raise NotOnSale("This event is closed for good", state="closed")
        return self._reached(event_id, reached[0])

    def offers(self, event_ids: Sequence[str]) -> list[Offer | None]:
        """On what conditions each event is sold now; None without categories, and where Redis does not have them."""
        found = self._scripts.ask_all([("HGET", keys.inventory(event_id), "offered") for event_id in event_ids])
        return [_offer(offered) for offered in found]

    def left_by_category(self, event_id: str) -> dict[int, int]:
        """How many seats can be bought now of each category, by its number; it reads all maps of a hall."""
        _, pairs = self._scripts.run("categories_left", keys.of_seats(event_id), ())
        return dict(zip(pairs[::2], pairs[1::2], strict=True))

    def set_offer(self, event_id: str, offer: Offer, was: Offer | None, by: Actor) -> Position | None:
        """Sells the event on the conditions of `offer` from now on; None if its offer is not `was` any more.

        Raises SaleRunning, and NotOnSale for an event that is closed. Returns where the log ends then.
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
        return self._reached(event_id, reached[0])

    def _reached(self, event_id: str, reply: bytes) -> Position:
        position = Position.parse(reply.decode())
        self._calls.seen.note(event_id, position)
        return position

    def archive(self, event_id: str, idle_ms: int) -> bool:
        """Removes an event that was closed `idle_ms` ago and is whole in SQL. False if it is not so."""
        outcome, *_ = self._scripts.reply("archive", keys.all_of(event_id), (idle_ms,))
        return bool(outcome == b"ARCHIVED")


def _cancellation(text: bytes | None) -> Cancellation | None:
    """None also for one that cannot be read."""
    try:
        return Cancellation.parse(text.decode()) if text else None
    except ValueError:
        return None


def _keys(event_id: str) -> tuple[str, str]:
    return keys.inventory(event_id), keys.log(event_id)


def _offer(offered: bytes | None) -> Offer | None:
    try:
        return Offer.from_json(offered) if offered else None
    except (ValueError, KeyError, TypeError):  # None of ours: SQL has it too.
        return None
