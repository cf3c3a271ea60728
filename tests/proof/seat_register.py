"""A seat as a register: what it may be, and what a call may make of it."""

from dataclasses import dataclass
from typing import NamedTuple

from tests.proof.history import Operation

_FREE_WITHIN_NS = 1_000_000_000
INFINITE = float("inf")


class SeatStatus(NamedTuple):
    """A letter as in the maps, and the purchase or hold that has the seat."""

    letter: str = "a"
    by: str = ""

    def __str__(self) -> str:
        words = {"a": "available", "h": "held", "s": "sold to", "o": "held by the organiser", "r": "blocked"}
        return f"{words.get(self.letter, 'sold at the box office')} {self.by[-16:]}".strip()


AVAILABLE = SeatStatus()


@dataclass(frozen=True, slots=True)
class SeatCall:
    """`kind` is buy, hold, buy_held, release, expire, cancel, cancel_again, loss, set, refused, or final.

    `by` is whose the seat is then or was, `hold` the hold that is bought, `letter` what a seat is set to. `end` is
    infinite for what may take effect at any later time, or never. `over` is by when holds were surely over, in ns. A
    loss may happen or not: what the seat was at some time before, it may then be again; `before` has all of that.
    """

    kind: str
    invoked: float
    end: float
    by: str = ""
    hold: str = ""
    letter: str = ""
    over: dict[str, float] | None = None
    before: tuple[SeatStatus, ...] = ()
    operations: tuple[Operation, ...] = ()

    @classmethod
    def final(cls, status: SeatStatus) -> "SeatCall":
        """Return a look at the seat after all else."""
        latest = 2**63
        return cls("final", latest, latest + 1, status.by, letter=status.letter)

    @property
    def is_read(self) -> bool:
        return self.kind in ("refused", "final")

    @property
    def made(self) -> SeatStatus | None:
        """What the seat becomes by it, but for those that give it back."""
        letters = {"buy": "s", "buy_held": "s", "hold": "h", "set": self.letter}
        return SeatStatus(letters[self.kind], self.by) if self.kind in letters else None

    @property
    def ends_it(self) -> bool:
        """Whether it may end a hold or purchase at any later time."""
        return self.kind in ("release", "expire", "cancel") and self.end == INFINITE

    @property
    def may_repeat(self) -> bool:
        """Whether it need not be noted that it has happened: it may never, and again after a loss."""
        return self.end == INFINITE and self.kind not in ("buy", "buy_held", "hold")

    def outcomes(self, status: SeatStatus) -> tuple[SeatStatus, ...]:
        """Return all that the seat may be after this call."""
        if self.kind == "loss":
            return self.before
        now = self.after(status)
        return () if now is None else (now,)

    def after(self, status: SeatStatus) -> SeatStatus | None:
        """Return what the seat is after this call; None if the call cannot have been answered as it was."""
        match self.kind, status.letter:
            case "buy", "a":
                return SeatStatus("s", self.by)
            case "hold", "a":
                return SeatStatus("h", self.by)
            case "buy_held", "h" if status.by == self.hold:
                return SeatStatus("s", self.by)
            case "release" | "expire", "h" if status.by == self.by:
                return AVAILABLE
            case "cancel" | "cancel_again", "s" if status.by == self.by:
                return AVAILABLE
            case "cancel_again", _:
                return status
            case "set", "a" | "o" | "r" | "b":
                return SeatStatus(self.letter)
            case "refused", letter if letter != "a" and self._is_in_time(status):
                return status
            case "final", letter if letter == self.letter and self.by in ("", status.by):
                return status
        return None

    def _is_in_time(self, status: SeatStatus) -> bool:
        """A hold that was over a second before the call is no reason to refuse the seat."""
        is_hold = status.letter == "h" and self.over is not None
        return not is_hold or self.invoked <= (self.over or {}).get(status.by, INFINITE) + _FREE_WITHIN_NS
