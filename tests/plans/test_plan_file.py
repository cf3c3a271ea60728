"""Seating-plan files: what becomes of them, and what is wrong with broken ones."""

import copy
import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from seating.cli import events, plans
from seating.domain import plan_document, plan_file, plan_reading
from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Better
from seating.domain.seating_plan import BLOCK_SEATS, DEMO_HALL, GeneratedPlan, SeatingPlan, Spot, generate
from tests.seating_plan_file import row, seat, stadium, theatre
from tests.system import System
from tests.web import JSON, assert_problem, seats_sold


def read(file: dict[str, Any], *best_first: Better) -> SeatingPlan:
    return plan_file.read(plan_reading.parse(file), best_first)


def page(plan: SeatingPlan) -> Any:
    return json.loads(gzip.decompress(plan_document.render(plan).body))


class TestOrder:
    def test_of_categories_then_zones_then_rows(self) -> None:
        assert read(theatre()).blocks == [
            [["b-1-3"]],
            [["g-A-1", "g-A-2", "g-A-3", "g-A-4"], ["g-B-1", "g-B-2"]],
            [["b-1-1", "b-1-2"], ["b-2-1", "b-2-2", "b-2-3"]],
        ]

    def test_given(self) -> None:
        given = (Better(zone="Ground", row="B"), Better(zone="Balcony"))
        assert read(theatre(), *given).blocks == [
            [["g-B-1", "g-B-2"]],
            [["b-1-3"]],
            [["b-1-1", "b-1-2"], ["b-2-1", "b-2-2", "b-2-3"]],
            [["g-A-1", "g-A-2", "g-A-3", "g-A-4"]],
        ]

    def test_given_of_what_is_not_there(self) -> None:
        with pytest.raises(InvalidRequest) as refused:
            read(theatre(), Better(zone="Ground"), Better(zone="Ground", row="Z"))
        assert refused.value.facts == {"field": "bestFirst.1"}

    @pytest.mark.parametrize(
        "plan", [read(stadium(12_000)), generate(GeneratedPlan(sections=2, rows=26, seatsPerRow=90))]
    )
    def test_blocks_are_small(self, plan: SeatingPlan) -> None:
        sizes = [sum(map(len, block)) for block in plan.blocks]
        assert max(sizes) <= BLOCK_SEATS
        assert len(sizes) <= plan.capacity / BLOCK_SEATS + 12
        assert plan.seats_of(plan.runs_of([plan.blocks[-1][-1][-1]])) == [plan.blocks[-1][-1][-1]]


def test_a_page_has_positions_labels_categories_and_areas() -> None:
    shown = page(read(theatre()))
    assert (shown["name"], shown["totalSeats"], shown["size"]) == ("Small theatre", 12, {"width": 200, "height": 100})
    assert shown["categories"] == [{"name": "Stalls", "color": "#7f4a91"}, {"name": "Cheap", "color": None}]
    assert shown["areas"][0]["position"] == {"x": 11, "y": 22}
    assert shown["areas"][0]["text"]["text"] == "Stage"
    assert [(block["name"], block["category"]) for block in shown["blocks"]] == [
        ("Balcony", 0),
        ("Ground", 0),
        ("Balcony", 1),
    ]
    assert shown["blocks"][1]["rows"][1] == {
        "seats": ["g-B-1", "g-B-2"],
        "label": "B",
        "numbers": ["1", "2"],
        "x": [25.5, 36.0],
        "y": [30, 30],
        "rowNumberPosition": "both",
    }


def test_a_page_of_a_generated_hall_has_a_place_for_every_seat() -> None:
    plan = generate(DEMO_HALL)
    shown = page(plan)
    rows = [row for block in shown["blocks"] for row in block["rows"]]
    places = {place for row in rows for place in zip(row["x"], row["y"], strict=True)}
    assert len(places) == plan.capacity
    assert max(x for x, _ in places) < shown["size"]["width"]
    assert max(y for _, y in places) < shown["size"]["height"]
    assert (rows[1]["label"], rows[1]["numbers"][:2]) == ("B", ["1", "2"])


@pytest.mark.parametrize("near", [5e-324, 1e-320, 1e-14, 1e-12, 1e-4])
def test_seats_nearly_at_one_place_say_nothing_about_the_pitch(near: float) -> None:
    """A rounding error as the pitch put the others where no integer reaches."""

    def hall(x: float) -> SeatingPlan:
        seats = [seat("A-1", "A"), seat("A-2", "A", x), seat("A-3", "A", 1e6)]
        straight = row("A", seats) | {"position": {"x": 0, "y": 0}}
        zone = {"name": "Hall", "position": {"x": 0, "y": 0}, "rows": [straight]}
        return read({"name": "Near", "categories": [{"name": "A"}], "zones": [zone]})

    near_by, same = hall(near), hall(0)
    assert (near_by.blocks, near_by.spots) == (same.blocks, same.spots)
    assert SeatingPlan.unpack(near_by.pack()).spots == same.spots


