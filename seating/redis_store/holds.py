"""The holds of each open event: seats reserved for a buyer for a limited time. Also in general admission."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from seating.domain.hold import HOLD_RENDERING, HeldRecord, hold_id
from seating.domain.offer import BlockRange
from seating.domain.position import Position
from seating.domain.purchase import MAX_QUANTITY, Order
from seating.domain.rate_policy import Verdict
from seating.domain.seating_plan import SeatRange, runs_text
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts, accepted
from seating.redis_store.rate_limits import RateLimit

RELEASED_A_CALL: Final = 200
"""The limit in holds.lua."""


@dataclass(frozen=True, slots=True)
class HoldLimits:
    """A hold lasts `ttl_s` after the request or the last extension, at most `max_s`; an extension is at least
    `extend_step_s`.

    A holder has `max_seats` at most. A shop, which holds for many buyers, has limits of its own: for all of them, and
    for each that it names.
    """

    ttl_s: int
    max_s: int
    extend_step_s: int
    max_seats: int
    max_seats_of_shop: int
    max_seats_of_buyer: int


class AcceptedHold(NamedTuple):
    """`replayed` is True for a repeated request, which gets the `sealed` token of the hold `id`.

    `verdict` is what the rate limit said, None where it was not asked.
    """

    record: HeldRecord
    replayed: bool = False
    verdict: Verdict | None = None
    id: str = ""
    sealed: str = ""


class HoldStore:
    """Raises what EventScripts and `accepted` do."""

    def __init__(
        self, calls: Calls, limits: HoldLimits, *, backlog_max_entries: int, backlog_memory_percent: int
    ) -> None:
        self._scripts = EventScripts(calls)
        self.limits = limits
        self._backlog_limits = (backlog_max_entries, backlog_memory_percent)

    def hold(
        self,
        event_id: str,
        token: str,
        holders: dict[str, int],
        order: Order,
        runs: Sequence[SeatRange],
        idempotency: str = "",
        sealed: str = "",
        limit: RateLimit | None = None,
        within: Sequence[BlockRange] = (),
    ) -> AcceptedHold:
        """Hold `order` for the owner of `token`. `holders`, each with the most that it may hold, are not logged.

        `idempotency` is the hash of caller and key, or empty; a repeated request gets the first hold again, as it is
        now, with the `sealed` token of then. Anything else is measured by `limit`. `within` are the blocks
        of the order's category and zone, where it names one. Raises RateLimited, BuyerLimit.
        """
        args = (
            idempotency,
            order.hold_fingerprint(),
            HOLD_RENDERING,
            order.quantity,
            runs_text(runs),
            order.wish_text(within),
            *self._backlog_limits,
            hold_id(token),
            self.limits.ttl_s * 1000,
            # Hashes, in Redis alone: the log says nothing of who holds.
            ",".join(f"{holder}:{most}" for holder, most in holders.items()),
            sealed,
            self.limits.max_s * 1000,
        )
        return self._measured("hold", event_id, args, limit, order.field)

    def find(self, event_id: str, token: str) -> HeldRecord:
        """Raises HoldExpired."""
        return self._told(event_id, accepted(self._run("find_hold", event_id, hold_id(token))))

    def extend(self, event_id: str, token: str) -> HeldRecord:
        """Lets it last for another `ttl_s` from now on, within `max_s`. Raises HoldExpired, BacklogFull."""
        limits_ms = (self.limits.ttl_s * 1000, self.limits.max_s * 1000)
        # Within the backlog too: one hold that is extended again and again would fill Redis.
        args = (hold_id(token), *limits_ms, *self._backlog_limits, self.limits.extend_step_s * 1000)
        return self._told(event_id, accepted(self._run("extend", event_id, *args)))

    def change(
        self,
        event_id: str,
        token: str,
        added: Sequence[SeatRange],
        removed: Sequence[SeatRange],
        limit: RateLimit | None = None,
    ) -> AcceptedHold:
        """Take seats into a hold and give others of it back, all or nothing. It lasts as long as before.

        Raises HoldExpired, SeatUnavailable, TooManyHeld, InvalidRequest, NotOnSale, BacklogFull, RateLimited.
        """
        args = (hold_id(token), runs_text(added), runs_text(removed), MAX_QUANTITY, *self._backlog_limits)
        return self._measured("change_hold", event_id, args, limit, "add")

    def release(self, event_id: str, token: str) -> Position:
        """Where the log ends then. Raises HoldExpired."""
        return self._scripts.reached(event_id, accepted(self._run("release", event_id, hold_id(token)))[1])

    def expire(self, event_id: str) -> int:
        """Releases holds that are due; returns how many. Of more than `RELEASED_A_CALL` some are left."""
        return int(self._run("expire", event_id)[1])

    def sweep_notes(self, event_ids: Sequence[str]) -> None:
        """Drop what is over of the notes that ended holds left: of each event, some now and some a second later."""
        counts = self._scripts.ask_all([("EXISTS", keys.notes(event_id)) for event_id in event_ids])
        with_notes = [event_id for event_id, count in zip(event_ids, counts, strict=True) if count]
        self._scripts.run_for_each("sweep_notes", [keys.of_seats(event_id) for event_id in with_notes], ())

    def _measured(
        self, script: str, event_id: str, args: Sequence[Argument], limit: RateLimit | None, field: str
    ) -> AcceptedHold:
        reply, verdict = self._scripts.measured(script, event_id, args, "holds", limit, field)
        sealed = [text.decode() for text in reply[8:]]
        return AcceptedHold(self._told(event_id, reply), reply[0] == b"REPLAYED", verdict, *sealed)

    def _run(self, script: str, event_id: str, *args: Argument) -> list[Any]:
        return self._scripts.run(script, keys.of_seats(event_id), args)

    def _told(self, event_id: str, reply: Sequence[Any]) -> HeldRecord:
        """Reads a reply that tells of a hold as it is now."""
        _, position, until_ms, left_ms, quantity, runs, tariff, currency, *_ = reply
        told = (int(until_ms), left_ms, quantity, SeatRange.parse_all(runs.decode()))
        return HeldRecord(self._scripts.reached(event_id, position), *told, tariff.decode(), currency.decode() or None)
