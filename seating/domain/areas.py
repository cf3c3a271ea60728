"""Areas of general admission: a category with places that nobody tells apart, counted by status.

Where a hall has a map of each block, an area has the text of its counts: `a480b0h2o0r10s8x0`. A run of an area always
begins at 0: `2:0-5` are five places of area 2.
"""

import re
from typing import Final

from seating.domain.seat_status import AVAILABLE, OFF_SALE, ORGANISED

# `a` comes first: by it and the digit behind it, areas.lua tells an area from a map.
_LETTERS: Final = "abhorsx"
_COUNT: Final = re.compile(r"([a-z])(\d+)", re.ASCII)


def new_area(capacity: int) -> str:
    """An area with all of its places available."""
    return _text({AVAILABLE: capacity})


def is_area(seats: str | bytes) -> bool:
    """Whether this is the counts of an area, not the map of a block."""
    return seats[1:2].isdigit()


def places(area: str, status: str) -> int:
    """How many places of an area have a status."""
    return _counts(area).get(status, 0)


def move(area: str, was: str, status: str, length: int) -> str:
    """The area once `length` places of it have changed from `was` to `status`.

    Places that were available come from those off sale where there are too few. Raises IndexError where it has not that
    many.
    """
    counts = _counts(area)
    taken = min(counts.get(was, 0), length)
    counts[was] = counts.get(was, 0) - taken
    # A history that was lost may have sold places whose category is off sale by now.
    if was == AVAILABLE:
        counts[OFF_SALE] = counts.get(OFF_SALE, 0) - (length - taken)
        taken = length
    if taken < length or min(counts.values()) < 0:
        raise IndexError(f"an area has no {length} places of status {was}")
    counts[status] = counts.get(status, 0) + length
    return _text(counts)


def organise(organised: str, was: str, status: str, length: int) -> str:
    """Change `length` of the places that the organiser has in an event without areas; the text is like an area's.

    Raises IndexError where the organiser has not that many.
    """
    counts = {letter: places(organised, letter) for letter in ORGANISED}
    for letter, more in ((was, -length), (status, length)):
        # What is available has no count of its own here: it is the rest of the capacity.
        if letter in counts:
            counts[letter] += more
    if min(counts.values()) < 0:
        raise IndexError(f"the organiser has no {length} places of status {was}")
    return "".join(f"{letter}{count}" for letter, count in counts.items())


def _counts(area: str) -> dict[str, int]:
    return {letter: int(count) for letter, count in _COUNT.findall(area)}


def _text(counts: dict[str, int]) -> str:
    return "".join(f"{letter}{counts.get(letter, 0)}" for letter in _LETTERS)
