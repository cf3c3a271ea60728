"""Asking Redis about one event: its scripts and plain commands, and what it means when Redis does not answer."""

import math
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from seating.domain import errors
from seating.domain.position import Position
from seating.domain.purchase import MAX_QUANTITY
from seating.domain.rate_policy import Verdict
from seating.domain.seating_plan import SeatRange
from seating.domain.timestamps import rfc3339
from seating.redis_store import keys
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.failures import FAILURES, meaning, unavailable
from seating.redis_store.inventory_snapshot import FIELDS
from seating.redis_store.rate_limits import RateLimit

_T = TypeVar("_T")
_ASKED_AT_ONCE = 500
_REFUSED = frozenset({b"UNTRUSTED", b"BEHIND", b"STOPPED"})


class MissingInventory(errors.InventoryUnavailable):
    """Redis holds no inventory for this event: there is no such event, or Redis has lost it."""


class EventScripts:
    """Raises InventoryUnavailable, OutcomeUnknown where a script may have run, BacklogFull where Redis is full."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def run(self, name: str, event_keys: Sequence[str], args: Sequence[Argument]) -> list[Any]:
        """A script that needs a trusted inventory on a durable server. Raises MissingInventory where there is none."""
        reply = self.reply(name, event_keys, args, promises=True)
        # A script that is refused has changed nothing, so it may run again.
        while reply[0] == b"UNTRUSTED" and self._calls.doubt(event_keys[0], reply[1]):
            reply = self.reply(name, event_keys, args, promises=True)
        if reply[0] == b"MISSING":
            raise MissingInventory
        if reply[0] in _REFUSED:
            raise errors.InventoryUnavailable
        return reply

    def measured(
        self, name: str, event_id: str, args: Sequence[Argument], group: str, limit: RateLimit | None, field: str
    ) -> tuple[Sequence[Any], Verdict | None]:
        """Run a script that sells or holds; it also asks `limit`, if there is one, which counts for `group`.

        Return what `accepted` does, and the verdict; None if the limit was not asked. Raises what `accepted` does, with
        the verdict, and RateLimited.
        """
        event_keys = (*keys.of_sale(event_id), keys.buyers(event_id))
        if limit:
            event_keys = (*event_keys, keys.event_limit(event_id, group, limit.key))
            args = (*args, *limit.policy.arguments)
        reply = self.run(name, event_keys, args)
        verdict = limit.verdict(reply.pop()) if limit and isinstance(reply[-1], list) else None
        try:
            return accepted(reply, field), verdict
        except errors.SeatingError as refusal:
            refusal.verdict = verdict
            raise

    def reached(self, event_id: str, reply: bytes) -> Position:
        """Return the position in a script's reply, which the process has seen from now on."""
        position = Position.parse(reply.decode())
        self._calls.seen.note(event_id, position)
        return position

    def reply(
        self, name: str, event_keys: Sequence[str], args: Sequence[Argument], *, promises: bool = False
    ) -> list[Any]:
        try:
            reply: list[Any] = self._calls.script(name, event_keys, args, promises=promises)
        except FAILURES as error:
            raise meaning(error) from error
        return reply

    def look(self, events_keys: Sequence[Sequence[str]]) -> list[list[bytes | None] | None]:
        """What each inventory says of itself, as look.lua replies.

        None where its server does not answer, while others of a cluster do.
        """
        return self.run_for_each("look", events_keys, FIELDS)

    def run_for_each(self, name: str, events_keys: Sequence[Sequence[str]], args: Sequence[Argument]) -> list[Any]:
        """The replies of one script for many events, in order; None as in `ask_all`."""
        return self._in_parts(lambda part: self._calls.scripts(name, part, args), events_keys)

    def ask(self, *words: Argument) -> Any:
        return self.ask_all([words])[0]

    def ask_all(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """The replies, in order; of thousands of events in several round trips, between which others are served.

        None where a server of a cluster does not answer while others do.
        """
        return self._in_parts(self._calls.commands_of_each, commands)

    @staticmethod
    def _in_parts(ask: Callable[[Sequence[_T]], list[Any]], questions: Sequence[_T]) -> list[Any]:
        replies: list[Any] = []
        # Of one size: those of a small last part could all be on a server that does not answer.
        parts = max(1, math.ceil(len(questions) / _ASKED_AT_ONCE))
        size = max(1, math.ceil(len(questions) / parts))
        with unavailable():
            for first in range(0, len(questions), size):
                replies += ask(questions[first : first + size])
        return replies


_ACCEPTED: Final = frozenset({b"SOLD", b"HELD", b"REPLAYED", b"EXTENDED", b"CHANGED", b"FOUND", b"RELEASED", b"SET"})


class RunsRefused(errors.SeatingError):
    """`runs` are the seats that are why; whoever knows their names raises `named` instead."""

    named: type[errors.SeatingError]

    def __init__(self, runs: list[SeatRange]) -> None:
        super().__init__()
        self.runs = runs


class RunsUnavailable(RunsRefused, errors.SeatUnavailable):
    """They cannot be had."""

    named = errors.SeatUnavailable


class RunsSold(RunsRefused, errors.SeatSold):
    """Buyers own them."""

    named = errors.SeatSold


class RunsHeld(RunsRefused, errors.SeatHeld):
    """Buyers hold them."""

    named = errors.SeatHeld


_OF_RUNS: Final[dict[bytes, type[RunsRefused]]] = {
    b"SEAT_UNAVAILABLE": RunsUnavailable,
    b"SEAT_SOLD": RunsSold,
    b"SEAT_HELD": RunsHeld,
}


def accepted(reply: Sequence[Any], field: str = "quantity") -> Sequence[Any]:
    """The reply, if it is not a refusal. Otherwise raises what it says; `field` is what says how many seats are wanted.

    SoldOut, NotTogether, RunsUnavailable, NotOnSale, IdempotencyKeyReused, BacklogFull, HoldExpired, TooManyHeld,
    RunsSold, RunsHeld, BuyerLimit, or InvalidRequest for a hold without seats and for too many seats.
    """
    if reply[0] in _ACCEPTED:
        return reply
    raise _refusal(reply[0], reply[1] if len(reply) > 1 else None, reply, field)


def _refusal(outcome: bytes, detail: Any, reply: Sequence[Any], field: str) -> errors.SeatingError:
    match outcome:
        case b"SOLD_OUT":
            return errors.SoldOut(seats_remaining=detail)
        case b"NOT_TOGETHER":
            return errors.NotTogether(seats_remaining=detail)
        case b"SEAT_UNAVAILABLE" | b"SEAT_SOLD" | b"SEAT_HELD":
            return _OF_RUNS[outcome](SeatRange.parse_all(detail.decode()))
        case b"NOT_ON_SALE":
            return errors.NotOnSale(state=detail.decode())
        case b"NOT_OPEN":
            return errors.NotOpenYet(int(detail), int(reply[2]))
        case b"OVER":
            return errors.NotOnSale("The sale is over", state="on_sale", closes_at=rfc3339(int(detail)))
        case b"TOO_MANY":
            return _too_many(detail, field)
        case b"BUYER_MISSING":
            most = f"This event sells at most {detail} seats to one buyer"
            return errors.InvalidRequest(f"{most}: say in buyer who it is, with the key of a shop", "buyer")
        case b"BUYER_LIMIT":
            return errors.BuyerLimit(left=detail)
        case b"TOO_MANY_HELD":
            return errors.TooManyHeld(seats_held=detail)
        case b"HOLD_SIZE":
            return _wrong_size(detail)
        case b"REUSED":
            return errors.IdempotencyKeyReused.of(detail.decode())
    plain: dict[bytes, type[errors.SeatingError]] = {
        b"BACKLOG_FULL": errors.BacklogFull,
        b"HOLD_EXPIRED": errors.HoldExpired,
    }
    return plain[outcome]()


def _too_many(most: int, field: str) -> errors.SeatingError:
    if field == "holdToken":  # The limit is lower than when it was made.
        sentence = f"This hold has more than the {most} seats that one purchase may have: remove some of them"
    elif field == "add":
        sentence = f"A hold of this event cannot have more than {most} seats"
    else:
        sentence = f"{field.capitalize()} cannot exceed {most} in one purchase"
    return errors.InvalidRequest(sentence, field)


def _wrong_size(seats: int) -> errors.SeatingError:
    if seats > MAX_QUANTITY:
        return errors.InvalidRequest(f"A hold cannot have more than {MAX_QUANTITY} seats", "add")
    return errors.InvalidRequest("Remove must leave a seat in the hold; DELETE it to give all of them back", "remove")
