"""Drawing a plan as SVG: each seat in the colour of its place in the order, each stretch as a line through it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise
from typing import Any, Final

from seating.domain import plan_document
from seating.domain.plan_format import Area
from seating.domain.plan_shapes import Box, outline
from seating.domain.seating_plan import SeatingPlan

_BEST_TO_LAST: Final = ((8, 48, 107), (33, 145, 140), (253, 231, 37))
_BLOCKS: Final = ("#d7301f", "#6a3d9a", "#1f78b4", "#e7298a", "#525252", "#b15928")
_COLOR: Final = re.compile(r"#[0-9A-Fa-f]{3,8}|[A-Za-z]{3,30}")
_RADIUS: Final = 10.0
_MARGIN: Final = 30.0
_MIN_WIDTH: Final = 480.0
_LINE: Final = 24.0
_MAX_NUMBERED: Final = 10_000
"""Seats; of a larger plan the numbers would be too small to read, and too many to open."""


def draw(plan: SeatingPlan) -> str:
    """Render a plan as an SVG document. The darkest seats are best; each block has its number at its best seat."""
    layout = plan_document.layout_of(plan)
    areas = [Area.model_validate(area) for area in layout["areas"]]
    box = _around(layout, areas)
    width, height = box.right - box.left, box.bottom - box.top
    view = f"{box.left:g} {box.top:g} {width:g} {height:g}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{view}" width="{width:g}" height="{height:g}" '
        'font-family="sans-serif" text-anchor="middle" dominant-baseline="central">',
        f"<title>{escape(layout['name'])}</title>",
        f'<rect x="{box.left:g}" y="{box.top:g}" width="{width:g}" height="{height:g}" fill="white"/>',
        *map(_shape, areas),
        *map(_text, areas),
        *_seats(plan, layout),
        *_block_numbers(layout),
        *_legend(box, layout),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _around(layout: dict[str, Any], areas: Sequence[Area]) -> Box:
    """All that is drawn, with room for the legend below."""
    points = [complex(*place) for row in _rows(layout) for place in zip(row["x"], row["y"], strict=True)]
    for area in areas:
        points += outline(area, complex(area.position.x, area.position.y))
    if size := layout["size"]:
        points += [0j, complex(size["width"], size["height"])]
    box = Box.around(points)
    right = max(box.right, box.left + _MIN_WIDTH)
    legend = 40 + _LINE * len(_legend_lines(layout, right - box.left))
    return Box(box.left - _MARGIN, box.top - _MARGIN, right + _MARGIN, box.bottom + _MARGIN + legend)


def _rows(layout: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (row for block in layout["blocks"] for row in block["rows"])


def _shape(area: Area) -> str:
    fill = _color(area.color, "none" if area.shape == "text" else "#eeeeee")
    style = f'fill="{fill}" fill-opacity="0.4" stroke="{_color(area.border_color, "#999999")}"'
    shape = ""
    if area.shape == "polygon" and area.polygon:
        points = " ".join(f"{point.x:g},{point.y:g}" for point in area.polygon.points)
        shape = f'<polygon points="{points}" {style}/>'
    elif area.shape == "rectangle" and area.rectangle:
        shape = f'<rect width="{area.rectangle.width:g}" height="{area.rectangle.height:g}" {style}/>'
    elif area.shape == "ellipse" and area.ellipse:
        shape = f'<ellipse rx="{area.ellipse.radius.x:g}" ry="{area.ellipse.radius.y:g}" {style}/>'
    elif area.shape == "circle" and area.circle:
        shape = f'<circle r="{area.circle.radius:g}" {style}/>'
    elif area.width and area.height:
        shape = f'<rect width="{area.width:g}" height="{area.height:g}" {style}/>'
    return _at(area, shape)


def _text(area: Area) -> str:
    if area.text is None or not area.text.text.strip():
        return ""
    at, color = area.text.position, _color(area.text.color, "#333333")
    return _at(
        area,
        f'<text x="{at.x:g}" y="{at.y:g}" fill="{color}" font-size="{area.text.size or 16:g}">'
        f"{escape(area.text.text)}</text>",
    )


def _at(area: Area, drawn: str) -> str:
    turned = f"translate({area.position.x:g} {area.position.y:g}) rotate({area.rotation or 0:g})"
    return f'<g transform="{turned}">{drawn}</g>' if drawn else ""


def _seats(plan: SeatingPlan, layout: dict[str, Any]) -> Iterator[str]:
    stretches = sum(len(block["rows"]) for block in layout["blocks"])
    radius = _usual_radius(layout)
    number = 0
    for block_number, (block, seats) in enumerate(zip(layout["blocks"], plan.blocks, strict=True)):
        line = _BLOCKS[block_number % len(_BLOCKS)]
        category = layout["categories"][block["category"]]
        for row, ids in zip(block["rows"], seats, strict=True):
            places = list(zip(row["x"], row["y"], strict=True))
            said = f"{number + 1}. of {stretches} stretches, block {block_number}, {block['name']}, row {row['label']}"
            said += f", {category['name']}: {ids[0]} to {ids[-1]}"
            yield f"<g><title>{escape(said)}</title>"
            points = " ".join(f"{x:g},{y:g}" for x, y in places)
            yield f'<polyline points="{points}" fill="none" stroke="{line}" stroke-width="{radius / 2:g}"/>'
            fill = _shade(number / max(stretches - 1, 1))
            ring = _color(category["color"], "#666666")
            radii = row.get("radius") or [None] * len(places)
            for (x, y), own in zip(places, radii, strict=True):
                drawn = own or radius
                yield (
                    f'<circle cx="{x:g}" cy="{y:g}" r="{drawn:g}" fill="{_hex(fill)}" stroke="{ring}" '
                    f'stroke-width="{drawn / 5:g}"/>'
                )
            if plan.capacity <= _MAX_NUMBERED:
                ink = "white" if sum(fill) < 380 else "black"
                yield f'<g fill="{ink}" font-size="{radius * 0.8:g}">'
                for (x, y), written in zip(places, row["numbers"], strict=True):
                    yield f'<text x="{x:g}" y="{y:g}">{escape(written)}</text>'
                yield "</g>"
            yield from _label(row, places, radius)
            yield "</g>"
            number += 1


def _block_numbers(layout: dict[str, Any]) -> Iterator[str]:
    radius = _usual_radius(layout)
    for number, block in enumerate(layout["blocks"]):
        x, y = block["rows"][0]["x"][0], block["rows"][0]["y"][0]
        yield (
            f'<text x="{x:g}" y="{y - 1.3 * radius:g}" fill="{_BLOCKS[number % len(_BLOCKS)]}" stroke="white" '
            f'stroke-width="{radius / 4:g}" paint-order="stroke" font-weight="bold" font-size="{1.6 * radius:g}">'
            f"{number}</text>"
        )


def _label(row: dict[str, Any], places: Sequence[tuple[float, float]], radius: float) -> Iterator[str]:
    """The row's name, where the plan has it."""
    where = row.get("rowNumberPosition")
    ends = []
    if where in ("start", "both"):
        ends.append((places[0], places[1] if len(places) > 1 else (places[0][0] + 1, places[0][1])))
    if where in ("end", "both"):
        ends.append((places[-1], places[-2] if len(places) > 1 else (places[-1][0] - 1, places[-1][1])))
    for end, before in ends:
        out = complex(*end) - complex(*before)
        at = complex(*end) + 2 * radius * out / (abs(out) or 1)
        yield (
            f'<text x="{at.real:g}" y="{at.imag:g}" fill="#333333" font-size="{radius:g}">{escape(row["label"])}</text>'
        )


