"""Files as people have them: what is taken that the format does not have, and what it says."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from seating.cli import main, plans
from seating.domain import plan_document, plan_file, plan_reading
from seating.domain.errors import InvalidPlan
from tests.seating_plan_file import drawn_row, everything, hall
from tests.system import System
from tests.web import JSON, assert_problem


def page_of(file: dict[str, Any]) -> Any:
    plan = plan_file.read(plan_reading.parse(file))
    return json.loads(gzip.decompress(plan_document.render(plan).body))


def api_page(*sizes: int) -> dict[str, Any]:
    """Of plans with so many seats each."""
    results = [
        {"id": 10 + number, "name": f"Hall {number}", "layout": hall(drawn_row("A", range(0, 25 * size, 25)))}
        for number, size in enumerate(sizes)
    ]
    return {"count": len(results), "next": None, "previous": None, "results": results}


class TestForgiven:
    def test_a_byte_order_mark(self, tmp_path: Path) -> None:
        written = tmp_path / "plan.json"
        written.write_bytes(b"\xef\xbb\xbf" + json.dumps(hall(drawn_row("A", [0, 25]))).encode())
        assert plans.read(written).capacity == 2

    def test_fractions_in_sizes(self) -> None:
        file = hall(drawn_row("A", [0, 25])) | {"size": {"width": 1805.0, "height": 99.5}}
        assert page_of(file)["size"] == {"width": 1805, "height": 100}

    @pytest.mark.parametrize("categories", [[], None, ..., [{"name": ""}], [{}], [None]])
    @pytest.mark.parametrize("category", ["", None, ...])
    def test_no_categories(self, categories: Any, category: Any) -> None:
        file = hall(drawn_row("A", [0, 25]))
        file["categories"] = categories
        for seat in file["zones"][0]["rows"][0]["seats"]:
            seat["category"] = category
            if category is ...:
                del seat["category"]
        if categories is ...:
            del file["categories"]
        shown = page_of(file)
        assert shown["categories"] == [{"name": "Seats", "color": None}]
        assert [block["category"] for block in shown["blocks"]] == [0]

    def test_a_seat_without_a_category_among_others(self) -> None:
        file = hall(drawn_row("A", [0, 25, 50]), categories=("Seats", "Stalls"))
        file["zones"][0]["rows"][0]["seats"][1]["category"] = ""
        assert [category["name"] for category in page_of(file)["categories"]] == ["Seats", "Stalls", "Seats 2"]
        assert plan_reading.parse(file).notes == ["Seats without a category, now in 'Seats 2': 1"]

    @pytest.mark.parametrize("listed", [[], None, [None]])
    def test_categories_that_only_seats_name(self, listed: Any) -> None:
        file = hall(drawn_row("A", [0, 25])) | {"categories": listed}
        file["zones"][0]["rows"][0]["seats"][1]["category"] = "Circle"
        assert [category["name"] for category in page_of(file)["categories"]] == ["Stalls", "Circle"]

    def test_null_for_every_field_that_may_be_missing(self) -> None:
        """Nor has the older form of the format positions, sizes or areas everywhere."""
        file = hall(drawn_row("A", [0, 25]))
        more = dict.fromkeys(("row_label", "seat_label", "row_number_position", "uuid", "start_at", "number_of_seats"))
        file["zones"][0]["rows"][0] |= more | {"position": None}
        file["zones"][0] |= dict.fromkeys(("areas", "position", "name", "zone_id", "displayed", "uuid"))
        file |= {"size": None}
        assert page_of(file)["totalSeats"] == 2

    def test_an_area_whose_text_is_bare(self) -> None:
        area = {"width": 10, "height": 20, "position": {"x": 1, "y": 2}, "text": "Bar"}
        (shown,) = page_of(hall(drawn_row("A", [0]), areas=[area]))["areas"]
        assert shown["text"]["text"] == "Bar"


def test_a_page_has_all_that_the_format_knows() -> None:
    shown = page_of(everything())
    zone = everything()["zones"][0]
    assert shown["size"] == {"width": 11, "height": 20}
    assert shown["zones"] == [{"name": "Ground", "zoneId": "ground", "displayed": True}]
    assert shown["areas"][0] == {
        **{name: value for name, value in zone["areas"][0].items() if name != "uuid"},
        "position": {"x": 310, "y": 20},
    }
    assert [area.get("shape") for area in shown["areas"]] == ["polygon", "rectangle", "ellipse", "circle", "text", None]
    assert shown["areas"][3]["circle"] == {"radius": 5}
    assert shown["areas"][4]["text"] == zone["areas"][4]["text"]
    assert shown["blocks"][0]["rows"][0] == {
        "seats": ["E-1"],
        "label": "E",
        "numbers": ["1"],
        "x": [10],
        "y": [20],
        "rowLabel": "Row E",
        "seatLabel": "Seat %s",
        "rowNumberPosition": "both",
        "startAt": "1",
        "radius": [8],
        "startDirections": [">"],
        "startAts": ["1"],
    }


@pytest.mark.parametrize(
    ("wanted", "shown"),
    [
        ("both", ["start", None, "end"]),
        ("start", ["start", None, None]),
        ("end", [None, None, "end"]),
        (None, [None] * 3),
    ],
)
def test_a_rows_name_is_shown_at_its_ends_and_not_at_the_aisles(wanted: str | None, shown: list[str | None]) -> None:
    file = hall(drawn_row("A", [0, 25, 100, 125, 150, 250], row_number_position=wanted))
    from_the_left = sorted(page_of(file)["blocks"][0]["rows"], key=lambda row: row["x"])
    assert [row.get("rowNumberPosition") for row in from_the_left] == shown


class TestApiPage:
    def test_with_one_plan_is_that_plan(self) -> None:
        assert len(plan_reading.parse(api_page(5)).zones[0].rows[0].seats) == 5
        assert len(plan_reading.parse(api_page(5)["results"][0]).zones[0].rows[0].seats) == 5

    def test_with_24_plans_says_which_there_are(self) -> None:
        with pytest.raises(InvalidPlan, match="one of 24 plans on a page of pretix's API; take one") as refused:
            plan_reading.parse(api_page(*range(1, 25)))
        errors = refused.value.facts["errors"]
        assert len(errors) == 24
        assert (errors[23]["path"], errors[23]["value"]) == ("results.23.layout", "Hall 23")
        assert errors[23]["suggestion"] == "results.23.layout (id 33, 24 seats)"

    @pytest.mark.parametrize("pick", ["12", "Hall 2"])
    def test_of_which_one_is_picked(self, pick: str) -> None:
        assert len(plan_reading.parse(api_page(1, 2, 3), pick=pick).zones[0].rows[0].seats) == 3

    def test_without_the_one_that_is_picked(self) -> None:
        with pytest.raises(InvalidPlan):
            plan_reading.parse(api_page(1), pick="Hall 7")

    @pytest.mark.parametrize("results", [[], [None], [{"layout": None}], ["x"]])
    def test_without_plans(self, results: list[Any]) -> None:
        with pytest.raises(InvalidPlan, match="has no plan in it"):
            plan_reading.parse({"count": 0, "results": results})

    def test_faults_have_their_path_in_the_page(self) -> None:
        page = api_page(2)
        page["results"][0]["layout"]["zones"][0]["rows"][0]["row_number"] = 1
        with pytest.raises(InvalidPlan) as refused:
            plan_reading.parse(page, "seatingPlan.")
        assert refused.value.facts["field"] == "seatingPlan.results.0.layout.zones.0.rows.0.row_number"

    def test_over_http(self, system: System) -> None:
        for plan, status in ((api_page(2), 201), (api_page(2, 3), 400)):
            body = b"\xef\xbb\xbf" + json.dumps({"name": "Page", "seatingPlan": plan}).encode()
            answer = system.request("POST", "/api/v1/events", body, JSON)
            assert answer.status == status, answer.body
        assert_problem(answer, 400, "VALIDATION_ERROR", "seatingPlan.results.0.layout")
        assert len(answer.json["errors"]) == 2


class TestCommands:
    def run(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(main.seating, list(map(str, arguments)))

    @pytest.fixture
    def doubled(self, tmp_path: Path) -> Path:
        written = tmp_path / "plan.json"
        written.write_text(json.dumps(hall(drawn_row("A", [0, 25]), drawn_row("A", [0, 25], y=30))))
        return written

    def test_check_only_reports(self, doubled: Path) -> None:
        checked = self.run("events", "create", "Hall", "--plan", doubled, "--number-duplicates", "--check")
        assert checked.exit_code == 0
        assert checked.stdout == ""
        assert checked.stderr.splitlines() == [
            "Seats: 4, stretches side by side: 2, blocks: 1",
            "Categories, in the order of the sale: Stalls (4)",
            "Seats renamed, since another one has their id: 2 (A-1 is now A-1-2, A-2 is now A-2-2)",
            "Best first: by category, then as the file lists zones and rows; it shows no stage",
        ]

    def test_of_a_file_with_faults_ends_with_status_2(
        self, doubled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr("sys.argv", ["seating", "plan", "show", str(doubled)])
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capsys.readouterr()
        assert (ended.value.code, printed.out) == (2, "")
        assert printed.err.startswith(f"seating: {doubled}: 2 faults\n  zones.0.rows.1.seats.0.seat_guid: another")

    def test_fields_of_an_editor_are_left_out(self, tmp_path: Path) -> None:
        row = drawn_row("A", [0, 25, 50])
        for seat in row["seats"]:
            seat["status"] = "available"
        path = tmp_path / "edited.json"
        path.write_text(json.dumps(hall(row)))
        refused = self.run("plan", "show", path)
        assert isinstance(refused.exception, InvalidPlan)
        hint = "  --ignore-unknown leaves out fields that the format does not have"
        assert list(plans.fault_lines(refused.exception))[-1] == hint
        taken = self.run("plan", "show", path, "--ignore-unknown")
        assert (taken.exit_code, "no such ones: status (3)" in taken.stderr) == (0, True)

    def test_all_faults_are_printed(self, doubled: Path) -> None:
        refused = self.run("events", "create", "Hall", "--plan", doubled, "--check")
        assert isinstance(refused.exception, InvalidPlan)
        assert list(plans.fault_lines(refused.exception)) == [
            f"{doubled}: 2 faults",
            "  zones.0.rows.1.seats.0.seat_guid: another seat has this id: zones.0.rows.0.seats.0; it is 'A-1'; "
            'try "A-1-2"',
            "  zones.0.rows.1.seats.1.seat_guid: another seat has this id: zones.0.rows.0.seats.1; it is 'A-2'; "
            'try "A-2-2"',
            "  --number-duplicates gives seats whose id another seat has a number",
        ]
