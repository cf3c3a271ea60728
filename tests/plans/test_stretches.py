"""Seats stand side by side, or an aisle is between them."""

from collections.abc import Sequence

import pytest

from seating.domain import plan_file, plan_reading
from seating.domain.seating_plan import Spot
from seating.domain.stretches import Row, cut
from tests.seating_plan_file import drawn_row, hall


def seats(*xs: float, y: float = 0) -> list[complex]:
    return [complex(x, y) for x in xs]


def stretches(*rows: tuple[str, Sequence[complex]]) -> list[list[tuple[int, int]]]:
    """The row and number of each seat, from 0."""
    return [[tuple(place) for place in stretch.places] for stretch in cut([Row(*row) for row in rows])]


def sizes(*rows: tuple[str, Sequence[complex]]) -> list[int]:
    return list(map(len, stretches(*rows)))


def lines(*rows: tuple[str, Sequence[complex]]) -> list[int]:
    return [stretch.line for stretch in cut([Row(*row) for row in rows])]


class TestOneRow:
    def test_is_cut_at_an_aisle(self) -> None:
        assert sizes(("A", seats(0, 25, 50, 200, 225, 250))) == [3, 3]

    @pytest.mark.parametrize(("gap", "cut_in"), [(25, 1), (37.5, 1), (38, 2), (50, 2), (1000, 2)])
    def test_is_cut_beyond_one_and_a_half_of_its_pitch(self, gap: float, cut_in: int) -> None:
        assert len(sizes(("A", seats(0, 25, 50, 50 + gap, 75 + gap, 100 + gap)))) == cut_in

    def test_has_a_pitch_of_its_own(self) -> None:
        assert sizes(("A", seats(*range(0, 250, 25))), ("Box", seats(0, 60, 120, 180, y=90))) == [10, 4]

    def test_of_two_or_three_seats_takes_the_pitch_of_its_zone(self) -> None:
        assert sizes(("A", seats(*range(0, 250, 25))), ("B", seats(0, 150, y=90)), ("C", seats(0, 25, 80, y=180))) == [
            10,
            1,
            1,
            2,
            1,
        ]

    def test_of_pairs_with_aisles_between_them(self) -> None:
        assert sizes(("A", seats(0, 60, 85, 145))) == [1, 2, 1]
        assert sizes(("A", seats(0, 25, 75, 100, 150, 175))) == [2, 2, 2]

    def test_numbered_from_the_right(self) -> None:
        assert stretches(("A", seats(250, 225, 200, 50, 25))) == [
            [(0, 0), (0, 1), (0, 2)],
            [(0, 3), (0, 4)],
        ]

    def test_listed_odd_seats_first(self) -> None:
        """1 3 5 7 2 4 6 8, which stand 1 2 3 4 5 6 7 8."""
        assert stretches(("A", seats(0, 50, 100, 150, 25, 75, 125, 175))) == [
            [(0, 0), (0, 4), (0, 1), (0, 5), (0, 2), (0, 6), (0, 3), (0, 7)]
        ]

    def test_numbered_from_the_middle(self) -> None:
        """7 5 3 1 2 4 6."""
        assert stretches(("A", seats(75, 50, 25, 0, 100, 125, 150))) == [
            [(0, 3), (0, 2), (0, 1), (0, 0), (0, 4), (0, 5), (0, 6)]
        ]

    def test_curved(self) -> None:
        """A quarter of a circle, with an aisle in it, seats 25 apart."""
        arc = [500 * 2.718281828459045 ** (0.05j * step) for step in (*range(10), *range(13, 24))]
        assert sizes(("A", arc)) == [10, 11]

    def test_of_a_table_is_as_listed(self) -> None:
        table = [complex(x, y) for y in (0, 25, 50, 75) for x in (0, 60)]
        assert stretches(("1", table)) == [[(0, seat) for seat in range(8)]]

    def test_drawn_at_one_place_is_as_listed(self) -> None:
        assert sizes(("A", seats(0, 0, 0)), ("B", seats(0, 25, 50))) == [3, 3]

    def test_without_seats(self) -> None:
        assert sizes(("A", []), ("B", seats(0))) == [1]


