"""What the outside sees of seats: the four words, and which entry of a log gave which seats which of them."""

from typing import Final, NamedTuple

from seating.domain.changes import Cancelled, Change, Held, HoldChanged, Purchased, Released, SeatSet
from seating.domain.seat_status import UNKNOWN, WORDS
from seating.domain.seating_plan import ROW_BREAK, SeatRange

LETTERS: Final = {word[0]: word for word in WORDS.values()}
"""The alphabet of `outside_map`: a, h, r and s."""

_OUTSIDE = bytes(ord(WORDS.get(chr(character), UNKNOWN)[0]) for character in range(256))


class SeatChange(NamedTuple):
    """The seats of `runs` have become `word`."""

    word: str
    runs: list[SeatRange]


def seat_changes(change: Change) -> list[SeatChange]:
    """None for a change that left all seats as they were; runs are empty in general admission."""
    match change:
        case Purchased():
            return [SeatChange("sold", change.runs)]
        case Held():
            return [SeatChange("held", change.runs)]
        case HoldChanged():
            changed = (SeatChange("available", change.removed), SeatChange("held", change.added))
            return [one for one in changed if one.runs]
        case SeatSet():
            return [SeatChange(WORDS[change.status], change.runs)]
        case Cancelled() | Released():
            return [SeatChange("available", change.runs)]
    return []


def outside_map(maps: bytes) -> str:
    """A letter a seat, as they stand in `maps`, without row breaks."""
    return maps.translate(_OUTSIDE, ROW_BREAK.encode()).decode()
