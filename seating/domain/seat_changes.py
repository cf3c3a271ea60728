"""What the outside sees of seats: the four words, and which entry of a log gave which seats which of them."""

from typing import Final, NamedTuple

from seating.domain.changes import Cancelled, Change, Purchased
from seating.domain.seating_plan import ROW_BREAK, Run

WORDS: Final = {"a": "available", "h": "held", "o": "held", "r": "reserved", "s": "sold", "b": "sold"}
"""The word for each character of a seat map."""

LETTERS: Final = {word[0]: word for word in WORDS.values()}
"""The alphabet of `outside_map`: a, h, r and s."""

_OUTSIDE = bytes.maketrans("".join(WORDS).encode(), "".join(word[0] for word in WORDS.values()).encode())


class SeatChange(NamedTuple):
    """The seats of `runs` have become `word`."""

    word: str
    runs: list[Run]


def seat_changes(change: Change) -> list[SeatChange]:
    """None for a change that left all seats as they were; runs are empty in general admission."""
    match change:
        case Purchased():
            return [SeatChange("sold", change.runs)]
        case Cancelled():
            return [SeatChange("available", change.runs)]
    return []


def outside_map(maps: bytes) -> str:
    """A letter a seat, as they stand in `maps`, without row breaks."""
    return maps.translate(_OUTSIDE, ROW_BREAK.encode()).decode()
