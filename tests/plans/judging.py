"""Judge plan files: are they imported, and does best available seat parties side by side?

`python -m tests.plans.judging FOLDER FILE…` draws each file as SVG into FOLDER, seats parties of 1 to 10 until it is
full, and judges by the coordinates in the file alone. It ends with status 1 if it finds something wrong.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, count, pairwise
from pathlib import Path
from statistics import median
from typing import Any, Final, NamedTuple

from seating.cli import plans
from seating.domain import plan_drawing, plan_file, plan_reading
from seating.domain.errors import InvalidPlan
from seating.domain.seating_plan import SeatingPlan
from seating.web import strict_json
from tests.inventory.best_place import SearchedRange, best_seats, marked

_AISLE: Final = 1.5
"""In the usual distance from a seat to its nearest neighbour in its row."""


_Placed = tuple[str, complex]
"""A seat's id, and where it stands."""


class Judged(NamedTuple):
    """Parties of one size in one category, until it is full; `wrong` says what is wrong, a line each."""

    category: str
    quantity: int
    together: int
    split: int
    wrong: list[str]


@dataclass(frozen=True)
class Floor:
    """Where the seats of a file stand: the seats beside each one, as far as coordinates tell.

    At a table, which is a row that is not straight, a seat is beside the next one in the list too, across the table.
    """

    beside: dict[str, set[str]]

    @classmethod
    def of(cls, file: dict[str, Any]) -> "Floor":
        """Read it from the JSON. Seats are beside each other in one drawn row, or where rows of one name meet."""
        beside: dict[str, set[str]] = {}
        for zone in file["zones"]:
            rows = [(row["row_number"], _places(zone, row)) for row in zone["rows"] if row["seats"]]
            for _, places in rows:
                beside.update({seat: set() for seat in places})
            pitches = [_pitch(list(places.values())) for _, places in rows]
            usual = median(pitch for pitch in pitches if pitch) if any(pitches) else 0.0
            for (_, places), pitch in zip(rows, pitches, strict=True):
                # Two or three seats do not tell an aisle from the usual distance.
                _join(beside, combinations(places.items(), 2), min(pitch, usual) if len(places) < 4 else pitch)
                if not _is_straight(list(places.values())):
                    steps = [abs(there - here) for here, there in pairwise(places.values())]
                    _join(beside, pairwise(places.items()), median(steps))
            for (name, one), (other_name, other) in combinations(rows, 2):
                if name and name == other_name:
                    ends = [(left, right) for left in _ends(one) for right in _ends(other)]
                    _join(
                        beside, ends, min([usual, *filter(None, (_pitch([*one.values()]), _pitch([*other.values()])))])
                    )
        return cls(beside)

    def stretches(self, free: set[str]) -> list[int]:
        """How many free seats stand side by side in each place, most first."""
        left, sizes = set(free), []
        while left:
            found = {left.pop()}
            near = set(found)
            while near:
                near = {seat for one in near for seat in self.beside[one]} & left
                left -= near
                found |= near
            sizes.append(len(found))
        return sorted(sizes, reverse=True)

    def faults(self, seats: Sequence[str], free: set[str]) -> Iterator[str]:
        """What is wrong with these seats for a party that could have any of the free ones."""
        parts = len(self.stretches(set(seats)))
        if parts > 1:
            longest = self.stretches(free)
            fewest = next(number for number in count(1) if sum(longest[:number]) >= len(seats))
            if parts > fewest:
                yield f"{' '.join(seats)} are in {parts} parts, where {fewest} would do"


def judge(file: dict[str, Any], plan: SeatingPlan) -> Iterator[Judged]:
    """Fill the hall again and again, category by category, with parties of each size."""
    floor = Floor.of(file)
    for category, name in enumerate(plan.parts.categories):
        blocks = [block for block, of in enumerate(plan.parts.category_of) if of == category]
        searched = [SearchedRange(block, block) for block in blocks]
        for quantity in range(1, 11) if blocks else ():
            maps = list(plan.empty_maps())
            free = {seat for block in blocks for row in plan.blocks[block] for seat in row}
            parties, wrong = [0, 0], []
            while runs := best_seats(maps, quantity, ranges=searched, spots=plan.spots, to_middles=plan.to_middles):
                seats = plan.seats_of(runs)
                wrong += floor.faults(seats, free)
                parties[len(runs) > 1] += 1
                free.difference_update(seats)
                for run in runs:
                    maps[run.block] = marked(maps[run.block], run, "s")
            if len(free) >= quantity:
                wrong.append(f"{len(free)} seats are left, and nobody gets them")
            yield Judged(name, quantity, *parties, wrong)


def _places(zone: dict[str, Any], row: dict[str, Any]) -> dict[str, complex]:
    return {seat["seat_guid"]: sum(map(_at, (zone, row, seat)), 0j) for seat in row["seats"]}


def _at(part: dict[str, Any]) -> complex:
    position = part.get("position") or {"x": 0, "y": 0}
    return complex(position["x"], position["y"])


def _pitch(places: Sequence[complex]) -> float:
    """The usual distance of a seat from the nearest of its row; 0 for a single seat."""
    if len(places) < 2:
        return 0.0
    return median(min(abs(other - one) for other in places if other is not one) for one in places)


def _is_straight(places: Sequence[complex]) -> bool:
    along = max((there - here for here, there in combinations(places, 2)), key=abs, default=0j)
    across = [((place - places[0]) / along).imag * abs(along) for place in places] if along else [0.0]
    return max(across) - min(across) <= _pitch(places) / 2


def _ends(places: dict[str, complex]) -> list[_Placed]:
    along = sorted(places.items(), key=lambda item: (item[1].real, item[1].imag))
    return [along[0], along[-1]]


def _join(beside: dict[str, set[str]], pairs: Iterable[tuple[_Placed, _Placed]], pitch: float) -> None:
    for (one, here), (other, there) in pairs:
        if 0 < abs(there - here) <= _AISLE * pitch:
            beside[one].add(other)
            beside[other].add(one)


def main(folder: Path, *paths: Path) -> int:
    """Return how many files have something wrong."""
    folder.mkdir(parents=True, exist_ok=True)
    bad = 0
    for path in paths:
        print(path.name)
        value = strict_json.parse(path.read_bytes(), of_a_file=True)
        try:
            plan_reading.parse(value)
        except InvalidPlan as error:
            print("  " + "\n  ".join(plans.fault_lines(error)))
        try:
            file = plan_reading.parse(value, number_duplicates=True)
        except InvalidPlan:
            bad += 1
            continue
        plan = plan_file.read(file)
        (folder / f"{path.stem}.svg").write_text(plan_drawing.draw(plan))
        plans.report(plan)
        found = list(judge(file.model_dump(), plan))
        for one in found:
            print(f"  {one.category}, parties of {one.quantity}: {one.together} together, {one.split} split")
            for line in one.wrong[:5]:
                print(f"    {line}")
        bad += any(one.wrong for one in found)
    return bad


if __name__ == "__main__":
    sys.exit(min(1, main(*map(Path, sys.argv[1:]))))
