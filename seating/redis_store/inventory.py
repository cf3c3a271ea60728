"""The inventory of each open event: counts, seats and accepted purchases, changed by one script a change."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import OutOfMemoryError, ResponseError

from seating.domain.changes import Purchased
from seating.domain.errors import (
    BacklogFull,
    IdempotencyKeyReused,
    InventoryUnavailable,
    NotOnSale,
    NotTogether,
    OutcomeUnknown,
    SeatUnavailable,
    SoldOut,
)
from seating.domain.position import Position
from seating.domain.purchase import RENDERING, Order, Receipt, new_nonce
from seating.domain.seating_plan import Run, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisOutcomeUnknown, RedisUnavailable
from seating.redis_store.inventory_snapshot import FIELDS, Snapshot


class MissingInventory(InventoryUnavailable):
    """Redis holds no inventory for this event: there is no such event, or Redis has lost it."""


class Accepted(NamedTuple):
    """`replayed` tells the first answer from its repetitions."""

    receipt: Receipt
    replayed: bool


class Inventory:
    """Raises InventoryUnavailable or OutcomeUnknown where Redis does not answer, MissingInventory where it has none.

    New purchases are refused when `backlog_max_entries` wait for SQL or Redis uses `backlog_memory_percent` of its
    maxmemory. The newest `resume_entries` of a log outlive their acknowledgement.
    """

    def __init__(
        self, calls: Calls, *, backlog_max_entries: int, backlog_memory_percent: int, resume_entries: int = 0
    ) -> None:
        self._calls = calls
        self._resume_entries = resume_entries
        self._backlog_limits = (backlog_max_entries, backlog_memory_percent)

    def purchase(self, event_id: str, idempotency: str, order: Order) -> Accepted:
        """Sells `order` or raises why not: SoldOut, NotTogether, NotOnSale, BacklogFull, IdempotencyKeyReused.

        `idempotency` is the hash of caller and key; a repetition gets the first receipt again.
        """
        asked = (idempotency, order.fingerprint(), order.quantity, new_nonce(), RENDERING, json.dumps(order.reference))
        outcome, *detail = self._script("purchase", _sale_keys(event_id), (*asked, *self._backlog_limits, "", 0))
        return _accepted(event_id, outcome, detail)

    def honour(self, event_id: str, purchase: Purchased) -> Accepted:
        """Sells what a log of another history sold, the same seats to the same key, whatever the sale's state.

        Raises SeatUnavailable, SoldOut, IdempotencyKeyReused.
        """
        asked = (purchase.idempotency, purchase.fingerprint, purchase.quantity, purchase.nonce, purchase.rendering)
        args = (*asked, json.dumps(purchase.reference), *self._backlog_limits, runs_text(purchase.runs), 1)
        outcome, *detail = self._script("purchase", _sale_keys(event_id), args)
        return _accepted(event_id, outcome, detail)

    def read(self, event_id: str) -> Snapshot | None:
        """The event's inventory now, or None where Redis holds none."""
        return self.read_all([event_id])[0]

    def read_all(self, event_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `read`, for many events in one round trip."""
        commands = [("HMGET", keys.inventory(event_id), *FIELDS) for event_id in event_ids]
        return [Snapshot.of(values, self._calls.run_id) for values in self._ask_all(commands)]

    def remembered_keys(self, event_id: str) -> int:
        """How many idempotency keys are kept."""
        return int(self._ask("HLEN", keys.idempotency(event_id)))

    def quarantined(self, event_id: str) -> int:
        """How many log entries SQL refused for good."""
        return int(self._ask("SCARD", keys.quarantined(event_id)))

    def unquarantine(self, event_id: str, marker: str) -> None:
        """An entry in quarantine has been dealt with; `marker` is as storage.quarantine.marker writes it."""
        self._ask("SREM", keys.quarantined(event_id), marker)

    def is_quarantined(self, event_id: str, seq: int) -> bool:
        return bool(self._ask("SISMEMBER", keys.quarantined(event_id), str(seq)))

    def open_events(self) -> list[str]:
        return sorted(event_id.decode() for event_id in self._ask("SMEMBERS", keys.OPEN_EVENTS))

    def acknowledge(
        self, event_id: str, persisted: Position, server: str, quarantined: Sequence[int], *, trust: bool
    ) -> bool:
        """Tells Redis that SQL has the log up to `persisted`; with `trust`, that all of `server`'s log was compared.

        False if that is no longer so: the event was rebuilt, or the server changed since.
        """
        sets = (keys.quarantined(event_id), keys.cancelled(event_id))
        event_keys = (keys.inventory(event_id), keys.log(event_id), *sets)
        args = (server, persisted.epoch, persisted.seq, int(trust), self._resume_entries, *quarantined)
        return bool(self._reply("acknowledge", event_keys, args)[0] == b"ACKNOWLEDGED")

    def cancel(self, event_id: str, position: Position, quantity: int, runs: Sequence[Run]) -> None:
        """Returns the seats of the purchase at `position`, once: to ask again changes nothing."""
        event_keys = (
            keys.inventory(event_id),
            keys.log(event_id),
            keys.cancelled(event_id),
            keys.quarantined(event_id),
            keys.seats(event_id),
            keys.longest_runs(event_id),
        )
        self._script("cancel", event_keys, (str(position), position.seq, quantity, runs_text(runs)))

    def is_cancelled(self, event_id: str, seq: int) -> bool:
        return bool(self._ask("SISMEMBER", keys.cancelled(event_id), str(seq)))

    def set_state(self, event_id: str, state: str) -> None:
        """`state` is on_sale, paused or closed. Raises NotOnSale for an event that is closed: that is for good."""
        outcome, *_ = self._script("set_state", (keys.inventory(event_id), keys.log(event_id)), (state,))
        if outcome == b"CLOSED":
            raise NotOnSale("This event is closed for good", state="closed")

    def archive(self, event_id: str, idle_ms: int) -> bool:
        """Removes an event that was closed `idle_ms` ago and is whole in SQL. False if it is not so."""
        outcome, *_ = self._reply("archive", keys.all_of(event_id), (idle_ms,))
        if outcome == b"ARCHIVED":
            self._ask("SREM", keys.OPEN_EVENTS, event_id)
        return bool(outcome == b"ARCHIVED")

    def distrust(self, event_id: str, epoch: int) -> None:
        """Stops selling from an inventory of `epoch`, or an earlier one, until it has been compared with SQL again."""
        self._reply("distrust", (keys.inventory(event_id), keys.log(event_id)), (epoch,))

    def _script(self, name: str, event_keys: Sequence[str], args: Sequence[Any]) -> list[Any]:
        """A script that needs a trusted inventory."""
        reply = self._reply(name, event_keys, args)
        if reply[0] == b"MISSING":
            raise MissingInventory
        if reply[0] == b"UNTRUSTED":
            raise InventoryUnavailable
        return reply

    def _reply(self, name: str, event_keys: Sequence[str], args: Sequence[Any]) -> list[Any]:
        try:
            reply: list[Any] = self._calls.script(name, event_keys, args)
        except RedisOutcomeUnknown as error:
            raise OutcomeUnknown from error
        except OutOfMemoryError as error:
            raise BacklogFull from error
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        return reply

    def _ask(self, *words: str) -> Any:
        return self._ask_all([words])[0]

    def _ask_all(self, commands: Sequence[Sequence[str]]) -> list[Any]:
        try:
            return self._calls.commands(commands)
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error


def _sale_keys(event_id: str) -> tuple[str, ...]:
    return (
        keys.inventory(event_id),
        keys.log(event_id),
        keys.idempotency(event_id),
        keys.seats(event_id),
        keys.longest_runs(event_id),
    )


def _accepted(event_id: str, outcome: bytes, detail: list[Any]) -> Accepted:
    if outcome in (b"SOLD", b"REPLAYED"):
        return Accepted(Receipt.parse(event_id, detail[0].decode()), replayed=outcome == b"REPLAYED")
    raise _refusal(outcome, detail)


def _refusal(outcome: bytes, detail: list[Any]) -> Exception:
    match outcome:
        case b"SOLD_OUT":
            return SoldOut(seatsRemaining=detail[0])
        case b"NOT_TOGETHER":
            return NotTogether(seatsRemaining=detail[0])
        case b"SEAT_UNAVAILABLE":
            return SeatUnavailable()
        case b"NOT_ON_SALE":
            return NotOnSale(state=detail[0].decode())
        case b"REUSED":
            return IdempotencyKeyReused()
        case b"BACKLOG_FULL":
            return BacklogFull()
    raise AssertionError(f"purchase.lua replied {outcome!r}")
