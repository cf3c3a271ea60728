"""The holds of each open event: seats reserved for a buyer for a limited time. Also in general admission."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from seating.domain.hold import HOLD_RENDERING, HeldRecord, HoldOrder, hold_id
from seating.domain.offer import BlockRange
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts, accepted

RELEASED_A_CALL: Final = 200
"""The limit in holding.lua."""


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """A hold lasts `ttl_s` after the request or the last extension, at most `max_s`; `max_seats` is per holder.

    A shop holds for many buyers, so it has its own limit.
    """

    ttl_s: int
    max_s: int
    max_seats: int
    max_seats_of_shop: int


class Kept(NamedTuple):
    """`replayed` is True for a repeated request."""

    record: HeldRecord
    replayed: bool


class HoldStore:
    """Raises what EventScripts and `accepted` do."""

    def __init__(
        self, calls: Calls, limits: HoldLimits, *, backlog_max_entries: int, backlog_memory_percent: int
    ) -> None:
        self._scripts = EventScripts(calls)
        self._seen = calls.seen
        self._limits = limits
        self._backlog_limits = (backlog_max_entries, backlog_memory_percent)

    def hold(
        self,
        event_id: str,
        token: str,
        holder: str,
        order: HoldOrder,
        runs: Sequence[SeatRange],
        idempotency: str,
        *,
        is_shop: bool,
        within: Sequence[BlockRange] = (),
    ) -> Kept:
        """Hold `order` for the owner of `token`. Its seats count for `holder`, who is not logged.

        `idempotency` is the hash of caller and key, or empty; a repeated request gets the first record again.
        `within` are the blocks of the order's category and zone, where it names one.
        """
        args = (
            idempotency,
            order.fingerprint(),
            HOLD_RENDERING,
            order.quantity,
            runs_text(runs),
            order.wish(within),
            *self._backlog_limits,
            hold_id(token),
            self._limits.ttl_s * 1000,
            holder,
            self._limits.max_seats_of_shop if is_shop else self._limits.max_seats,
        )
        reply = self._scripts.run("hold", (*keys.of_seats(event_id), keys.idempotency(event_id)), args)
        outcome, record, tariff, currency = accepted(reply)
        held = HeldRecord.parse(record.decode())._replace(tariff=tariff.decode(), currency=currency.decode() or None)
        self._seen.note(event_id, held.position)
        return Kept(held, outcome == b"REPLAYED")

    def extend(self, event_id: str, token: str) -> HeldRecord:
        """Extend the hold to `ttl_s` from now, within `max_s`. Raises HoldExpired, BacklogFull."""
        args = (hold_id(token), self._limits.ttl_s * 1000, self._limits.max_s * 1000, *self._backlog_limits)
        reply = accepted(self._scripts.run("extend", keys.of_seats(event_id), args))
        _, position, until_ms, quantity, runs, tariff, currency = reply
        return HeldRecord(
            self._reached(event_id, position),
            int(until_ms),
            int(quantity),
            SeatRange.parse_all(runs.decode()),
            tariff.decode(),
            currency.decode() or None,
        )

    def release(self, event_id: str, token: str) -> Position:
        """Release the hold and return the end of the log. Raises HoldExpired."""
        reply = accepted(self._scripts.run("release", keys.of_seats(event_id), (hold_id(token),)))
        return self._reached(event_id, reply[1])

    def _reached(self, event_id: str, reply: bytes) -> Position:
        position = Position.parse(reply.decode())
        self._seen.note(event_id, position)
        return position

    def expire(self, event_id: str) -> int:
        """Release at most `RELEASED_A_CALL` expired holds and return how many."""
        return int(self._scripts.run("expire", keys.of_seats(event_id), ())[1])
