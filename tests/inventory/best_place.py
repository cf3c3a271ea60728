"""Where seats are best, said in the most obvious way."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from seating.domain.seating_plan import SeatRange, Spot

AISLE = "|"
"""Between two stretches of a map."""


AN_AISLE = 500
"""In hundredths of a seat's width, as all distances: no aisle within a row is wider. Another row is as far at least."""


MOST_PARTS = 64
"""Of all the parties that are gathered around one run or another, to choose the one that is nearest."""


class SearchedRange(NamedTuple):
    """Blocks `first` to `last`, which are of one category."""

    first: int
    last: int
    category: int = 0


class Terms(NamedTuple):
    """On what terms a category is sold."""

    on_sale: bool = True
    on_request: bool = False
    accessible: bool = False
    order: int = 0


class Wish(NamedTuple):
    """What a buyer wishes: the number of a `category`, `within` the blocks from one to another."""

    quantity: int
    together: bool = False
    mix: bool = False
    category: int | None = None
    within: tuple[int, int] | None = None
    accessible: bool = False


def open_to(wish: Wish, category_of: Sequence[int], terms: Sequence[Terms]) -> list[SearchedRange]:
    """The blocks that somebody with this wish is seated in, in the order in which they are searched."""
    found = []
    for block, category in sorted(enumerate(category_of), key=lambda one: (terms[one[1]].order, one[0])):
        its = terms[category]
        if not its.on_sale:
            continue
        if its.on_request and wish.category is None and not wish.accessible:
            continue
        if wish.accessible and not its.accessible:
            continue
        if wish.category not in (None, category):
            continue
        if wish.within and not wish.within[0] <= block <= wish.within[1]:
            continue
        found.append(SearchedRange(block, block, category))
    return found


@dataclass(frozen=True)
class FreeRun:
    """Available seats side by side. `middle` and `step`, from seat to seat, are in hundredths of a seat's width."""

    block: int
    start: int
    length: int
    row: object
    middle: tuple[float, float]
    step: tuple[int, int]

    def distance(self, other: "FreeRun") -> float:
        """Between the nearest seats, as if rows were parallel; another row is an aisle further."""
        (step_x, step_y), step = self.step, math.sqrt(self.step[0] ** 2 + self.step[1] ** 2)
        x, y = other.middle[0] - self.middle[0], other.middle[1] - self.middle[1]
        along = abs(x * (step_x / step) + y * (step_y / step)) - 50 * (self.length - 1) - 50 * (other.length - 1)
        across = abs(x * (step_y / step) - y * (step_x / step))
        straight = math.sqrt(max(0, along) * max(0, along) + across * across)
        return straight + (0 if self.row == other.row else AN_AISLE)


def best_seats(
    blocks: Sequence[str],
    quantity: int,
    *,
    together: bool = False,
    mix: bool = False,
    ranges: Sequence[SearchedRange] | None = None,
    spots: Sequence[Sequence[Spot]] = (),
    to_middles: Sequence[Sequence[int]] = (),
) -> list[SeatRange] | None:
    """Together in the first row that has them, or else split as well as can be; or None."""
    ranges = [SearchedRange(0, len(blocks) - 1)] if ranges is None else ranges
    for first, last, _ in ranges:
        for block in range(first, last + 1):
            place = best_place(blocks[block], quantity, to_middles[block] if to_middles else ())
            if place is not None:
                return [SeatRange(block, place, quantity)]
    if together:
        return None
    categories = [0] if mix else list(dict.fromkeys(searched.category for searched in ranges))
    splits = [
        split
        for category in categories
        if (
            split := Split.of(
                [
                    run
                    for searched in ranges
                    if mix or searched.category == category
                    for block in range(searched.first, searched.last + 1)
                    for run in free_runs(block, blocks[block], spots[block] if block < len(spots) else ())
                ],
                quantity,
            )
        )
    ]
    return min(splits, key=lambda split: (split.parts, split.singles)).best() if splits else None


def best_place(seats: str, quantity: int, to_middles: Sequence[int] = ()) -> int | None:
    """In the first stretch that has them: no room lost, nobody left alone, nearest the row's middle, leftmost.

    `to_middles` has how many halves of a seat the middle of its row is from that of each stretch.
    """
    stretch_start = 0
    for number, stretch in enumerate(seats.split(AISLE)):
        places = [place for place in range(len(stretch) - quantity + 1) if stretch[place:].startswith("a" * quantity)]
        if places:
            middle = (len(stretch) - quantity + (to_middles[number] if to_middles else 0)) / 2
            best = min(
                places,
                key=lambda place: (
                    room_lost(stretch, place, quantity),
                    leaves_single(stretch, place, quantity),
                    abs(place - middle),
                    place,
                ),
            )
            return stretch_start + best
        stretch_start += len(stretch) + 1
    return None


