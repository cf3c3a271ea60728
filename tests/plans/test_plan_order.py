"""Which seats of a plan are best, and what is said about it."""

import time
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from seating.domain import plan_file, plan_reading
from seating.domain import stage as stages
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

    def test_is_as_far_from_a_row_as_from_its_middle(self) -> None:
        """Long sides are farther than the row behind; sides around the stage are nearer than that in front."""
        sides = [*range(-300, -50, 25), *TEN, *range(300, 550, 25)]
        file = hall(drawn_row("B", TEN, y=280), drawn_row("A", sides, y=300), areas=[stage(400)])
        assert rows(read(file)) == ["A", "A", "A", "B"]
        left, right = (drawn_row("B", [112.5 + side * (147.5 + 9 * n) for n in range(5)]) for side in (-1, 1))
        for wing, side in ((left, "left"), (right, "right")):
            for place, seat in enumerate(wing["seats"]):
                seat["seat_guid"] += side
                seat["position"]["y"] = 300 + 24 * place
        file = hall(left, drawn_row("B", TEN, y=270), right, drawn_row("A", TEN, y=290), areas=[stage(400)])
        assert rows(read(file)) == ["A", "B", "B", "B"]

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

    @pytest.mark.parametrize("last", [100, 1000])
    def test_of_many_shapes_around_a_text_few_are_compared_with_the_seats(self, last: float) -> None:
        """The last of 10,000 seats is in each of a thousand shapes, or in none."""
        around = [
            {"shape": "circle", "circle": {"radius": 200 + number / 10}, "position": {"x": 0, "y": 0}}
            for number in range(999)
        ]
        areas = [{"shape": "text", "position": {"x": 0, "y": 0}, "text": {"text": "Stage"}}, *around]
        seats = [*(1000 + 25j * number for number in range(9_999)), complex(last)]
        file = plan_reading.parse(hall(drawn_row("A", TEN), areas=areas))
        began_s = time.process_time()
        found = stages.find(file, seats)
        assert time.process_time() - began_s < 3
        assert found
        assert found.box.size == (0 if last < 200 else 400**2)

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


class TestWithinARow:
    def stretches(self, *rows: dict[str, Any], best_first: Sequence[Better] = ()) -> list[list[str]]:
        return [stretch for block in read(hall(*rows), *best_first).blocks for stretch in block]

    def test_the_stretch_nearest_to_its_middle_is_first_and_then_the_leftmost(self) -> None:
        assert self.stretches(drawn_row("A", [0, 25, 100, 125, 150, 225, 250])) == [
            ["A-3", "A-4", "A-5"], ["A-1", "A-2"], ["A-6", "A-7"]
        ]  # fmt: skip

    @pytest.mark.parametrize("order", [1, -1])
    def test_of_two_halves_the_left_one_is_first(self, order: int) -> None:
        first, _ = self.stretches(drawn_row("A", [0, 8.1, 16.2, 40.5, 48.6, 56.7][::order]))
        assert {seat[-1] for seat in first} == set("123" if order == 1 else "456")

    def test_each_stretch_knows_how_far_that_is(self) -> None:
        """In halves of a seat, towards its last seat; no farther than it is long."""
        halves = read(hall(drawn_row("A", [0, 25, 50, 125, 150, 175]), drawn_row("B", TEN, y=30)))
        assert halves.to_middles == [[5, -5, 0]]
        three = read(hall(drawn_row("A", [0, 25, 100, 125, 150, 225, 250])))
        assert three.to_middles == [[0, 4, -4]]
        row = drawn_row("A", TEN)
        for seat in row["seats"][6:]:
            seat["category"] = "Cheap"
        assert read(hall(row, categories=("Stalls", "Cheap"))).to_middles == [[4], [-6]]
        for seat in row["seats"]:
            del seat["position"]
        assert read(hall(row, categories=("Stalls", "Cheap"))).to_middles == []

    def test_pieces_that_are_listed_apart_are_one_row(self) -> None:
        """It stands where its first piece is listed."""
        left, right = drawn_row("A", [0, 25, 50]), drawn_row("A", [125, 150, 175, 200, 225])
        for seat in left["seats"]:
            seat["seat_guid"] += "-left"
        names = [stretch[0] for stretch in self.stretches(left, drawn_row("B", TEN, y=30), right)]
        assert names == ["A-1", "A-1-left", "B-1"]
        first, *_ = self.stretches(left, right, best_first=[Better(path="zones.0.rows.0")])
        assert first[0] == "A-1-left"

    def test_of_which_categories_have_a_part_each_the_middle_is_that_of_the_whole(self) -> None:
        row = drawn_row("A", [0, 25, 50, 100, 125, 150, 175, 200, 225])
        for seat in row["seats"][5:]:
            seat["category"] = "Cheap"
        blocks = read(hall(row, categories=("Stalls", "Cheap"))).blocks
        assert blocks == [[["A-4", "A-5"], ["A-1", "A-2", "A-3"]], [["A-6", "A-7", "A-8", "A-9"]]]


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
