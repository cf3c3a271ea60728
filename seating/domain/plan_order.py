"""What is best in a plan: what the organiser names, then by category, then as the file lists it or by the stage."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Better, PlanFile
from seating.domain.plan_parts import Part
from seating.domain.stage import Stage

_CLEARLY: Final = 0.25
"""Pitches by which a row is nearer than another."""


class Order(NamedTuple):
    """What decides within a category: a distance for each part, the same for all where the file's order does."""

    note: str
    distances: list[float]


def ranks(file: PlanFile, best_first: Sequence[Better]) -> defaultdict[tuple[int, int], int]:
    """Each row's place in `best_first`: the first entry that names it, or behind all. Raises InvalidRequest."""
    named = _rows_by_name(file)
    found: dict[tuple[int, int], int] = {}
    for rank, better in enumerate(best_first):
        name = better.path or (better.zone, better.row)
        if name not in named:
            raise InvalidRequest(f"There is no such zone or row in the plan: {better}", f"bestFirst.{rank}")
        for row in named[name]:
            found.setdefault(row, rank)
        named[name] = []  # Named again, it is no better.
    return defaultdict(lambda: len(best_first), found)


def within_categories(parts: Sequence[Part], stage: Stage | None, pitch: float) -> Order:
    """Choose the distance from the stage, in pitches, if the file plainly does not list the best rows first."""
    as_listed = [0.0] * len(parts)
    if stage is None:
        return Order("Best first: by category, then as the file lists zones and rows; it shows no stage", as_listed)
    distances = [
        round(sum(stage.box.distance(seat.at) for seat in part.seats) / len(part.seats) / pitch, 2) for part in parts
    ]
    named = f"the stage ({stage.text!r}, {stage.path})"
    if _nears(parts, distances):
        note = f"Best first: by category, then nearest to {named}; the file lists rows that are farther from it first"
        return Order(note, distances)
    return Order(f"Best first: by category, then as the file lists zones and rows, nearest to {named} first", as_listed)


def _nears(parts: Sequence[Part], distances: Sequence[float]) -> bool:
    """Whether, within the categories, the next row listed is nearer to the stage more often than farther from it."""
    nearest = defaultdict[int, dict[tuple[int, int], float]](dict)
    for part, distance in zip(parts, distances, strict=True):
        rows = nearest[part.category]
        rows[part.zone, part.row] = min(distance, rows.get((part.zone, part.row), distance))
    steps = [after - before for rows in nearest.values() for before, after in pairwise(rows.values())]
    return sum(step < -_CLEARLY for step in steps) > sum(step > _CLEARLY for step in steps)


def _rows_by_name(file: PlanFile) -> dict[str | tuple[str | None, str | None], list[tuple[int, int]]]:
    """By the paths and by the names of zones and rows."""
    named = defaultdict[str | tuple[str | None, str | None], list[tuple[int, int]]](list)
    for zone_number, zone in enumerate(file.zones):
        path = f"zones.{zone_number}"
        for row_number, row in enumerate(zone.rows):
            for name in (path, f"{path}.rows.{row_number}", (zone.name, None), (zone.name, row.row_number)):
                named[name].append((zone_number, row_number))
    return dict(named)