def test_packed_and_unpacked() -> None:
    spots = [[Spot(0, 50, 0), Spot(0, 900, 0)]]
    spotted = SeatingPlan([[["A1", "A2"], ["A3"]]], {"name": "Spotted"}, spots, [[2, -2]])
    for plan in (read(theatre()), generate(DEMO_HALL), spotted):
        again = SeatingPlan.unpack(plan.pack())
        assert (again.blocks, again.layout, again.spots) == (plan.blocks, plan.layout, plan.spots)
        assert again.to_middles == plan.to_middles
        assert again.pack() == plan.pack()


def test_plans_packed_by_earlier_versions_have_no_spots() -> None:
    packed = zlib.compress(json.dumps({"blocks": [[["A1"]]], "layout": {"name": "Old"}}).encode())
    plan = SeatingPlan.unpack(packed)
    assert (plan.blocks, plan.layout, plan.spots) == ([[["A1"]]], {"name": "Old"}, [])


def _without(path: str) -> Callable[[dict[str, Any]], None]:
    def remove(file: Any) -> None:
        *parents, last = path.split(".")
        for step in parents:
            file = file[int(step) if step.isdigit() else step]
        del file[last]

    return remove


def _with(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def put(file: Any) -> None:
        *parents, last = path.split(".")
        for step in parents:
            file = file[int(step) if step.isdigit() else step]
        file[int(last) if last.isdigit() else last] = value

    return put


SEAT = "zones.1.rows.0.seats.2"
BROKEN = {
    "no name": (_without("name"), "name"),
    "zones an object": (_with("zones", {}), "zones"),
    "no zone has a seat": (_with("zones", []), "zones"),
    "only empty rows": (_with("zones", [{"position": {"x": 0, "y": 0}, "rows": [row("1", [])]}]), "zones"),
    "a zone that is text": (_with("zones.0", "Balcony"), "zones.0"),
    "a zone without rows": (_without("zones.0.rows"), "zones.0.rows"),
    "a zone with a field too many": (_with("zones.0.price", 5), "zones.0.price"),
    "a row without a number": (_without("zones.0.rows.1.row_number"), "zones.0.rows.1.row_number"),
    "a row's number as a number": (_with("zones.0.rows.1.row_number", 2), "zones.0.rows.1.row_number"),
    "a row's number somewhere": (
        _with("zones.0.rows.1.row_number_position", "left"),
        "zones.0.rows.1.row_number_position",
    ),
    "a row of 1,001 seats": (
        _with("zones.0.rows.0.seats", [seat(f"x-{n}", "Cheap") for n in range(BLOCK_SEATS + 1)]),
        "zones.0.rows.0.seats",
    ),
    "a seat that is null": (_with(SEAT, None), SEAT),
    "a seat without an id": (_without(f"{SEAT}.seat_guid"), f"{SEAT}.seat_guid"),
    "an empty id": (_with(f"{SEAT}.seat_guid", ""), f"{SEAT}.seat_guid"),
    "an id of 256 characters": (_with(f"{SEAT}.seat_guid", "g" * 256), f"{SEAT}.seat_guid"),
    "an id of two lines": (_with(f"{SEAT}.seat_guid", "a\nb"), f"{SEAT}.seat_guid"),
    "an id twice": (_with(f"{SEAT}.seat_guid", "b-2-1"), f"{SEAT}.seat_guid"),
    "no seat number": (_without(f"{SEAT}.seat_number"), f"{SEAT}.seat_number"),
    "a category that is not there": (_with(f"{SEAT}.category", "Royal"), f"{SEAT}.category"),
    "half a position": (_without(f"{SEAT}.position.y"), f"{SEAT}.position.y"),
    "a position as text": (_with(f"{SEAT}.position.x", "1"), f"{SEAT}.position.x"),
    "a position far away": (_with(f"{SEAT}.position.x", 1e300), f"{SEAT}.position.x"),
    "a category twice": (_with("categories.1.name", "Stalls"), "categories.1.name"),
    "a size of nothing": (_with("size", {}), "size.width"),
    "an area of no known shape": (_with("zones.1.areas.0.shape", "star"), "zones.1.areas.0.shape"),
}


@pytest.mark.parametrize(("damage", "path"), BROKEN.values(), ids=BROKEN)
def test_broken_ones_are_refused_with_the_path(
    system: System, tmp_path: Path, damage: Callable[[dict[str, Any]], None], path: str
) -> None:
    file = copy.deepcopy(theatre())
    damage(file)
    before = set(seats_sold(system))
    body = json.dumps({"name": "Broken", "seatingPlan": file}).encode()
    answer = system.request("POST", "/api/v1/events", body, JSON)
    problem = assert_problem(answer, 400, "VALIDATION_ERROR", f"seatingPlan.{path}")
    assert path in problem["message"]
    assert set(seats_sold(system)) == before
    written = tmp_path / "plan.json"
    written.write_text(json.dumps(file))
    with pytest.raises(InvalidRequest, match=path):
        plans.read(written)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "is not JSON"),
        (b"", "is not JSON"),
        (b"\xff\xfe{}", "is not UTF-8"),
        (b'{"name": "one", "name": "two"}', "name is given twice"),
        (b'{"name": NaN}', "has NaN, which is not JSON"),
        (b"[" * 100_000, "is nested deeper than 32 levels"),
        (b"[]", "must be an object"),
    ],
    ids=["half", "nothing", "no UTF-8", "a field twice", "NaN", "deep", "a list"],
)
def test_what_is_no_plan_at_all(tmp_path: Path, content: bytes, reason: str) -> None:
    written = tmp_path / "plan.json"
    written.write_bytes(content)
    with pytest.raises(InvalidRequest, match=f"plan.json: {reason}"):
        plans.read(written)


