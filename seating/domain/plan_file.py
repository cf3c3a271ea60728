"""Reading a file of the open seating-plan format into a plan: what is a block, and what is best."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Area, Better, DrawnPosition, DrawnSeat, PlanFile
from seating.domain.seating_plan import MAX_SEATS, SeatingPlan, in_blocks


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Neighbouring seats of one category: a row, or a part of one, since no party sits in two of them."""

    zone: int
    row: int
    category: int
    label: str
    seats: list[tuple[DrawnSeat, float, float]]

    def layout(self) -> dict[str, Any]:
        return {
            "label": self.label,
            "numbers": [seat.seat_number for seat, _, _ in self.seats],
            "x": [x for _, x, _ in self.seats],
            "y": [y for _, _, y in self.seats],
        }


def read(file: PlanFile, best_first: Sequence[Better] = (), within: str = "") -> SeatingPlan:
    """The plan: best are the zones and rows of `best_first`, then the others by category, zone and row as they stand.

    A block is of one zone and category. Raises InvalidRequest with the path in the file, behind `within`.
    """
    _check_seats(file, within)
    rank = _ranks(file, best_first)
    stretches = sorted(_stretches(file), key=lambda s: (rank[s.zone, s.row], s.category, s.zone, s.row))
    blocks: list[list[list[str]]] = []
    shown: list[dict[str, Any]] = []
    for (zone, category), together in groupby(stretches, key=lambda s: (s.zone, s.category)):
        for block in in_blocks(together, lambda stretch: len(stretch.seats)):
            blocks.append([[seat.seat_guid for seat, _, _ in stretch.seats] for stretch in block])
            rows = [stretch.layout() for stretch in block]
            shown.append({"name": file.zones[zone].name, "category": category, "rows": rows})
    layout = {
        "name": file.name,
        "size": file.size.model_dump() if file.size else None,
        "categories": [{"name": category.name, "color": category.color} for category in file.categories],
        "areas": [_absolute(area, zone.position) for zone in file.zones for area in zone.areas],
        "blocks": shown,
    }
    return SeatingPlan(blocks, layout)


def _stretches(file: PlanFile) -> Iterator[_Stretch]:
    categories = {category.name: number for number, category in enumerate(file.categories)}
    for zone_number, zone in enumerate(file.zones):
        for row_number, row in enumerate(zone.rows):
            left, top = zone.position.x + row.position.x, zone.position.y + row.position.y
            for category, seats in groupby(row.seats, key=lambda seat: seat.category):
                placed = [(s, round(left + s.position.x, 2), round(top + s.position.y, 2)) for s in seats]
                yield _Stretch(zone_number, row_number, categories[category], row.row_number, placed)


def _ranks(file: PlanFile, best_first: Sequence[Better]) -> dict[tuple[int, int], int]:
    """Each row's place in `best_first`: the first entry that names it, or behind all. Raises InvalidRequest."""
    ranks: dict[tuple[int, int], int] = {}
    for rank, better in enumerate(best_first):
        named = [
            (zone_number, row_number)
            for zone_number, zone in enumerate(file.zones)
            for row_number, row in enumerate(zone.rows)
            if zone.name == better.zone and better.row in (None, row.row_number)
        ]
        if not named:
            raise InvalidRequest(f"There is no such zone or row in the plan: {_shown(better)}", f"bestFirst.{rank}")
        for row in named:
            ranks.setdefault(row, rank)
    return defaultdict(lambda: len(best_first), ranks)


def _check_seats(file: PlanFile, within: str) -> None:
    """What the format asks for beyond its schema: categories that exist, and ids that are unique."""
    categories: set[str] = set()
    for number, category in enumerate(file.categories):
        if category.name in categories:
            raise _broken(within, f"categories.{number}.name", f"category {category.name!r} is there twice")
        categories.add(category.name)
    known: set[str] = set()
    for path, seat in _seats(file):
        if seat.category not in categories:
            raise _broken(within, f"{path}.category", f"there is no category {seat.category!r}")
        if seat.seat_guid in known:
            raise _broken(within, f"{path}.seat_guid", f"seat {seat.seat_guid!r} is there twice")
        known.add(seat.seat_guid)
    if not 1 <= len(known) <= MAX_SEATS:
        raise _broken(within, "zones", f"a plan has 1 to {MAX_SEATS} seats, this one {len(known)}")


def _seats(file: PlanFile) -> Iterator[tuple[str, DrawnSeat]]:
    for zone_number, zone in enumerate(file.zones):
        for row_number, row in enumerate(zone.rows):
            for number, seat in enumerate(row.seats):
                yield f"zones.{zone_number}.rows.{row_number}.seats.{number}", seat


def _broken(within: str, path: str, reason: str) -> InvalidRequest:
    return InvalidRequest(f"{within}{path}: {reason}", f"{within}{path}")


def _shown(better: Better) -> str:
    return better.zone if better.row is None else f"{better.zone}, row {better.row}"


def _absolute(area: Area, zone: DrawnPosition) -> dict[str, Any]:
    """What it holds beside is relative to its own position."""
    x, y = round(zone.x + area.position.x, 2), round(zone.y + area.position.y, 2)
    return area.model_dump(exclude_none=True, exclude={"uuid"}) | {"position": {"x": x, "y": y}}