def _usual_radius(layout: dict[str, Any]) -> float:
    """Ten, as the format has it, or less where seats would overlap."""
    gaps = sorted(
        abs(complex(*after) - complex(*before))
        for row in _rows(layout)
        for before, after in pairwise(zip(row["x"], row["y"], strict=True))
    )
    usual = gaps[(len(gaps) - 1) // 3] if gaps else 0
    return min(_RADIUS, 0.45 * usual) if usual else _RADIUS


def _legend(box: Box, layout: dict[str, Any]) -> Iterator[str]:
    lines = _legend_lines(layout, box.right - box.left - 2 * _MARGIN)
    x, y = box.left + _MARGIN, box.bottom - 20 - _LINE * len(lines)
    yield f'<g font-size="12" text-anchor="start"><text x="{x:g}" y="{y:g}">best</text>'
    for step in range(20):
        yield f'<rect x="{x + 35 + 8 * step:g}" y="{y - 8:g}" width="8" height="16" fill="{_hex(_shade(step / 19))}"/>'
    yield f'<text x="{x + 203:g}" y="{y:g}">last; a line joins seats that stand side by side</text>'
    for number, line in enumerate(lines, 1):
        for left, category in line:
            at, down = x + left, y + _LINE * number
            ring = _color(category["color"], "#666666")
            yield f'<circle cx="{at + 8:g}" cy="{down:g}" r="7" fill="white" stroke="{ring}" stroke-width="3"/>'
            yield f'<text x="{at + 20:g}" y="{down:g}">{escape(category["name"])}</text>'
    yield "</g>"


def _legend_lines(layout: dict[str, Any], width: float) -> list[list[tuple[float, dict[str, Any]]]]:
    """The categories, each with its distance from the left, in lines that fit."""
    lines: list[list[tuple[float, dict[str, Any]]]] = [[]]
    left = 0.0
    for category in layout["categories"]:
        needed = 40.0 + 7 * len(category["name"])
        if left + needed > width and lines[-1]:
            lines.append([])
            left = 0.0
        lines[-1].append((left, category))
        left += needed
    return lines


def _shade(share: float) -> tuple[int, int, int]:
    """0 is best."""
    place = share * (len(_BEST_TO_LAST) - 1)
    low = min(int(place), len(_BEST_TO_LAST) - 2)
    red, green, blue = (
        round(one + (other - one) * (place - low))
        for one, other in zip(_BEST_TO_LAST[low], _BEST_TO_LAST[low + 1], strict=True)
    )
    return red, green, blue


def _hex(color: Iterable[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)


def _color(color: str | None, otherwise: str) -> str:
    """A colour that a file gives, if it is one: nothing that a browser would fetch."""
    return color if color and _COLOR.fullmatch(color) else otherwise
