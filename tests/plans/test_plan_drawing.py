"""`seating plan show`: a picture of what becomes of a file."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from seating.cli import main
from seating.domain import plan_drawing, plan_file, plan_reading
from seating.domain.seating_plan import DEMO_HALL, generate
from tests.seating_plan_file import drawn_row, everything, hall

SVG = "{http://www.w3.org/2000/svg}"
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def draw(file: dict[str, Any]) -> ElementTree.Element:
    return ElementTree.fromstring(plan_drawing.draw(plan_file.read(plan_reading.parse(file))))


def texts(drawn: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in drawn.iter(f"{SVG}text")]


def test_each_stretch_is_a_line_and_each_seat_a_circle_darker_the_better() -> None:
    drawn = draw(
        hall(drawn_row("A", [0, 25, 50, 200, 225, 250], row_number_position="both"), drawn_row("B", [0, 25], y=30))
    )
    lines = [line.attrib["points"] for line in drawn.iter(f"{SVG}polyline")]
    assert lines == ["0,0 25,0 50,0", "200,0 225,0 250,0", "0,30 25,30"]
    seats = [circle.attrib for circle in drawn.iter(f"{SVG}circle") if "r" in circle.attrib][:8]
    fills = [sum(bytes.fromhex(seat["fill"][1:])) for seat in seats]
    assert fills == sorted(fills)
    assert len(set(fills)) == 3
    assert [(seat["cx"], seat["cy"]) for seat in seats][:4] == [("0", "0"), ("25", "0"), ("50", "0"), ("200", "0")]
    assert texts(drawn).count("A") == 2
    titles = [title.text for title in drawn.iter(f"{SVG}title")]
    assert titles[1] == "1. of 3 stretches, block 0, Ground, row A, Stalls: A-1 to A-3"


def test_every_shape_and_text_is_drawn() -> None:
    drawn = draw(everything())
    for shape in ("polygon", "rect", "ellipse", "circle"):
        assert drawn.find(f".//{SVG}g[@transform]/{SVG}{shape}") is not None
    assert "Bar" in texts(drawn)
    assert drawn.find(f".//{SVG}g[@transform='translate(310 20) rotate(15)']") is not None


def test_a_file_cannot_put_anything_else_into_it() -> None:
    evil = '"><script>alert(1)</script>'
    area = {"shape": "circle", "circle": {"radius": 5}, "color": evil, "border_color": "url(http://x.test/)"}
    file = hall(
        drawn_row(evil, [0, 25], row_number_position="both"), areas=[area | {"text": {"text": evil, "color": evil}}]
    )
    file["categories"] = [{"name": "Stalls", "color": evil}]
    drawn = draw(file)
    assert {element.tag.removeprefix(SVG) for element in drawn.iter()} == {
        "svg", "title", "rect", "g", "circle", "text", "polyline"
    }  # fmt: skip
    assert evil in texts(drawn)
    assert "x.test" not in ElementTree.tostring(drawn, "unicode")


def test_of_a_generated_hall() -> None:
    drawn = ElementTree.fromstring(plan_drawing.draw(generate(DEMO_HALL)))
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 200


def test_the_picture_in_the_docs_is_what_the_command_draws(tmp_path: Path) -> None:
    output = tmp_path / "hall.svg"
    shown = CliRunner().invoke(main.seating, ["plan", "show", str(EXAMPLES / "hall.json"), "--output", str(output)])
    assert shown.exit_code == 0, shown.exception
    assert output.read_text() == (EXAMPLES / "hall.svg").read_text()
    assert "nearest to the stage" in shown.stderr
    printed = CliRunner().invoke(main.seating, ["plan", "show", str(EXAMPLES / "hall.json")])
    assert printed.stdout == output.read_text()


@pytest.mark.parametrize("best_first", ["zones.0.rows.0", "Stalls:C"])
def test_what_is_best_can_be_said(tmp_path: Path, best_first: str) -> None:
    written = tmp_path / "plan.json"
    written.write_text((EXAMPLES / "hall.json").read_text())
    shown = CliRunner().invoke(main.seating, ["plan", "show", str(written), "--best-first", best_first])
    first = next(ElementTree.fromstring(shown.stdout).iter(f"{SVG}polyline"))
    last_row = json.loads(written.read_text())["zones"][0]["rows"][0]
    assert first.attrib["points"].split()[0].endswith(f",{last_row['position']['y']}")