@pytest.mark.parametrize(
    ("plan", "field"),
    [({"name": "x", "categories": []}, "zones"), ({"name": "x"}, "generate"), ({"generate": {}}, "generate.sections")],
)
def test_a_file_is_told_from_a_generator(system: System, plan: dict[str, Any], field: str) -> None:
    body = json.dumps({"name": "Broken", "seatingPlan": plan}).encode()
    answer = system.request("POST", "/api/v1/events", body, JSON)
    assert_problem(answer, 400, "VALIDATION_ERROR", f"seatingPlan.{field}")


def test_more_seats_than_a_plan_has() -> None:
    with pytest.raises(InvalidRequest, match="100050"):
        read(stadium(100_050))


class TestServed:
    def test_once_and_never_again(self, system: System) -> None:
        event = system.create_event(seatingPlan=theatre(), bestFirst=[{"zone": "Balcony", "row": "2"}])
        first = system.get(f"/api/v1/events/{event}/plan")
        assert first.json["blocks"][0]["rows"][0]["seats"] == ["b-2-1", "b-2-2", "b-2-3"]
        assert "immutable" in first.headers["Cache-Control"]
        same = {"If-None-Match": first.headers["ETag"], "Accept-Encoding": "gzip"}
        again = system.get(f"/api/v1/events/{event}/plan", same)
        assert (again.status, again.body) == (304, b"")
        packed = system.get(f"/api/v1/events/{event}/plan", {"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == first.body
        assert system.buy(2, event_id=event).json["seats"] == ["b-2-1", "b-2-2"]

    def test_nobody_changes_it(self, system: System) -> None:
        event = system.create_event(seatingPlan=theatre())
        before = system.get(f"/api/v1/events/{event}/plan").body
        for changed in ({"seatingPlan": stadium(50)}, {"totalSeats": 50}, {"bestFirst": []}):
            body = json.dumps({"state": "paused", **changed}).encode()
            answer = system.request("PATCH", f"/api/v1/events/{event}", body, JSON)
            assert_problem(answer, 400, "VALIDATION_ERROR", next(iter(changed)))
        for method in ("PUT", "POST", "PATCH", "DELETE"):
            answer = system.request(method, f"/api/v1/events/{event}/plan", json.dumps(stadium(50)).encode(), JSON)
            assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
        assert system.get(f"/api/v1/events/{event}/plan").body == before
        assert system.buy(1, event_id=event).json["seats"] == ["b-1-3"]

    def test_not_of_general_admission(self, system: System) -> None:
        event = system.create_event(totalSeats=5)
        assert_problem(system.get(f"/api/v1/events/{event}/plan"), 404, "PLAN_NOT_FOUND")

    def test_of_100_000_seats(self, system: System) -> None:
        """Written with indentation, as editors write it."""
        file = stadium(100_000)
        body = json.dumps({"name": "Stadium", "seatingPlan": file}, indent=1).encode()
        created = system.request("POST", "/api/v1/events", body, JSON)
        assert (created.status, created.json["totalSeats"]) == (201, 100_000)
        event = created.json["id"]
        shown = system.get(f"/api/v1/events/{event}/plan", {"Accept-Encoding": "gzip"})
        assert len(shown.body) < 1_000_000
        assert system.buy(10, event_id=event).json["seats"] == [f"0-{n}" for n in range(21, 31)]

    def test_larger_bodies_are_refused(self, system: System) -> None:
        headers = {**JSON, "Content-Length": str(33 * 1024 * 1024)}
        assert_problem(system.request("POST", "/api/v1/events", b"{", headers), 413, "BODY_TOO_LARGE")


def test_from_the_command_line(system: System, tmp_path: Path) -> None:
    written = tmp_path / "plan.json"
    written.write_text(json.dumps(theatre()))
    best = ("--best-first", "Ground:B", "--best-first", "Balcony")
    event = system.command("events", "create", "Theatre", "--plan", str(written), *best).stdout.split()[-1]
    assert system.buy(2, event_id=event).json["seats"] == ["g-B-1", "g-B-2"]
    both = CliRunner().invoke(events.events, ["create", "Both", "--plan", str(written), "--seats", "5"])
    assert both.exit_code == 2
    for name in ("", "a\nb", "x" * 201):
        with pytest.raises(InvalidRequest, match=r"^Name\b"):
            CliRunner().invoke(events.events, ["create", name, "--seats", "5"], catch_exceptions=False)
