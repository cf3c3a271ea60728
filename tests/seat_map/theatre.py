"""A theatre in the open format of plans: curved stalls with two aisles, boxes at both sides, a balcony."""

import math
from collections.abc import Iterator
from typing import Any, Final

CATEGORIES: Final = {"Premium": 12900, "Stalls": 8900, "Rear stalls": 5900, "Boxes": 9900, "Balcony": 4500}
WHEELCHAIR: Final = "Wheelchair places"
OFFER: Final[dict[str, Any]] = {
    "currency": "EUR",
    "categories": {
        **{name: {"price": price} for name, price in CATEGORIES.items()},
        WHEELCHAIR: {"price": 4500, "accessible": True, "onRequest": True},
    },
}
"""The prices of an event in it."""

_COLORS: Final = ("#a4262c", "#1f6fb2", "#2e7d4f", "#b35c00", "#6b4fa0", "#0b7a75")
_PITCH: Final = 25.0
_DEPTH: Final = 34.0
_X, _Y = 700.0, -260.0
"""The centre of all curves, behind the stage."""


def theatre() -> dict[str, Any]:
    """A plan of 652 seats."""
    categories = zip((*CATEGORIES, WHEELCHAIR), _COLORS, strict=True)
    return {
        "name": "Old Theatre",
        "size": {"width": 1400, "height": 1240},
        "categories": [{"name": name, "color": color} for name, color in categories],
        "zones": [_stalls(), *_boxes(), _balcony()],
    }


def _zone(name: str, rows: list[dict[str, Any]], areas: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"name": name, "position": {"x": 0, "y": 0}, "rows": rows, "areas": areas or []}


def _row(zone: str, label: str, seats: list[tuple[float, float, str]], ends: str = "both") -> dict[str, Any]:
    return {
        "row_number": label,
        "row_number_position": ends,
        "position": {"x": 0, "y": 0},
        "seats": [
            {
                "seat_guid": f"{zone}-{label}-{number}",
                "seat_number": str(number),
                "position": {"x": round(x, 2), "y": round(y, 2)},
                "category": category,
            }
            for number, (x, y, category) in enumerate(seats, 1)
        ],
    }


def _arc(radius: float, seats: int, aisles: tuple[int, ...]) -> Iterator[tuple[float, float]]:
    """Places along a curve; after each of `aisles` there is room to walk."""
    step, aisle = _PITCH / radius, 1.7 * _PITCH / radius
    angle = -(step * (seats - 1) + aisle * len(aisles)) / 2
    for seat in range(seats):
        yield _X + radius * math.sin(angle), _Y + radius * math.cos(angle)
        angle += step + (aisle if seat + 1 in aisles else 0)


def _stalls() -> dict[str, Any]:
    rows = []
    for number, label in enumerate("ABCDEFGHIJKLMN"):
        seats = 24 + number - number % 2
        side = 5 + number // 3
        category = "Premium" if number < 4 else "Stalls" if number < 9 else "Rear stalls"
        places = list(_arc(560 + _DEPTH * number, seats, (side, seats - side)))
        rows.append(_row("Stalls", label, [(x, y, category) for x, y in places]))
    last = list(_arc(560 + _DEPTH * 14, 36, (9, 27)))
    wheelchairs = {9, 10, 25, 26}
    of_last = [(x, y, WHEELCHAIR if seat in wheelchairs else "Rear stalls") for seat, (x, y) in enumerate(last)]
    rows.append(_row("Stalls", "O", of_last))
    front = [
        {"x": round(x, 1), "y": round(y, 1)}
        for x, y in ((_X + 480 * math.sin(angle / 20), _Y + 480 * math.cos(angle / 20)) for angle in range(-11, 12))
    ]
    stage = {
        "shape": "polygon",
        "color": "#e4ded3",
        "border_color": "#bbb3a5",
        "position": {"x": 0, "y": 0},
        "polygon": {"points": [{"x": front[0]["x"], "y": 30}, *front, {"x": front[-1]["x"], "y": 30}]},
        "text": {"text": "Stage", "position": {"x": _X, "y": 110}, "size": 30, "color": "#333333"},
    }
    return _zone("Stalls", rows, [stage])


def _boxes() -> Iterator[dict[str, Any]]:
    for number in range(1, 11):
        is_left, place = number % 2 == 1, (number - 1) // 2
        x, y = (95.0 if is_left else 1305.0), 250.0 + 105 * place
        seats = [(x + dx, y + dy, "Boxes") for dx, dy in ((-14, -14), (14, -14), (-14, 14), (14, 14))]
        wall = {
            "shape": "rectangle",
            "color": "#efe8db",
            "border_color": "#cfc6b5",
            "position": {"x": x - 52, "y": y - 42},
            "rectangle": {"width": 104, "height": 84},
        }
        rows = [
            _row(f"Box-{number}", label, seats[first : first + 2], "start") for label, first in (("1", 0), ("2", 2))
        ]
        yield _zone(f"Box {number}", rows, [wall])


def _balcony() -> dict[str, Any]:
    rows = []
    for number, label in enumerate("ABCD"):
        seats = 36 + 2 * number
        places = _arc(1150 + _DEPTH * number, seats, (11, 18 + number, seats - 11))
        rows.append(_row("Balcony", label, [(x, y, "Balcony") for x, y in places]))
    text = {
        "shape": "text",
        "position": {"x": _X, "y": _Y + 1102},
        "text": {"text": "Balcony", "position": {"x": 0, "y": 0}, "size": 18, "color": "#555555"},
    }
    return _zone("Balcony", rows, [text])
