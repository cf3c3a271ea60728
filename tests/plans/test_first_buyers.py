"""Where buyers of a hall with wings and a curved balcony sit, judged by the coordinates in the file alone."""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import pytest

from seating.domain import plan_file, plan_reading
from seating.domain.seating_plan import SeatingPlan
from tests.inventory.best_place import SearchedRange, best_seats, marked

PITCH = 25.0
AXIS = 500.0
STAGE = complex(AXIS, 25)


def piece(row: str, category: str, first: int, seats: Sequence[complex]) -> dict[str, Any]:
    return {
        "row_number": row,
        "position": {"x": 0, "y": 0},
        "seats": [
            {
                "seat_guid": f"{category}-{row}-{number}",
                "seat_number": str(number),
                "category": category,
                "position": {"x": round(seat.real, 2), "y": round(seat.imag, 2)},
            }
            for number, seat in enumerate(seats, first)
        ],
    }


def stalls_row(number: int) -> list[dict[str, Any]]:
    """The row's centre, with an aisle in its middle every third row; the five rows in the middle have wings.

    A wing bends towards the stage, has more seats the farther back it is, and is drawn as a row of its own.
    """
    y = 110 + 30 * number
    half = [15 + PITCH * place + (20 if number % 3 == 2 else -2.5) for place in range(6 + number // 2)]
    centre = [complex(AXIS - x, y) for x in reversed(half)] + [complex(AXIS + x, y) for x in half]
    parts = [centre]
    if 2 <= number <= 6:
        wing = [complex(half[-1] + 60 + 24 * place, -8 - 7 * place) for place in range(4 + number)]
        left = [complex(AXIS - seat.real, y + seat.imag) for seat in reversed(wing)]
        parts = [left, centre, [complex(AXIS + seat.real, y + seat.imag) for seat in wing]]
    pieces, first = [], 1
    for seats in parts:
        pieces.append(piece("ABCDEFGH"[number], "Stalls", first, seats))
        first += len(seats)
    return pieces


def balcony_row(number: int) -> dict[str, Any]:
    """An arc around the stage, with two aisles."""
    radius = 480.0 + 30 * number
    step = PITCH / radius
    angles = [step * (place - 19.5) for place in range(40) if place not in (11, 28)]
    return piece("ABC"[number], "Balcony", 1, [STAGE + radius * complex(math.sin(at), math.cos(at)) for at in angles])


def by_row(numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [part for number in numbers for part in stalls_row(number)]


def by_section(numbers: Sequence[int]) -> list[dict[str, Any]]:
    """The left wing, then the centre, then the right wing, as each is drawn in an editor."""
    rows = [stalls_row(number) for number in numbers]
    winged = [row for row in rows if len(row) == 3]
    return [row[0] for row in winged] + [row[len(row) // 2] for row in rows] + [row[2] for row in winged]


FARTHEST_FIRST = range(7, -1, -1)
LISTED = {
    "farthest first": by_row(FARTHEST_FIRST),
    "farthest first by section": by_section(FARTHEST_FIRST),
    "nearest first": by_row(range(8)),
}


def hall(listed: str) -> dict[str, Any]:
    stage = {
        "shape": "rectangle",
        "position": {"x": AXIS - 150, "y": 0},
        "rectangle": {"width": 300, "height": 50},
        "text": {"text": "Stage", "position": {"x": 150, "y": 25}},
    }
    corner = {"position": {"x": 0, "y": 0}}
    balcony = [balcony_row(number) for number in (range(3) if listed == "nearest first" else (2, 1, 0))]
    return {
        "name": "Hall",
        "categories": [{"name": "Stalls"}, {"name": "Balcony"}],
        "zones": [
            {"name": "Stalls", "rows": LISTED[listed], "areas": [stage], **corner},
            {"name": "Balcony", "rows": balcony, "areas": [], **corner},
        ],
    }


class Room(NamedTuple):
    """A stretch that seats a party: how far its row is from the stage, it from the row's middle, and where it is."""

    row: float
    from_middle: float
    x: float
    seats: frozenset[str]


def rooms(at: dict[str, complex], free: set[str], quantity: int) -> Iterator[Room]:
    """Read from the coordinates: a row's seats have one name but for their number; the next seat is a pitch away."""
    for name in dict.fromkeys(seat.rpartition("-")[0] for seat in at):
        row = sorted((seat for seat in at if seat.rpartition("-")[0] == name), key=lambda seat: at[seat].real)
        distance = min(abs(at[seat] - STAGE) for seat in row)
        middle = (at[row[0]].real + at[row[-1]].real) / 2
        cuts = [place for place, (one, other) in enumerate(pairwise(row), 1) if abs(at[other] - at[one]) > 1.5 * PITCH]
        for start, end in pairwise([0, *cuts, len(row)]):
            stretch = row[start:end]
            if any(free.issuperset(stretch[place : place + quantity]) for place in range(len(stretch) - quantity + 1)):
                x = (at[stretch[(len(stretch) - 1) // 2]].real + at[stretch[len(stretch) // 2]].real) / 2
                yield Room(round(distance, 1), round(abs(x - middle), 1), x, frozenset(stretch))


def chosen(plan: SeatingPlan, category: int, quantity: int) -> Iterator[list[str]]:
    """The seats of one party after another, until none fits."""
    maps = list(plan.empty_maps())
    blocks = [block for block, its in enumerate(plan.parts.category_of) if its == category]
    searched = [SearchedRange(blocks[0], blocks[-1])]
    while runs := best_seats(maps, quantity, together=True, ranges=searched, to_middles=plan.to_middles):
        for run in runs:
            maps[run.block] = marked(maps[run.block], run, "s")
        yield plan.seats_of(runs)


@pytest.mark.parametrize("quantity", range(1, 11))
@pytest.mark.parametrize("listed", LISTED)
@pytest.mark.parametrize("category", ["Stalls", "Balcony"])
def test_each_party_has_the_best_that_is_left(category: str, listed: str, quantity: int) -> None:
    file = hall(listed)
    at = {
        seat["seat_guid"]: complex(seat["position"]["x"], seat["position"]["y"])
        for zone in file["zones"]
        for row in zone["rows"]
        for seat in row["seats"]
        if seat["category"] == category
    }
    free = set(at)
    plan = plan_file.read(plan_reading.parse(file))
    for seats in chosen(plan, ["Stalls", "Balcony"].index(category), quantity):
        best = min(rooms(at, free, quantity))
        assert all(abs(at[other] - at[one]) <= 1.5 * PITCH for one, other in pairwise(seats))
        assert best.seats.issuperset(seats), (seats, best)
        free.difference_update(seats)
    assert not list(rooms(at, free, quantity))
