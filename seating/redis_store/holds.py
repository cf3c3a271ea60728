"""The holds of each open event: seats that are kept for a buyer for a while. Also in general admission."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from seating.domain.hold import HOLD_RENDERING, HeldRecord, HoldOrder, hold_id
from seating.domain.position import Position
from seating.domain.seating_plan import SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts, accepted

RELEASED_A_CALL: Final = 200
"""As holding.lua has it."""


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """`ttl_s` from the last time that it was asked for or extended, `max_s` altogether, `max_seats` a holder.

    A shop, which holds for many buyers, has a bound of its own.
    """

    ttl_s: int
    max_s: int
    max_seats: int
    max_seats_of_shop: int


class Kept(NamedTuple):
    """`replayed` tells the first answer from its repetitions."""

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
    ) -> Kept:
        """Holds `order` for whoever has `token`; `holder` is whom its seats count for, and is not logged.

        `idempotency` is the hash of caller and key, or empty; a repetition gets the first record again.
        """
        args = (
            idempotency,
            order.fingerprint(),
            HOLD_RENDERING,
            order.quantity,
            runs_text(runs),
            int(order.together),
            *self._backlog_limits,
            hold_id(token),
            self._limits.ttl_s * 1000,
            holder,
            self._limits.max_seats_of_shop if is_shop else self._limits.max_seats,
        )
        reply = self._scripts.run("hold", keys.of_sale(event_id), args)
        outcome, record = accepted(reply)
        held = HeldRecord.parse(record.decode())
        self._seen.note(event_id, held.position)
        return Kept(held, outcome == b"REPLAYED")

    def extend(self, event_id: str, token: str) -> HeldRecord:
        """Lets it last for another `ttl_s` from now on, within `max_s`. Raises HoldExpired, BacklogFull."""
        args = (hold_id(token), self._limits.ttl_s * 1000, self._limits.max_s * 1000, *self._backlog_limits)
        reply = accepted(self._scripts.run("extend", keys.of_seats(event_id), args))
        _, position, until_ms, quantity, runs = reply
        return HeldRecord(
            self._reached(event_id, position), int(until_ms), int(quantity), SeatRange.parse_all(runs.decode())
        )

    def release(self, event_id: str, token: str) -> Position:
        """Where the log ends then. Raises HoldExpired."""
        reply = accepted(self._scripts.run("release", keys.of_seats(event_id), (hold_id(token),)))
        return self._reached(event_id, reply[1])

    def _reached(self, event_id: str, reply: bytes) -> Position:
        position = Position.parse(reply.decode())
        self._seen.note(event_id, position)
        return position

    def expire(self, event_id: str) -> int:
        """Releases holds that are due; returns how many. Of more than `RELEASED_A_CALL` some are left."""
        return int(self._scripts.run("expire", keys.of_seats(event_id), ())[1])
