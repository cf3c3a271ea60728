"""What is best in a plan: what the organiser names, then by category, then as the file lists it or by the stage."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Better, PlanFile
from seating.domain.plan_parts import CategoryStretch
from seating.domain.stage import Stage

_CLEARLY: Final = 0.25
"""Pitches by which a row is nearer than another."""

_SHORT: Final = 1e-6
"""A step, in the file's unit, that leads nowhere: of a single seat, or of seats at one place."""


class BestFirst(NamedTuple):
    """What decides within a category: a key of each part, least for the best; first by its row, then within that.

    `to_middles` has, for each part, how far the middle of its row is from its own, in halves of a seat, towards its
    last seat.
    """

    note: str
    keys: Sequence[tuple[float, ...]]
    to_middles: Sequence[int]


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


def within_categories(parts: Sequence[CategoryStretch], stage: Stage | None, pitch: float) -> BestFirst:
    """Choose the distance from the stage, in pitches, if the file plainly does not list the best rows first.

    The stretches of a row stay together, also where it is drawn in pieces: nearest to its middle first, then leftmost.
    """
    rows = defaultdict[int, list[complex]](list)
    for part in parts:
        rows[part.line] += [seat.at for seat in part.seats]
    middles = {line: sum(seats, 0j) / len(seats) for line, seats in rows.items()}
    note, distances = _of_rows(parts, rows, middles, stage, pitch)
    keys = [
        (
            distances.get(part.line, 0.0),
            part.line,
            round(abs(part.centre - middles[part.line]) / pitch, 6),  # Halves of a row are equally near.
            part.centre.real,
            part.centre.imag,
        )
        for part in parts
    ]
    parts_of_row = Counter(part.line for part in parts)
    to_middles = [_to_middle(part, middles[part.line]) if parts_of_row[part.line] > 1 else 0 for part in parts]
    return BestFirst(note, keys, to_middles)


def _to_middle(part: CategoryStretch, middle: complex) -> int:
    step, most = part.step, 2 * len(part.seats)
    if abs(step) < _SHORT:
        return 0
    # Beyond the stretch's end, no place is nearer to the middle.
    return round(max(-most, min(most, 2 * ((middle - part.centre) / step).real)))


def _of_rows(
    parts: Sequence[CategoryStretch],
    rows: Mapping[int, Sequence[complex]],
    middles: Mapping[int, complex],
    stage: Stage | None,
    pitch: float,
) -> tuple[str, dict[int, float]]:
    """The note, and each row's distance if it counts.

    A row is as far away as the seat nearest to its middle: its sides may be nearer than the row in front of it, or
    farther than the one behind it.
    """
    if stage is None:
        return "Best first: by category, then as the file lists zones and rows; it shows no stage", {}
    distances = {
        line: round(stage.box.distance(min(seats, key=lambda seat: abs(seat - middles[line]))) / pitch, 2)
        for line, seats in rows.items()
    }
    named = f"the stage ({stage.text!r}, {stage.path})"
    if _nears(parts, distances):
        note = f"Best first: by category, then nearest to {named}; the file lists rows that are farther from it first"
        return note, distances
    return f"Best first: by category, then as the file lists zones and rows, nearest to {named} first", {}


def _nears(parts: Sequence[CategoryStretch], distances: Mapping[int, float]) -> bool:
    """Whether, within the categories, the next row listed is nearer to the stage more often than farther from it."""
    listed = defaultdict[int, dict[int, float]](dict)
    for part in parts:
        listed[part.category][part.line] = distances[part.line]
    steps = [after - before for rows in listed.values() for before, after in pairwise(rows.values())]
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