def free_beside(stretch: str, place: int, quantity: int) -> tuple[int, int]:
    before, after = stretch[:place], stretch[place + quantity :]
    return len(before) - len(before.rstrip("a")), len(after) - len(after.lstrip("a"))


def room_lost(stretch: str, place: int, quantity: int) -> int:
    """How many parties of this size fewer its run has room for, apart from this one."""
    left, right = free_beside(stretch, place, quantity)
    return (left + quantity + right) // quantity - (left // quantity + 1 + right // quantity)


def leaves_single(stretch: str, place: int, quantity: int) -> bool:
    return 1 in free_beside(stretch, place, quantity)


def free_runs(block: int, seats: str, spots: Sequence[Spot]) -> list[FreeRun]:
    """Without `spots`, each stretch is a row behind the one before, and other blocks are further away."""
    runs, start = [], 0
    for number, stretch in enumerate(seats.split(AISLE)):
        row: object = ("row", block, number)
        x, y, step = 0, 100_000 * block + 100 * number, (100, 0)
        if spots:
            row, x, y, *_ = spots[number]
            step = spots[number][3:] if any(spots[number][3:]) else (100, 0)
        place = 0
        for status, group in groupby(stretch):
            length = len(list(group))
            if status == "a":
                offset = place + (length - len(stretch)) / 2
                middle = (x + step[0] * offset, y + step[1] * offset)
                runs.append(FreeRun(block, start + place, length, row, middle, step))
            place += length
        start += len(stretch) + 1
    return runs


@dataclass(frozen=True)
class Split:
    """How a party is split over `runs`, which are in search order: the fewest parts, and the fewest of one seat."""

    runs: list[FreeRun]
    quantity: int
    parts: int
    singles: int

    @classmethod
    def of(cls, runs: list[FreeRun], quantity: int) -> "Split | None":
        """None if there are too few seats."""
        longest = sorted((run.length for run in runs), reverse=True)
        for parts in range(2, quantity + 1):
            if sum(longest[:parts]) >= quantity:
                return cls(runs, quantity, parts, fewest_singles(longest[:parts], quantity))
        return None

    def best(self) -> list[SeatRange]:
        """Around the first run that can have the others in its row, an aisle away; or else have them nearest."""

        def away(chosen: list[FreeRun]) -> float:
            return max(AN_AISLE, *map(chosen[0].distance, chosen[1:]))

        hosts = [run for run in self.runs if run.length >= self.quantity / self.parts][: MOST_PARTS // self.parts]
        return self.seats_in(min(map(self.around, hosts), key=away))

    def around(self, host: FreeRun) -> list[FreeRun]:
        """The host, and of the runs nearest to it, as many as it takes, the longest."""
        others = sorted((run for run in self.runs if run != host), key=host.distance)
        for count in range(self.parts - 1, len(others) + 1):
            companions = sorted(others[:count], key=lambda run: -run.length)[: self.parts - 1]
            lengths = [host.length, *(run.length for run in companions)]
            if sum(lengths) >= self.quantity and fewest_singles(lengths, self.quantity) == self.singles:
                return [host, *companions]
        raise AssertionError("the host can have the largest part, so others can have the rest")

    def seats_in(self, chosen: list[FreeRun]) -> list[SeatRange]:
        """What the runs have too much stays free in the longest, the last of these, down to two seats; else to one."""
        sizes = [run.length for run in chosen]
        surplus = sum(sizes) - self.quantity
        for least in (2, 1):
            for part in sorted(range(len(chosen)), key=lambda part: (-chosen[part].length, -part)):
                left_free = min(surplus, max(0, sizes[part] - least))
                sizes[part] -= left_free
                surplus -= left_free
        nearest = [chosen[1], *[chosen[0]] * (len(chosen) - 1)]
        return sorted(map(facing, chosen, sizes, nearest))


def facing(run: FreeRun, size: int, other: FreeRun) -> SeatRange:
    """At the end of the run that is nearer to the other one."""
    towards_last = sum((to - at) * step for at, to, step in zip(run.middle, other.middle, run.step, strict=True))
    return SeatRange(run.block, run.start + (run.length - size if towards_last > 0 else 0), size)


def fewest_singles(lengths: list[int], quantity: int) -> int:
    """Of a part in each of the runs, how many have one seat if as few as possible have."""
    return max(lengths.count(1), 2 * len(lengths) - quantity)


def marked(seats: str, run: SeatRange, status: str) -> str:
    return seats[: run.start] + status * run.length + seats[run.start + run.length :]
