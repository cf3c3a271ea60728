"""A seating-plan file, small and with everything that the format has, and a large one."""

from collections.abc import Sequence
from typing import Any


def seat(guid: str, category: str, x: float = 0, **more: Any) -> dict[str, Any]:
    number = guid.rpartition("-")[2]
    return {"seat_guid": guid, "seat_number": number, "position": {"x": x, "y": 0}, "category": category, **more}


def row(number: str, seats: list[dict[str, Any]], y: float = 0) -> dict[str, Any]:
    return {"row_number": number, "row_number_position": "both", "position": {"x": 5, "y": y}, "seats": seats}


def theatre() -> dict[str, Any]:
    """Two zones; the balcony's first row has both categories."""
    stage = {
        "shape": "rectangle",
        "color": "#cccccc",
        "border_color": "#000000",
        "rotation": 0,
        "position": {"x": 1, "y": 2},
        "rectangle": {"width": 90, "height": 20},
        "text": {"text": "Stage", "color": "#333333", "position": {"x": 45, "y": 10}},
        "uuid": "2b7a0f7e-5d1d-4f7c-9a53-5a1e62ad4c6f",
    }
    return {
        "name": "Small theatre",
        "size": {"width": 200, "height": 100},
        "categories": [{"name": "Stalls", "color": "#7f4a91"}, {"name": "Cheap"}],
        "zones": [
            {
                "name": "Balcony",
                "position": {"x": 0, "y": 50},
                "rows": [
                    row("1", [*(seat(f"b-1-{n}", "Cheap", n) for n in (1, 2)), seat("b-1-3", "Stalls", 3)]),
                    row("2", [seat(f"b-2-{n}", "Cheap", n) for n in (1, 2, 3)], 10),
                ],
                "areas": [],
            },
            {
                "name": "Ground",
                "zone_id": "ground",
                "position": {"x": 10, "y": 20},
                "rows": [
                    row("A", [seat(f"g-A-{n}", "Stalls", 10.5 * n, radius=8) for n in (1, 2, 3, 4)]),
                    row("B", [seat(f"g-B-{n}", "Stalls", 10.5 * n) for n in (1, 2)], 10),
                    row("C", []),
                ],
                "areas": [stage],
            },
        ],
    }


def stadium(seats: int) -> dict[str, Any]:
    """Rows of 50 in zones of 100 rows."""
    rows = [
        row(str(number), [seat(f"{number}-{n}", "Stand", 12 * n, uuid=f"{number:032}") for n in range(1, 51)], number)
        for number in range(seats // 50)
    ]
    zones = [
        {"name": f"Stand {start}", "position": {"x": 0, "y": start}, "rows": rows[start : start + 100], "areas": []}
        for start in range(0, len(rows), 100)
    ]
    size = {"width": 1000, "height": 1000}
    return {"name": "Stadium", "size": size, "categories": [{"name": "Stand"}], "zones": zones}


def drawn_row(name: str, xs: Sequence[float], y: float = 0, **more: Any) -> dict[str, Any]:
    """Seats `A-1`, `A-2` … of row A, where they stand."""
    seats = [seat(f"{name}-{n}", "Stalls", x) for n, x in enumerate(xs, 1)]
    return {"row_number": name, "position": {"x": 0, "y": y}, "seats": seats, **more}


def hall(
    *rows: dict[str, Any], areas: Sequence[dict[str, Any]] = (), categories: Sequence[str] = ("Stalls",)
) -> dict[str, Any]:
    """A plan of one zone."""
    zone = {"name": "Ground", "position": {"x": 0, "y": 0}, "rows": list(rows), "areas": list(areas)}
    return {"name": "Hall", "categories": [{"name": name} for name in categories], "zones": [zone]}


def stage(y: float, text: str = "Stage") -> dict[str, Any]:
    """As wide as a row of ten, 50 deep."""
    at = {"x": 125, "y": 25}
    return {
        "shape": "rectangle",
        "position": {"x": 0, "y": y},
        "rectangle": {"width": 250, "height": 50},
        "text": {"text": text, "position": at},
    }


def everything() -> dict[str, Any]:
    """A small plan with every field that the format has."""
    label = {"text": "Bar", "position": {"x": 1, "y": 2}, "color": "#333333", "size": 12}
    styled = {
        "color": "#cccccc",
        "border_color": "#000000",
        "rotation": 15,
        "uuid": "area",
        "position": {"x": 300, "y": 0},
    }
    one = seat("E-1", "Stalls", radius=8, start_direction=">", start_at="1", uuid="seat")
    row = {
        "row_number": "E",
        "row_label": "Row E",
        "seat_label": "Seat %s",
        "row_number_position": "both",
        "start_at": "1",
        "uuid": "row",
        "number_of_seats": 1,
        "seats_spacing": 25,
        "position": {"x": 0, "y": 0},
        "seats": [one],
    }
    areas = [
        {"shape": "polygon", "polygon": {"points": [{"x": 0, "y": 0}]}, **styled},
        {"shape": "rectangle", "rectangle": {"width": 10, "height": 20}},
        {"shape": "ellipse", "ellipse": {"radius": {"x": 10, "y": 20}}},
        {"shape": "circle", "circle": {"radius": 5}},
        {"shape": "text", "text": label},
        {"width": 10, "height": 20, "position": {"x": 0, "y": 0}},
    ]
    zone = {
        "name": "Ground",
        "zone_id": "ground",
        "uuid": "zone",
        "displayed": True,
        "position": {"x": 10, "y": 20},
        "areas": areas,
        "rows": [row],
    }
    categories = [{"name": "Stalls", "color": "#7f4a91"}]
    return {"name": "Everything", "size": {"width": 10.5, "height": 20.0}, "categories": categories, "zones": [zone]}
