"""What the checks of one event look at: its part of the history, its final state, its ledger walked once."""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from seating.domain.hold import hold_id
from seating.domain.idempotency import short_hash
from tests.proof.final_state import BoughtRow, FinalState
from tests.proof.history import Operation, RecordedHistory
from tests.proof.seat_ledger import SeatLedger

MS = 1_000_000
"""Nanoseconds of a millisecond."""


class Breach(NamedTuple):
    """A broken promise: which, what is wrong, the operations that show it, and the event that they are about."""

    invariant: str
    what: str
    operations: tuple[Operation, ...] = ()
    event: str = ""


def seq_of(position: str) -> int:
    return int(position.rpartition("-")[2])


@dataclass
class Evidence:
    """`history` has the operations, faults and maps of this event only. `seat` is the only one to search, if given."""

    history: RecordedHistory
    final: FinalState
    seat: str = ""

    def with_requests(self, operations: Sequence[Operation], seat: str = "") -> "Evidence":
        """Return the evidence of these requests alone, with the same stores, and the clocks as all requests tell."""
        fewer = Evidence(replace(self.history, operations=[*operations]), self.final, seat)
        for name in ("ledger", "changes", "positions", "rows", "clock_offset_ms"):
            fewer.__dict__[name] = getattr(self, name)
        return fewer

    @cached_property
    def ledger(self) -> SeatLedger:
        return SeatLedger.walk(self.final)

    @cached_property
    def changes(self) -> dict[int, dict[str, Any]]:
        """Each recorded change, by its seq."""
        return {seq_of(line.position): json.loads(line.change) for line in self.final.ledger}

    @cached_property
    def positions(self) -> dict[int, str]:
        """The position of each recorded change, by its seq."""
        return {seq_of(line.position): line.position for line in self.final.ledger}

    @cached_property
    def rows(self) -> dict[str, BoughtRow]:
        """The recorded purchases by id."""
        return {row.id: row for row in self.final.purchases}

    @cached_property
    def bought(self) -> dict[str, list[Operation]]:
        """The acknowledged purchases by id, each with all its answers."""
        found: dict[str, list[Operation]] = defaultdict(list)
        for one in self.history.acknowledged("purchase", "hold_purchase"):
            found[str((one.answer or {}).get("purchaseId"))].append(one)
        return found

    @cached_property
    def holds(self) -> dict[str, list[Operation]]:
        """The acknowledged holds by the id that the log has."""
        found: dict[str, list[Operation]] = defaultdict(list)
        for one in self.history.acknowledged("hold"):
            found[hold_id(str((one.answer or {}).get("holdToken")))].append(one)
        return found

    def on_hold(self, *ops: str) -> dict[str, list[Operation]]:
        """Return the operations of these kinds, whatever came of them, by the id of their hold."""
        found: dict[str, list[Operation]] = defaultdict(list)
        for one in self.history.operations:
            if one.op in ops:
                found[token_id(one)].append(one)
        return found

    @cached_property
    def extensions(self) -> dict[str, list[Operation]]:
        return self.on_hold("extend")

    @cached_property
    def _last_loss(self) -> int:
        return max((fault.ended for fault in self.history.faults if fault.may_lose), default=-1)

    def breaches_in_ledger(self, invariant: str) -> Iterator[Breach]:
        """Yield those that the ledger alone shows, with what was answered about the same purchases and holds."""
        told = {str((one.answer or {}).get("position")): one for ops in self.bought.values() for one in ops}
        told |= {hold: answers[0] for hold, answers in self.holds.items()}
        for broken, what, about in self.ledger.wrong:
            if broken == invariant:
                yield Breach(invariant, what, tuple(told[name] for name in about if name in told))

    def may_be_lost(self, one: Operation) -> bool:
        """Whether a fault that may lose confirmed changes ended after this one was asked for."""
        return one.invoked <= self._last_loss

    def entry_of(self, one: Operation) -> dict[str, Any] | None:
        """Return what the ledger has of an acknowledged purchase or hold."""
        answer = one.answer or {}
        entry = self.changes.get(seq_of(answer.get("position") or "0-0"), {})
        is_its = entry.get("nonce", " ") in answer.get("purchaseId", "") or (
            entry.get("kind") == "held" and entry["hold"] == hold_id(str(answer.get("holdToken")))
        )
        return entry if is_its else None

    def setting_of(self, one: Operation) -> dict[str, Any] | None:
        """Return what the ledger has of the organiser's seats that were set."""
        position = str((one.answer or {}).get("position") or "0-0")
        entry = self.changes.get(seq_of(position), {})
        is_its = self.positions.get(seq_of(position)) == position and entry.get("kind") == "seat_set"
        return entry if is_its else None

    @cached_property
    def clock_was_stepped(self) -> bool:
        """Whether Redis's clock was set: then holds, which last by it, may end at any moment by another."""
        return any("clock" in fault.fault for fault in self.history.faults)

    @property
    def may_lose(self) -> bool:
        return self._last_loss >= 0

    @cached_property
    def clock_offset_ms(self) -> tuple[float, float] | None:
        """Bounds of what to add to the monotonic clock, in ms, to get Redis's; None where no one offset fits.

        Each acknowledged entry was written between the invocation and the return of its operation.
        """
        lowest, highest = float("-inf"), float("inf")
        for one in self.history.acknowledged("purchase", "hold", "hold_purchase"):
            entry = self.entry_of(one)
            if entry and one.returned and "Idempotent-Replayed" not in one.headers and "original" not in entry:
                lowest = max(lowest, entry["at"] - one.returned / MS)
                highest = min(highest, entry["at"] + 1 - one.invoked / MS)
        if highest == float("inf") or lowest - highest > CLOCK_SLACK_MS:
            return None
        return min(lowest, highest), max(lowest, highest)


CLOCK_SLACK_MS = 50.0
"""By how much two clocks of one machine may drift apart during a run."""


def field_of(one: Operation) -> str:
    """Return what the log calls the key of a purchase or hold."""
    return short_hash(str(one.arguments.get("caller", "anonymous")), str(one.key))


def token_id(one: Operation) -> str:
    """Return the log's id of the hold whose token is in the arguments, as `hold` or, of a purchase, `holdToken`."""
    return hold_id(str(one.arguments.get("hold") or one.arguments.get("holdToken")))


def purchase_of(one: Operation) -> str:
    return str((one.answer or {}).get("purchaseId"))


def seats_of(one: Operation) -> tuple[str, ...]:
    return tuple((one.answer or {}).get("seats") or ())


def all_differ(things: Iterable[Any]) -> bool:
    found = list(things)
    return len(set(found)) == len(found)
