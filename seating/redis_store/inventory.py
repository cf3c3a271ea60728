"""The inventory of each open event: counts, seats and accepted purchases, changed by one script a change."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from seating.domain.actor import Actor
from seating.domain.changes import Purchased
from seating.domain.errors import NotOnSale, SeatingError
from seating.domain.hold import hold_id
from seating.domain.position import Position
from seating.domain.purchase import RENDERING, Order, Receipt, new_nonce, shop_members
from seating.domain.rate_policy import Verdict
from seating.domain.seating_plan import SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts, accepted
from seating.redis_store.inventory_snapshot import FIELDS, Head, Snapshot, head
from seating.redis_store.rate_limits import RateLimit


class Accepted(NamedTuple):
    """`replayed` tells the first answer from its repetitions. `verdict` is None where no rate limit was asked."""

    receipt: Receipt
    replayed: bool
    verdict: Verdict | None = None


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
    ) -> Accepted:
        """Sells `order` or raises why not: one of the errors of `accepted`.

        `idempotency` is the hash of `caller` and key; a repetition gets the first receipt again. Anything else is
        measured by `limit`, in the same round trip: the result or the error carries its verdict. Raises RateLimited.
        `runs` are where the order's seats are.
        """
        asked = (idempotency, order.fingerprint(), RENDERING, order.quantity, runs_text(runs), int(order.together))
        hold = "" if order.hold_token is None else hold_id(order.hold_token)
        rest = (new_nonce(), shop_members(caller, order.reference), hold, "", "")
        return self._sell(event_id, asked, rest, limit)

    def sell_again(self, event_id: str, position: Position, purchase: Purchased, by: Actor) -> Accepted:
        """Sells what a history that was lost had sold, the same seats under the same id, whatever the sale's state.

        `position` is what the buyer was answered with. Raises SeatUnavailable, SoldOut, IdempotencyKeyReused.
        """
        kept = (purchase.idempotency, purchase.fingerprint, purchase.rendering)
        told = f"{position}|{purchase.left}|{purchase.at_ms}"
        rest = (purchase.nonce, shop_members(purchase.caller, purchase.reference), "", by.member(), told)
        return self._sell(event_id, (*kept, purchase.quantity, runs_text(purchase.runs), 0), rest, None)

    def _sell(
        self,
        event_id: str,
        asked: tuple[Argument, ...],
        rest: tuple[Argument, ...],
        limit: RateLimit | None,
    ) -> Accepted:
        event_keys = keys.of_sale(event_id)
        args = (*asked, *self._backlog_limits, *rest)
        if limit:
            event_keys = (*event_keys, keys.sale_limit(event_id, limit.key))
            args = (*args, *limit.policy.arguments)
        reply = self._scripts.run("purchase", event_keys, args)
        verdict = limit.verdict(reply.pop()) if limit and isinstance(reply[-1], list) else None
        try:
            outcome, *detail = accepted(reply)
        except SeatingError as refusal:
            refusal.verdict = verdict
            raise
        receipt = Receipt.parse(event_id, detail[0].decode())
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
        """As `read`, for many events."""
        return [Snapshot.of(values) for values in self._scripts.look([_keys(event_id) for event_id in event_ids])]

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
        lapsed, *values = self._scripts.reply("lapsed", keys.of_seats(event_id), FIELDS)
        found = Snapshot.of(values)
        if found is None:
            return None
        return found._replace(counts=replace(found.counts, held=found.counts.held - lapsed))

    def remembered_keys(self, event_id: str) -> int:
        """How many idempotency keys are kept."""
        return int(self._scripts.ask("HLEN", keys.idempotency(event_id)))

    def quarantined(self, event_ids: Sequence[str]) -> int:
        """How many entries of these events wait in quarantine, as far as Redis was told."""
        return sum(self._scripts.ask_all([("HLEN", keys.quarantine(event_id)) for event_id in event_ids]))

    def damaged(self, event_ids: Sequence[str]) -> list[list[str]]:
        """For each event, what could not be read and was put aside."""
        found = self._scripts.ask_all([("HKEYS", keys.damaged(event_id)) for event_id in event_ids])
        return [sorted(what.decode(errors="replace") for what in names) for names in found]

    def unquarantine(self, event_id: str, position: Position) -> None:
        """An entry in quarantine has been dealt with."""
        self._scripts.ask("HDEL", keys.quarantine(event_id), str(position))

    def seen_events(self) -> list[str]:
        """Those that this process has sold from."""
        return self._calls.seen.events()

    def is_known(self, event_id: str) -> bool:
        """Whether Redis has any key of that event's inventory."""
        return bool(self._scripts.ask("EXISTS", *keys.all_of(event_id)))

    def cancel(
        self, event_id: str, position: Position, quantity: int, runs: Sequence[SeatRange], by: Actor, *, recorded: bool
    ) -> Position:
        """Returns the seats of the purchase at `position`, once: to ask again changes nothing.

        One that is not `recorded` in SQL yet is only known to this epoch's log; InventoryUnavailable in another.
        Returns where the log ends then.
        """
        event_keys = (*keys.of_seats(event_id)[:4], keys.cancelled(event_id), keys.quarantine(event_id))
        epoch = "" if recorded else position.epoch
        args = (str(position), quantity, runs_text(runs), epoch, by.member())
        reply = self._scripts.run("cancel", event_keys, args)
        return self._reached(event_id, reply[1])

    def is_cancelled(self, event_id: str, position: Position) -> bool:
        return bool(self._scripts.ask("HEXISTS", keys.cancelled(event_id), str(position)))

    def set_state(self, event_id: str, state: str, by: Actor) -> Position:
        """`state` is on_sale, paused or closed. Raises NotOnSale for an event that is closed: that is for good.

        Returns where the log ends then.
        """
        outcome, *reached = self._scripts.run("set_state", _keys(event_id), (state, by.member()))
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


def _keys(event_id: str) -> tuple[str, str]:
    return keys.inventory(event_id), keys.log(event_id)
