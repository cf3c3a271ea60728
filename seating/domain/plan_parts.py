"""The parts of a drawn plan: stretches of one category, with where their seats are and what the page shows of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

from seating.domain import stretches
from seating.domain.plan_format import DrawnRow, DrawnSeat, PlanFile, Zone
from seating.domain.stretches import Row, RowPlace, Stretch

PITCH: Final = 25.0
"""What editors of the format space seats by: for plans that say nothing about it."""


@dataclass(frozen=True, slots=True)
class PlacedSeat:
    """`label` is at which ends of its row the seat is, `start`, `end` or both, if the row's name is drawn there."""

    drawn: DrawnSeat
    row: DrawnRow
    place: RowPlace
    at: complex
    label: frozenset[str]


@dataclass(frozen=True, slots=True)
class CategoryStretch:
    """Neighbouring seats of one category. `line` is the number of their row, the same across its aisles."""

    zone: int
    category: int
    line: int
    seats: list[PlacedSeat]

    @property
    def rows(self) -> set[int]:
        """The numbers in their zone of the file's rows; several if these are joined."""
        return {seat.place.row for seat in self.seats}

    @property
    def centre(self) -> complex:
        """Between its middle seats: on the row, also where that is curved."""
        last = len(self.seats) - 1
        return (self.seats[last // 2].at + self.seats[(last + 1) // 2].at) / 2

    @property
    def step(self) -> complex:
        """From a seat to the next, on average; of a single one none."""
        return (self.seats[-1].at - self.seats[0].at) / max(1, len(self.seats) - 1)

    def layout(self) -> dict[str, Any]:
        """What the page shows, but for the ids. What few files say is there only if this row says it."""
        row, seats = self.seats[0].row, [seat.drawn for seat in self.seats]
        more = {
            "rowLabel": row.row_label,
            "seatLabel": row.seat_label,
            "rowNumberPosition": self._label_position(),
            "startAt": row.start_at,
            "radius": _if_any([seat.radius for seat in seats]),
            "startDirections": _if_any([seat.start_direction for seat in seats]),
            "startAts": _if_any([seat.start_at for seat in seats]),
        }
        return {
            "label": row.row_number,
            "numbers": [seat.seat_number for seat in seats],
            "x": [round(seat.at.real, 2) for seat in self.seats],
            "y": [round(seat.at.imag, 2) for seat in self.seats],
            **{name: value for name, value in more.items() if value is not None},
        }

    def _label_position(self) -> str | None:
        """Where the row's name is drawn beside this part of it."""
        first, last = self.seats[0].label, self.seats[-1].label
        at_start, at_end = bool(first), bool(last)
        if len(self.seats) == 1:
            at_start, at_end = "start" in first, "end" in first
        if at_start and at_end:
            return "both"
        return "start" if at_start else "end" if at_end else None


def is_drawn(file: PlanFile) -> bool:
    """Whether the plan says where its seats are: several cannot all be at one place."""
    rows = [(zone, row) for zone in file.zones for row in zone.rows]
    places = {place for zone, row in rows for place in _positions(zone, row)}
    return len(places) > 1 or (len(places) == 1 and sum(len(row.seats) for _, row in rows) == 1)


def parts_of(file: PlanFile, *, drawn: bool) -> Iterator[CategoryStretch]:
    """In the order of the file. Without positions rows are taken as listed, and drawn one below the other."""
    categories = {category.name: number for number, category in enumerate(file.categories)}
    lines, below = 0, 0
    for zone_number, zone in enumerate(file.zones):
        if drawn:
            rows = [Row(row.row_number, _positions(zone, row)) for row in zone.rows]
            cut = stretches.cut(rows)
        else:
            rows = [Row(row.row_number, _on_a_grid(row, below + number)) for number, row in enumerate(zone.rows)]
            cut = _as_listed(rows)
        labels = _labels(zone, cut)
        for line, places in cut:
            seats = [_placed(zone, rows, place, labels.get(place, frozenset())) for place in places]
            # No party wants to sit side by side at two prices.
            for category, same in groupby(seats, key=lambda seat: seat.drawn.category):
                yield CategoryStretch(zone_number, categories[category], lines + line, list(same))
        lines += max((line + 1 for line, _ in cut), default=0)
        below += len(rows) + 1


def _placed(zone: Zone, rows: Sequence[Row], place: RowPlace, label: frozenset[str]) -> PlacedSeat:
    row = zone.rows[place.row]
    return PlacedSeat(row.seats[place.seat], row, place, rows[place.row].seats[place.seat], label)


def _positions(zone: Zone, row: DrawnRow) -> list[complex]:
    corner = complex(zone.position.x + row.position.x, zone.position.y + row.position.y)
    return [corner + complex(seat.position.x, seat.position.y) for seat in row.seats if seat.position]


def _on_a_grid(row: DrawnRow, number: int) -> list[complex]:
    return [complex(PITCH * (place + 1), PITCH * (number + 1)) for place in range(len(row.seats))]


def _as_listed(rows: Sequence[Row]) -> list[Stretch]:
    return [
        Stretch(number, [RowPlace(number, place) for place in range(len(row.seats))])
        for number, row in enumerate(rows)
        if row.seats
    ]


def _labels(zone: Zone, cut: Sequence[Stretch]) -> dict[RowPlace, frozenset[str]]:
    """The seats beside which the names of the rows are drawn."""
    ends: dict[int, tuple[RowPlace, RowPlace]] = {}
    for _, places in cut:
        for place in places:
            ends[place.row] = (ends.get(place.row, (place,))[0], place)
    labels: dict[RowPlace, frozenset[str]] = {}
    for row, (first, last) in ends.items():
        wanted = zone.rows[row].row_number_position
        for place, end in ((first, "start"), (last, "end")):
            if wanted in (end, "both"):
                labels[place] = labels.get(place, frozenset()) | {end}
    return labels


def _if_any(values: list[Any]) -> list[Any] | None:
    return values if any(value is not None for value in values) else None
