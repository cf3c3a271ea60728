"""A plan as clients get it, a JSON document: everything about the seats that never changes."""

import gzip
import hashlib
import math
from itertools import groupby
from typing import Any, Final, NamedTuple

import orjson

from seating.domain.seating_plan import SeatingPlan

_SPACING: Final = 20.0
_ASPECT: Final = 1.4
_STAGE_DEPTH: Final = 180.0
"""From the top of a hall to its first row; more in a wide one."""


class PlanDocument(NamedTuple):
    """JSON, gzipped or plain. Blocks and rows are in the order of the maps, seats in the order in which they stand."""

    etag: str
    body: bytes


def render(plan: SeatingPlan) -> PlanDocument:
    """Render a plan, gzipped."""
    layout = layout_of(plan)
    blocks = [
        shown | {"rows": [{"seats": seats, **row} for seats, row in zip(rows, shown["rows"], strict=True)]}
        for rows, shown in zip(plan.blocks, layout["blocks"], strict=True)
    ]
    text = orjson.dumps({"totalSeats": plan.capacity, **layout, "blocks": blocks})
    # No time in the gzip header: all processes must send the same bytes under one ETag.
    return PlanDocument(hashlib.sha256(text).hexdigest()[:32], gzip.compress(text, 6, mtime=0))


def layout_of(plan: SeatingPlan) -> dict[str, Any]:
    """Where the seats are and what they are called; a generated plan gets places here."""
    return plan.layout or _grid(plan)


def _grid(plan: SeatingPlan) -> dict[str, Any]:
    """Lay out a generated plan: sections in tiers before a stage, the best of each tier in its middle."""
    sections = [list(blocks) for _, blocks in groupby(plan.blocks, key=_section)]
    depth = _SPACING * (2 + max(sum(map(len, blocks)) for blocks in sections))
    breadth = _SPACING * (2 + max(len(row) for block in plan.blocks for row in block))
    across = min(len(sections), max(1, round(math.sqrt(len(sections) * _ASPECT * depth / breadth))))
    width = across * breadth
    front = max(_STAGE_DEPTH, 0.1 * width)
    shown = []
    for number, blocks in enumerate(sections):
        tier, place = divmod(number, across)
        in_tier = min(across, len(sections) - tier * across)
        x = width / 2 + breadth * (_from_the_middle(place, in_tier) + (1 - in_tier) / 2)
        y = front + depth * tier
        for block in blocks:
            rows = []
            for row in block:
                left = x - _SPACING * (len(row) - 1) / 2
                xs = [left + _SPACING * seat for seat in range(len(row))]
                rows.append({"label": _label(row), "numbers": list(map(_number, row)), "x": xs, "y": [y] * len(row)})
                y += _SPACING
            shown.append({"name": f"Section {_section(block)}", "category": 0, "rows": rows})
    return {
        "name": "",
        "size": {"width": int(width), "height": int(front + depth * math.ceil(len(sections) / across))},
        "categories": [{"name": "Seats", "color": None}],
        "areas": [_stage(width, front)],
        "blocks": shown,
    }


def _from_the_middle(place: int, across: int) -> int:
    """The column of the `place`-th section of a tier: 2, 1, 3, 0, 4 of five."""
    return sorted(range(across), key=lambda column: abs(2 * column + 1 - across))[place]


def _stage(width: float, front: float) -> dict[str, Any]:
    broad, deep = min(width / 2, 4 * front), front - 4 * _SPACING
    return {
        "shape": "rectangle",
        "color": "#dddddd",
        "border_color": "#999999",
        "position": {"x": (width - broad) / 2, "y": _SPACING},
        "rectangle": {"width": broad, "height": deep},
        "text": {"text": "Stage", "position": {"x": broad / 2, "y": deep / 2}, "size": round(deep / 4)},
    }


def _section(block: list[list[str]]) -> str:
    """The number of its section: `sec-1-row-A-seat-1` is in section 1, and a large one has several blocks."""
    words = block[0][0].split("-")
    return words[1] if len(words) > 1 else words[0]


def _number(seat: str) -> str:
    return seat.rpartition("-")[2]


def _label(row: list[str]) -> str:
    """`sec-1-row-A-seat-1` is in row A."""
    words = row[0].split("-")
    return words[-3] if len(words) > 3 else ""
