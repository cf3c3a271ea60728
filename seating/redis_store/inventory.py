"""The inventory of each open event: counts, seats and accepted purchases, changed by one script a change."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import OutOfMemoryError, ResponseError

from seating.domain.errors import (
    BacklogFull,
    IdempotencyKeyReused,
    InventoryUnavailable,
    NotOnSale,
    NotTogether,
    OutcomeUnknown,
    SoldOut,
)
from seating.domain.event import Event, InventoryCounts
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import RENDERING, Order, Receipt, new_nonce
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisOutcomeUnknown, RedisUnavailable
from seating.redis_store.rate_limits import RateLimit

_LONGEST_RUN = 10
_FIELDS = (
    "server",
    "epoch",
    "seq",
    "persisted",
    "state",
    "capacity",
    "sold",
    "held",
    "blocked",
    "updated",
)


class MissingInventory(InventoryUnavailable):
    """Redis holds no inventory for this event: there is no such event, or Redis has lost it."""


class Accepted(NamedTuple):
    """`replayed` tells the first answer from its repetitions."""

    receipt: Receipt
    replayed: bool


class Backlog(NamedTuple):
    """Where an event's log ends, and how much of it SQL has. `trusted` is whether this server may sell."""

    position: Position
    persisted: int
    trusted: bool

    @property
    def lag(self) -> int:
        """Entries that SQL does not have yet."""
        return self.position.seq - self.persisted

    @property
    def persisted_position(self) -> Position:
        return Position(self.position.epoch, self.persisted)


class Snapshot(NamedTuple):
    """An inventory as of one moment."""

    counts: InventoryCounts
    backlog: Backlog