class TestPieces:
    def test_that_stand_together_are_one_stretch(self) -> None:
        assert stretches(("A", seats(0, 25, 50)), ("A", seats(75, 100))) == [[(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]]

    def test_are_joined_in_the_direction_of_the_first(self) -> None:
        assert stretches(("A", seats(75, 100)), ("A", seats(0, 25, 50))) == [[(1, 0), (1, 1), (1, 2), (0, 0), (0, 1)]]
        assert stretches(("A", seats(75, 100)), ("A", seats(50, 25, 0))) == [[(1, 2), (1, 1), (1, 0), (0, 0), (0, 1)]]

    def test_of_one_seat_each(self) -> None:
        assert stretches(*(("A", seats(25 * number)) for number in range(3)), ("B", seats(0, 25, y=30))) == [
            [(0, 0), (1, 0), (2, 0)],
            [(3, 0), (3, 1)],
        ]

    def test_across_an_aisle_are_one_row(self) -> None:
        rows = ("A", seats(0, 25, 50)), ("A", seats(110, 135)), ("B", seats(0, 25, y=30))
        assert (sizes(*rows), lines(*rows)) == ([3, 2, 2], [0, 0, 1])

    def test_far_away_on_one_line_are_one_row(self) -> None:
        assert lines(("A", seats(0, 25, 50)), ("A", seats(900, 925))) == [0, 0]
        assert lines(("A", seats(0, 25, 50)), ("A", seats(900, 925, y=60))) == [0, 1]

    def test_of_a_curve_are_one_row(self) -> None:
        left = [complex(25 * step, -20 * step) for step in range(4)]
        assert lines(("A", left), ("A", seats(130, 155, 180, y=-95))) == [0, 0]

    def test_one_behind_the_other_are_two_rows(self) -> None:
        rows = ("A", seats(0, 25, 50)), ("A", seats(0, 25, 50, y=30))
        assert (sizes(*rows), lines(*rows)) == ([3, 3], [0, 1])

    @pytest.mark.parametrize("names", [("A", "B"), ("", "")])
    def test_without_a_common_name_are_two_rows(self, names: tuple[str, str]) -> None:
        rows = (names[0], seats(0, 25, 50)), (names[1], seats(75, 100))
        assert (sizes(*rows), lines(*rows)) == ([3, 2], [0, 1])


class TestSpots:
    def test_have_the_row_and_the_centre_in_pitches(self) -> None:
        plan = plan_file.read(
            plan_reading.parse(
                hall(drawn_row("A", [0, 25, 50, 200, 225, 250]), drawn_row("B", [0, 25, 50, 200, 225, 250], y=30))
            )
        )
        assert plan.blocks == [
            [["A-1", "A-2", "A-3"], ["A-4", "A-5", "A-6"], ["B-1", "B-2", "B-3"], ["B-4", "B-5", "B-6"]]
        ]
        assert plan.spots == [[Spot(0, 100, 0), Spot(0, 900, 0), Spot(1, 100, 120), Spot(1, 900, 120)]]

    def test_of_a_curved_row_are_on_it(self) -> None:
        row = drawn_row("A", [0, 20, 40, 60, 80])
        for seat, y in zip(row["seats"], (0, -15, -20, -15, 0), strict=True):
            seat["position"]["y"] = y
        (spot,) = plan_file.read(plan_reading.parse(hall(row))).spots[0]
        assert (spot.x / spot.y, spot.y) == (-2, pytest.approx(-97, abs=1))

    def test_of_two_categories_in_a_row(self) -> None:
        row = drawn_row("A", [0, 25, 50, 75])
        row["seats"][3]["category"] = "Cheap"
        plan = plan_file.read(plan_reading.parse(hall(row, categories=("Stalls", "Cheap"))))
        assert plan.blocks == [[["A-1", "A-2", "A-3"]], [["A-4"]]]
        assert plan.spots == [[Spot(0, 100, 0)], [Spot(0, 300, 0, 0, 0)]]

    def test_are_unknown_without_positions(self) -> None:
        file = hall(drawn_row("A", [0, 0, 0]), drawn_row("B", [0, 0]))
        for seat in (seat for row in file["zones"][0]["rows"] for seat in row["seats"]):
            del seat["position"]
        plan = plan_file.read(plan_reading.parse(file))
        assert (plan.blocks, plan.spots) == ([[["A-1", "A-2", "A-3"], ["B-1", "B-2"]]], [])
        assert [row["y"] for row in plan.layout["blocks"][0]["rows"]] == [[25] * 3, [50] * 2]


def test_a_zone_of_many_rows_is_cut_in_no_time() -> None:
    rows = [("A", seats(*(100 * place for place in range(50)), y=30 * number)) for number in range(1000)]
    assert len(sizes(*rows)) == 1000
