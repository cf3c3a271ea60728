"""The seats of one block by status: a map with a character for each seat, or an area, which counts its places."""

from typing import Final

from seating.domain import areas
from seating.domain.seat_status import AVAILABLE, OFF_SALE
from seating.domain.seating_plan import ROW_BREAK, SeatRange

LONGEST_RUN: Final = 10
"""Longer runs of available seats need not be told apart: no purchase has more seats."""


def count(seats: str, status: str) -> int:
    """Return how many seats have a status."""
    return areas.places(seats, status) if areas.is_area(seats) else seats.count(status)


def mark(seats: str, run: SeatRange, was: str, status: str) -> str:
    """Return the seats once those of `run` have changed from `was` to `status`. Raises IndexError as `areas.move`."""
    if areas.is_area(seats):
        return areas.move(seats, was, status, run.length)
    return seats[: run.start] + status * run.length + seats[run.start + run.length :]


def replace(seats: str, was: str, status: str) -> str:
    """Return the seats once all of status `was` have changed to `status`."""
    if areas.is_area(seats):
        return areas.move(seats, was, status, areas.places(seats, was))
    return seats.replace(was, status)


def can_be_had(seats: str, run: SeatRange) -> bool:
    """Return whether all of `run` is available, or only off sale."""
    if areas.is_area(seats):
        return areas.places(seats, AVAILABLE) + areas.places(seats, OFF_SALE) >= run.length
    return not set(seats[run.start : run.start + run.length]) - {AVAILABLE, OFF_SALE}


def taken_off_sale(seats: str, run: SeatRange) -> int:
    """Return how many seats off sale a buyer of `run` takes. An area gives its available places first."""
    if areas.is_area(seats):
        return max(0, run.length - areas.places(seats, AVAILABLE))
    return seats.count(OFF_SALE, run.start, run.start + run.length)


def longest_run(seats: str) -> int:
    """Return the length of a map's longest run of available seats, LONGEST_RUN at most."""
    available = seats.translate({ord(status): ROW_BREAK for status in set(seats) - {AVAILABLE}})
    return min(LONGEST_RUN, max(map(len, available.split(ROW_BREAK))))
