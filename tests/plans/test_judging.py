"""Best available on whole plans, judged by the coordinates in their files alone."""

import json
from typing import Any

import pytest

from seating.domain import plan_file, plan_reading
from seating.domain.seating_plan import SeatingPlan, Spot
from tests.plans.judging import judge
from tests.plans.test_first_buyers import LISTED, hall
from tests.seating_plan_file import drawn_row, theatre
from tests.seating_plan_file import hall as one_zone
from tests.system import PROJECT

PAIRS = [25.0 * place + 30 * (place // 2) for place in range(12)]
ODD_FIRST = [25.0 * place for place in (*range(0, 12, 2), *range(1, 12, 2))]
FILES: dict[str, Any] = {
    "the example of the docs": json.loads((PROJECT / "docs" / "examples" / "hall.json").read_text()),
    "wings and a balcony": hall(next(iter(LISTED))),
    "two categories in a row": theatre(),
    "pairs, and odd seats first": one_zone(drawn_row("A", PAIRS), drawn_row("B", ODD_FIRST, y=40)),
    "rows in pieces": one_zone(
        drawn_row("A", [0, 25, 50]), drawn_row("B", [0, 25], y=40), {**drawn_row("A2", [75, 100]), "row_number": "A"}
    ),
}


def read(file: dict[str, Any]) -> tuple[dict[str, Any], SeatingPlan]:
    parsed = plan_reading.parse(file)
    return parsed.model_dump(), plan_file.read(parsed)


@pytest.mark.parametrize("name", FILES)
def test_parties_sit_side_by_side_or_in_as_few_parts_as_can_be(name: str) -> None:
    found = list(judge(*read(FILES[name])))
    assert [line for one in found for line in one.wrong] == []
    assert all(one.together for one in found if one.quantity == 1)


def test_the_judge_sees_a_party_across_an_aisle() -> None:
    """Of a plan that takes the whole row for one stretch."""
    file, plan = read(one_zone(drawn_row("A", [0, 25, 50, 125, 150, 175])))
    assert [len(stretch) for stretch in plan.blocks[0]] == [3, 3]
    joined = SeatingPlan([[[*plan.blocks[0][0], *plan.blocks[0][1]]]], plan.layout, [[Spot(0, 0, 0)]])
    wrong = {one.quantity: one.wrong for one in judge(file, joined)}
    assert wrong[2][0] == "A-3 A-4 are in 2 parts, where 1 would do"
    assert wrong[1] == []
