"""Which seats of a plan are best, and what is said about it."""

from typing import Any

import pytest
from pydantic import ValidationError

from seating.domain import plan_file, plan_reading
from seating.domain.errors import InvalidRequest
from seating.domain.plan_format import Better
from seating.domain.seating_plan import SeatingPlan
from tests.seating_plan_file import drawn_row, hall, stage

TEN = range(0, 250, 25)


def read(file: dict[str, Any], *best_first: Better) -> SeatingPlan:
    return plan_file.read(plan_reading.parse(file), best_first)


def rows(plan: SeatingPlan) -> list[str]:
    """The name of each stretch's row, best first."""
    return [row[0].rpartition("-")[0] for block in plan.blocks for row in block]


def upstage() -> dict[str, Any]:
    """The stage is below, at 400; row C, listed first, is farthest from it."""
    return hall(*(drawn_row(name, TEN, y=y) for name, y in (("C", 240), ("B", 270), ("A", 300))), areas=[stage(400)])


class TestStage:
    def test_decides_if_the_file_lists_the_farthest_row_first(self) -> None:
        plan = read(upstage())
        assert rows(plan) == ["A", "B", "C"]
        assert plan.notes == (
            "Best first: by category, then nearest to the stage ('Stage', zones.0.areas.0); "
            "the file lists rows that are farther from it first",
        )

    def test_does_not_if_the_nearest_is_first(self) -> None:
        file = upstage()
        file["zones"][0]["rows"].reverse()
        plan = read(file)
        assert rows(plan) == ["A", "B", "C"]
        assert "as the file lists zones and rows, nearest to the stage" in plan.notes[0]

    def test_does_not_for_one_row_out_of_order(self) -> None:
        """An organiser may mean it so."""
        names = {"B": 270, "A": 300, "C": 240, "D": 210, "E": 180}
        file = hall(*(drawn_row(name, TEN, y=y) for name, y in names.items()), areas=[stage(400)])
        assert rows(read(file)) == ["B", "A", "C", "D", "E"]

    def test_is_within_a_category(self) -> None:
        file = upstage()
        file["categories"].append({"name": "Cheap"})
        for seat in file["zones"][0]["rows"][2]["seats"]:
            seat["category"] = "Cheap"
        assert rows(read(file)) == ["B", "C", "A"]

    def test_comes_behind_what_the_organiser_names(self) -> None:
        assert rows(read(upstage(), Better(zone="Ground", row="B"))) == ["B", "A", "C"]

    def test_is_farther_from_the_sides_of_a_row(self) -> None:
        sides = [*range(-200, -50, 25), *TEN, *range(300, 450, 25)]
        file = hall(drawn_row("B", TEN, y=260), drawn_row("A", sides, y=300), areas=[stage(400)])
        assert rows(read(file)) == ["A", "B", "A", "A"]

    @pytest.mark.parametrize("text", ["S T A G E", "stage", "Bühne", "PALCO", "Screen", "Scène", "Stage 1", "舞台"])
    def test_in_many_words(self, text: str) -> None:
        assert rows(read(upstage() | {"zones": [upstage()["zones"][0] | {"areas": [stage(400, text)]}]})) == [
            "A",
            "B",
            "C",
        ]

    @pytest.mark.parametrize("text", ["", "To the stage", "Backstage", "Bar", "Arah Panggung"])
    def test_is_no_other_area(self, text: str) -> None:
        file = upstage()
        file["zones"][0]["areas"] = [stage(400, text)]
        plan = read(file)
        assert (rows(plan), plan.notes[0][-17:]) == (["C", "B", "A"], "it shows no stage")

    def test_may_be_a_text_in_a_shape(self) -> None:
        """Around the label are the hall itself, which has seats in it, and the stage."""
        whole = {"shape": "rectangle", "position": {"x": -50, "y": -50}, "rectangle": {"width": 900, "height": 900}}
        label = {
            "shape": "text",
            "position": {"x": 125, "y": 425},
            "text": {"text": "Stage", "position": {"x": 0, "y": 0}},
        }
        file = upstage()
        file["zones"][0]["areas"] = [whole, stage(400, ""), label]
        plan = read(file)
        assert rows(plan) == ["A", "B", "C"]
        assert "zones.0.areas.2" in plan.notes[0]

    def test_with_seats_in_its_box_counts_as_its_centre(self) -> None:
        round_stage = {"shape": "circle", "circle": {"radius": 200}, "position": {"x": 125, "y": 450}}
        file = upstage()
        file["zones"][0]["areas"] = [round_stage | {"text": {"text": "Stage"}}]
        assert rows(read(file)) == ["A", "B", "C"]

    def test_is_not_looked_for_without_positions(self) -> None:
        file = upstage()
        for seat in (seat for row in file["zones"][0]["rows"] for seat in row["seats"]):
            seat["position"] = None
        assert rows(read(file)) == ["C", "B", "A"]


class TestByPath:
    def test_where_names_repeat(self) -> None:
        file = hall(drawn_row("A", TEN), drawn_row("B", TEN, y=30))
        for number, name in enumerate("CD"):
            file["zones"].append(hall(drawn_row(name, TEN, y=300 * (number + 1)))["zones"][0])
        file["zones"][2]["rows"][0]["row_number"] = "A"
        assert rows(read(file)) == ["A", "B", "C", "D"]
        assert rows(read(file, Better(path="zones.2"))) == ["D", "A", "B", "C"]
        assert rows(read(file, Better(path="zones.0.rows.1"), Better(path="zones.2.rows.0"))) == ["B", "D", "A", "C"]
        assert rows(read(file, Better(zone="Ground", row="A"))) == ["A", "D", "B", "C"]

    def test_of_a_piece_is_that_of_the_joined_row(self) -> None:
        file = hall(drawn_row("B", TEN), drawn_row("A", [0, 25], y=30), drawn_row("A", [50, 75], y=30))
        for seat in file["zones"][0]["rows"][2]["seats"]:
            seat["seat_guid"] += "-right"
        assert len(read(file, Better(path="zones.0.rows.2")).blocks[0][0]) == 4

    @pytest.mark.parametrize("path", ["zones.1", "zones.0.rows.2"])
    def test_that_is_not_there(self, path: str) -> None:
        with pytest.raises(InvalidRequest, match=path) as refused:
            read(hall(drawn_row("A", TEN)), Better(zone="Ground"), Better(path=path))
        assert refused.value.facts["field"] == "bestFirst.1"

    @pytest.mark.parametrize(
        "named",
        [
            {},
            {"row": "A"},
            {"zone": "A", "path": "zones.1"},
            {"path": "zones.0", "row": "A"},
            {"path": "zones.0.seats.1"},
        ],
    )
    def test_or_by_name(self, named: dict[str, str]) -> None:
        with pytest.raises(ValidationError):
            Better.model_validate(named)
