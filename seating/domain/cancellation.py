"""How much of a purchase is cancelled: nothing, some seats or places of it, or all.

What is to be cancelled is said in absolute terms, which seats or how many places in all. So a request that is repeated,
late or doubled never returns more than it says.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple, Self

from seating.domain.changes import Cancelled
from seating.domain.seating_plan import SeatRange, in_runs, places, runs_text


class Part(NamedTuple):
    """What is to be cancelled of a purchase: the seats in `runs`; `quantity` places in all; by default everything."""

    quantity: int | None = None
    runs: Sequence[SeatRange] = ()

    @property
    def is_all(self) -> bool:
        return self.quantity is None and not self.runs


ALL = Part()


class Cancellation(NamedTuple):
    """What has been cancelled of a purchase so far.

    `at_ms` is when that last grew, in ms since 1970, and `left` how many seats of the event were left then. `quantity`
    and `runs` are of a part, `quantity` None for all.
    """

    at_ms: int
    left: int
    quantity: int | None = None
    runs: Sequence[SeatRange] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `at|left`, or `at|left|quantity|runs` of a part, as cancel.lua writes it. Raises ValueError."""
        at_ms, left, *part = text.split("|")
        if not part:
            return cls(int(at_ms), int(left))
        quantity, runs = part
        return cls(int(at_ms), int(left), int(quantity), tuple(SeatRange.parse_all(runs)))

    def __str__(self) -> str:
        told = f"{self.at_ms}|{self.left}"
        return told if self.quantity is None else f"{told}|{self.quantity}|{runs_text(self.runs)}"

    @classmethod
    def after(cls, before: "Cancellation | None", change: Cancelled) -> "Cancellation":
        """What `change` makes of what was cancelled `before`."""
        # Entries of versions before have no `remaining`: they cancelled all that was left.
        if not change.remaining:
            return cls(change.at_ms, change.left)
        quantity, runs = (before.quantity or 0, before.runs) if before else (0, ())
        return cls(change.at_ms, change.left, quantity + change.quantity, (*runs, *change.runs))

    @property
    def is_whole(self) -> bool:
        return self.quantity is None


class Bought(NamedTuple):
    """What a purchase was of. `runs` are empty in general admission without categories.

    The places of an area are counted from the purchase's first, so they are cancelled one by one like seats.
    """

    quantity: int
    runs: Sequence[SeatRange]

    def as_part(self) -> Part:
        """To cancel just this."""
        return Part(runs=self.runs) if self.runs else Part(self.quantity)

    def cancelled(self, cancellation: Cancellation | None) -> Self:
        """What of it is cancelled."""
        if cancellation is None:
            return self._replace(quantity=0, runs=())
        if cancellation.quantity is None:
            return self
        return self._replace(quantity=cancellation.quantity, runs=cancellation.runs)

    def standing(self, cancellation: Cancellation | None) -> Self:
        """What of it is not."""
        gone = self.cancelled(cancellation)
        return self._replace(quantity=self.quantity - gone.quantity, runs=_without(self.runs, gone.runs))

    def to_cancel(self, part: Part, cancellation: Cancellation | None) -> Self:
        """What is to be returned for `part`, without what `cancellation` has already; of a quantity 0 if it has all."""
        standing = self.standing(cancellation)
        if part.is_all:
            return standing
        if part.quantity is not None:
            more = min(max(0, part.quantity - self.cancelled(cancellation).quantity), standing.quantity)
            return self._replace(quantity=more, runs=in_runs(islice(places(standing.runs), more)))
        runs = _within(part.runs, standing.runs)
        return self._replace(quantity=sum(run.length for run in runs), runs=runs)

    def united(self, one: Cancellation | None, other: Cancellation | None) -> Cancellation | None:
        """What is cancelled where two histories of it are made one."""
        if one is None or other is None or other.is_whole:
            return other if one is None or (other and not one.is_whole) else one
        if one.is_whole:
            return one
        runs = (*one.runs, *_without(other.runs, one.runs))
        # Totals without runs may count the same places, so the greater one holds, not the sum.
        quantity = sum(run.length for run in runs) or max(one.quantity or 0, other.quantity or 0)
        latest = max(one, other, key=lambda each: each.at_ms)
        if quantity == self.quantity:
            return Cancellation(latest.at_ms, latest.left)
        return latest._replace(quantity=quantity, runs=runs)


def _without(runs: Iterable[SeatRange], gone: Iterable[SeatRange]) -> list[SeatRange]:
    taken = set(places(gone))
    return in_runs(place for place in places(runs) if place not in taken)


def _within(runs: Iterable[SeatRange], others: Iterable[SeatRange]) -> list[SeatRange]:
    kept = set(places(others))
    return in_runs(place for place in places(runs) if place in kept)
