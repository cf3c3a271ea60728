"""A plan as the page gets it: everything about the seats that never changes."""

import gzip
import hashlib
from typing import Any, Final, NamedTuple

import orjson

from seating.domain.seating_plan import SeatingPlan

_SPACING: Final = 20.0
_ROWS_A_COLUMN: Final = 100


class PlanPage(NamedTuple):
    """JSON, gzipped or plain. Blocks and rows are in the order of the maps, seats in the order in which they stand."""

    etag: str
    body: bytes


def render(plan: SeatingPlan) -> PlanPage:
    """Render a plan, gzipped."""
    layout = layout_of(plan)
    blocks = [
        shown | {"rows": [{"seats": seats, **row} for seats, row in zip(rows, shown["rows"], strict=True)]}
        for rows, shown in zip(plan.blocks, layout["blocks"], strict=True)
    ]
    text = orjson.dumps({"totalSeats": plan.capacity, **layout, "blocks": blocks})
    return PlanPage(hashlib.sha256(text).hexdigest()[:32], gzip.compress(text, 6, mtime=0))


def layout_of(plan: SeatingPlan) -> dict[str, Any]:
    """Where the seats are and what they are called; a generated plan gets places here."""
    return plan.layout or _grid(plan)


def _grid(plan: SeatingPlan) -> dict[str, Any]:
    """Of a generated plan: blocks below one another, and beside one another where that grows too high."""
    blocks: list[dict[str, Any]] = []
    x, y, width, height = _SPACING, _SPACING, 0.0, 0.0
    for number, rows in enumerate(plan.blocks):
        if y > _ROWS_A_COLUMN * _SPACING:
            x, y = width + 2 * _SPACING, _SPACING
        shown = []
        for row in rows:
            xs = [x + _SPACING * place for place in range(len(row))]
            shown.append({"label": _label(row), "numbers": list(map(_number, row)), "x": xs, "y": [y] * len(row)})
            width, height, y = max(width, xs[-1]), max(height, y), y + _SPACING
        blocks.append({"name": f"Block {number + 1}", "category": 0, "rows": shown})
        y += _SPACING
    return {
        "name": "",
        "size": {"width": int(width + _SPACING), "height": int(height + _SPACING)},
        "categories": [{"name": "Seats", "color": None}],
        "areas": [],
        "blocks": blocks,
    }


def _number(seat: str) -> str:
    return seat.rpartition("-")[2]


def _label(row: list[str]) -> str:
    """`sec-1-row-A-seat-1` is in row A."""
    words = row[0].split("-")
    return words[-3] if len(words) > 3 else ""