class Inventory:
    """Raises InventoryUnavailable or OutcomeUnknown where Redis does not answer, MissingInventory where it has none.

    New purchases are refused when `backlog_max_entries` wait for SQL or Redis uses `backlog_memory_percent` of its
    maxmemory.
    """

    def __init__(self, calls: Calls, *, backlog_max_entries: int, backlog_memory_percent: int) -> None:
        self._calls = calls
        self._backlog_limits = (backlog_max_entries, backlog_memory_percent)

    def open(self, event: Event, plan: SeatingPlan | None, first: LogEntry) -> bool:
        """Puts an event on sale, its log beginning with `first`. False if it is open already; then nothing changes."""
        event_id = event.id
        event_keys = (
            keys.inventory(event_id),
            keys.log(event_id),
            keys.plan(event_id),
            keys.seats(event_id),
            keys.longest_runs(event_id),
        )
        seating = _seating_arguments(plan) if plan else [""]
        epoch, seq = first.position
        reply = self._script("open", event_keys, [epoch, seq, first.change, first.link, event.capacity, *seating])
        self._ask("SADD", keys.OPEN_EVENTS, event_id)
        return bool(reply[0] == b"OPENED")

    def purchase(self, event_id: str, idempotency: str, order: Order, limit: RateLimit | None = None) -> Accepted:
        """Sells `order` or raises why not: SoldOut, NotTogether, NotOnSale, BacklogFull, IdempotencyKeyReused.

        `idempotency` is the hash of caller and key; a repetition gets the first receipt again. Anything else is
        measured by `limit`, in the same round trip; raises RateLimited.
        """
        event_keys = (
            keys.inventory(event_id),
            keys.log(event_id),
            keys.idempotency(event_id),
            keys.seats(event_id),
            keys.longest_runs(event_id),
            *([keys.sale_limit(event_id, limit.caller)] if limit else ()),
        )
        fingerprint = order.fingerprint()
        reference = json.dumps(order.reference)
        outcome, *detail = self._script(
            "purchase",
            event_keys,
            (
                idempotency,
                fingerprint,
                order.quantity,
                new_nonce(),
                RENDERING,
                reference,
                *self._backlog_limits,
                *(limit.policy.arguments if limit else ()),
            ),
        )
        if limit and detail and isinstance(detail[-1], list):
            limit.decided(detail[-1])
        if outcome in (b"SOLD", b"REPLAYED"):
            return Accepted(Receipt.parse(event_id, detail[0].decode()), replayed=outcome == b"REPLAYED")
        raise _refusal(outcome, detail)

    def read(self, event_id: str) -> Snapshot | None:
        """The event's inventory now, or None where Redis holds none."""
        return self.read_all([event_id])[0]

    def read_all(self, event_ids: Sequence[str]) -> list[Snapshot | None]:
        """As `read`, for many events in one round trip."""
        commands = [("HMGET", keys.inventory(event_id), *_FIELDS) for event_id in event_ids]
        return [self._snapshot(values) for values in self._ask_all(commands)]

    def remembered_keys(self, event_id: str) -> int:
        """How many idempotency keys are kept."""
        return int(self._ask("HLEN", keys.idempotency(event_id)))

    def quarantined(self, event_id: str) -> int:
        """How many log entries SQL refused for good."""
        return int(self._ask("SCARD", keys.quarantined(event_id)))

    def is_quarantined(self, event_id: str, seq: int) -> bool:
        return bool(self._ask("SISMEMBER", keys.quarantined(event_id), str(seq)))

    def open_events(self) -> list[str]:
        return sorted(event_id.decode() for event_id in self._ask("SMEMBERS", keys.OPEN_EVENTS))

    def acknowledge(self, event_id: str, persisted: Position, compared_server: str, quarantined: Sequence[int]) -> bool:
        """Tells Redis that SQL has the log up to `persisted`, and that `compared_server`'s log continues SQL's.

        False if that is no longer so: the event was rebuilt, or the server changed since.
        """
        event_keys = (keys.inventory(event_id), keys.log(event_id), keys.quarantined(event_id))
        outcome, *_ = self._reply(
            "acknowledge", event_keys, [compared_server, persisted.epoch, persisted.seq, *quarantined]
        )
        return bool(outcome == b"ACKNOWLEDGED")

    def distrust(self, event_id: str) -> None:
        """Stops selling until the log has been compared with SQL's again."""
        self._reply("distrust", (keys.inventory(event_id), keys.log(event_id)), [])

    def _snapshot(self, values: list[bytes | None]) -> Snapshot | None:
        if values[1] is None:
            return None
        fields = {name: value.decode() for name, value in zip(_FIELDS, values, strict=True) if value is not None}
        counts = InventoryCounts(
            state=fields["state"],
            capacity=int(fields["capacity"]),
            sold=int(fields["sold"]),
            held=int(fields["held"]),
            blocked=int(fields["blocked"]),
            updated_ms=int(fields["updated"]),
        )
        position = Position(int(fields["epoch"]), int(fields["seq"]))
        trusted = fields["server"] == self._calls.run_id
        return Snapshot(counts, Backlog(position, int(fields["persisted"]), trusted))

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


def _seating_arguments(plan: SeatingPlan) -> list[str | bytes]:
    """What open.lua needs of a plan: the plan itself, each block's longest run, each block's map."""
    longest = "".join(chr(ord("0") + min(_LONGEST_RUN, max(len(row) for row in block))) for block in plan.blocks)
    return [plan.pack(), longest, *plan.empty_maps()]


def _refusal(outcome: bytes, detail: list[Any]) -> Exception:
    match outcome:
        case b"SOLD_OUT":
            return SoldOut(seatsRemaining=detail[0])
        case b"NOT_TOGETHER":
            return NotTogether(seatsRemaining=detail[0])
        case b"NOT_ON_SALE":
            return NotOnSale(state=detail[0].decode())
        case b"REUSED":
            return IdempotencyKeyReused()
        case b"BACKLOG_FULL":
            return BacklogFull()
    raise AssertionError(f"purchase.lua replied {outcome!r}")
