"""Every fault of a seating-plan file is listed at once, with its path, its value and what would be right."""

import copy
import json
import random
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from seating.domain import plan_reading
from seating.domain.errors import InvalidPlan
from seating.domain.plan_faults import MAX_COUNTED, MAX_LISTED
from seating.domain.plan_format import MAX_CATEGORIES, PlanFile
from tests.seating_plan_file import drawn_row, everything, hall, seat, theatre
from tests.system import System
from tests.web import JSON, assert_problem


def faults(file: Any) -> list[dict[str, Any]]:
    """None of a file that is taken."""
    try:
        plan_reading.parse(copy.deepcopy(file))
    except InvalidPlan as error:
        return list(error.facts["errors"])
    return []


def paths(file: Any) -> list[str]:
    return [fault["path"] for fault in faults(file)]


KINDS: dict[str, str] = {
    "line": "row_number row_label seat_label seat_number color border_color zone_id uuid start_direction start_at name "
    "category seat_guid",
    "number": "x y width height rotation size radius seats_spacing number_of_seats",
    "list": "zones categories rows areas seats points",
    "choice": "row_number_position shape",
    "bool": "displayed",
}
EXCEPTIONS = {"text.text": "text", "ellipse.radius": "object", "plan.size": "object"}
"""By the last two names of the path, where the last one has another kind elsewhere."""

REQUIRED = "zones rows row_number seats seat_guid seat_number x y points".split()  # noqa: SIM905
REQUIRED += [
    "size.width",
    "size.height",
    "rectangle.width",
    "rectangle.height",
    "ellipse.radius",
    "circle.radius",
    "text.text",
    "plan.name",
]


class Field(NamedTuple):
    """A field of `everything`, and what holds of it."""

    path: str

    @property
    def names(self) -> tuple[str, str]:
        """Its own, and behind that of what it is in."""
        names = [step for step in ("plan", *self.path.split(".")) if not step.isdigit()]
        return names[-1], ".".join(names[-2:])

    @property
    def kind(self) -> str:
        name, within = self.names
        named = (kind for kind, names in KINDS.items() if name in names.split())
        return EXCEPTIONS.get(within) or next(named, "object")

    @property
    def required(self) -> bool:
        return not set(self.names).isdisjoint(REQUIRED)


def fields(value: Any, path: str = "") -> Iterator[Field]:
    """Each field of each kind of part once."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield Field(f"{path}{name}")
            yield from fields(inner, f"{path}{name}.")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from fields(inner, f"{path}{number}.")


MISSING = object()
WRONG: dict[str, dict[str, Any]] = {
    "line": {"a number": 5, "a list": [], "an object": {}, "a bool": True, "too long": "g" * 256, "two lines": "a\nb"},
    "text": {"a number": 5, "a list": [], "an object": {}, "a bool": True, "too long": "g" * 1001},
    "number": {"text": "1", "a list": [], "an object": {}, "too large": 1e7, "infinite": float("inf")},
    "choice": {"text": "left", "a number": 5, "a list": [], "an object": {}, "a bool": True},
    "bool": {"text": "yes", "a number": 5, "a list": [], "an object": {}},
    "list": {"text": "x", "a number": 5, "an object": {}, "a bool": True, "too long": [None] * 10_001},
    "object": {"a number": 5, "a list": [], "a bool": True},
}
FIELDS = list(fields(everything()))
CASES = {
    f"{field.path}: {kind}": (field, value)
    for field in FIELDS
    for kind, value in {"missing": MISSING, "null": None, "unknown": ..., **WRONG[field.kind]}.items()
}


def put(file: Any, path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for step in parents:
        file = file[int(step) if step.isdigit() else step]
    if value is MISSING:
        del file[last]
    elif value is ...:
        file[f"{last}_of_ours"] = 1
    else:
        file[last] = value


def expected(field: Field, value: Any) -> list[str]:
    if value is ...:
        return [f"{field.path}_of_ours"]
    return [field.path] if field.required or value not in (MISSING, None) else []


def test_everything_of_the_format_is_taken() -> None:
    assert faults(everything()) == []
    parts = {name for field in FIELDS for name in field.path.split(".") if not name.isdigit()}
    known = json.dumps(PlanFile.model_json_schema())
    assert all(f'"{name}"' in known for name in parts)
    assert set(" ".join(KINDS.values()).split()) <= parts


@pytest.mark.parametrize(("field", "value"), CASES.values(), ids=CASES)
def test_each_breakage_of_each_field(field: Field, value: Any) -> None:
    file = everything()
    put(file, field.path, value)
    assert paths(file) == expected(field, value)


@pytest.mark.parametrize("kind", ["missing", "unknown", "a number", "an object", "too long"])
def test_a_breakage_of_all_fields_at_once(kind: str) -> None:
    """Of those that have no other fields in them: all are listed, in the order of the file."""
    file = everything()
    leaves = [field for field in FIELDS if field.kind not in ("list", "object")]
    broken = []
    for field in leaves:
        value = {"missing": MISSING, "unknown": ..., **WRONG[field.kind]}.get(kind)
        if value is not None:
            put(file, field.path, value)
            broken += expected(field, value)
    found = paths(file)
    assert len(broken) > 5
    assert sorted(found) == sorted(broken)


class TestBeyondTheSchema:
    def test_all_duplicates_at_once_with_free_ids(self) -> None:
        file = hall(drawn_row("A", [0, 25, 50]), drawn_row("A", [0, 25], y=30), drawn_row("A-1", [0, 25], y=60))
        file["zones"][0]["rows"][2]["seats"][0]["seat_guid"] = "A-1-2"
        file["zones"][0]["rows"][2]["seats"][1]["seat_guid"] = "A-1"
        found = [(fault["path"], fault["value"], fault["suggestion"]) for fault in faults(file)]
        assert found == [
            ("zones.0.rows.1.seats.0.seat_guid", "A-1", '"A-1-3"'),
            ("zones.0.rows.1.seats.1.seat_guid", "A-2", '"A-2-2"'),
            ("zones.0.rows.2.seats.1.seat_guid", "A-1", '"A-1-4"'),
        ]

    def test_numbered_duplicates(self) -> None:
        file = hall(drawn_row("A", [0, 25]), drawn_row("A", [0, 25], y=30))
        read = plan_reading.parse(file, number_duplicates=True)
        assert [seat.seat_guid for row in read.zones[0].rows for seat in row.seats] == ["A-1", "A-2", "A-1-2", "A-2-2"]
        assert read.notes == ["Seats renamed, since another one has their id: 2 (A-1 is now A-1-2, A-2 is now A-2-2)"]

    def test_numbered_duplicates_of_the_longest_id(self) -> None:
        row = {"row_number": "A", "seats": [seat("g" * 255, "Stalls", 25 * n) for n in range(12)]}
        read = plan_reading.parse(hall(row), number_duplicates=True)
        ids = {seat.seat_guid for seat in read.zones[0].rows[0].seats}
        assert (len(ids), max(map(len, ids))) == (12, 255)

    def test_unknown_fields_that_are_left_out(self) -> None:
        file = everything()
        expected = plan_reading.parse(file).model_dump()
        file["version"] = 3
        file["zones"][0]["rows"][0]["seats"][0] |= {"status": "sold", "wheel\x07chair": True}
        file["zones"][0]["rows"][0]["seats"][0]["position"]["z"] = 5
        assert {fault["message"] for fault in faults(file)} == {"the format has no such field"}
        read = plan_reading.parse(file, ignore_unknown=True)
        assert read.model_dump() == expected
        assert read.notes[-1] == (
            "Fields left out, since the format has no such ones: version (1), status (1), wheel chair (1), z (1)"
        )
        file["zones"][0]["rows"][0]["row_number"] = 5
        with pytest.raises(InvalidPlan, match="must be text"):
            plan_reading.parse(file, ignore_unknown=True)

    def test_categories(self) -> None:
        file = hall(drawn_row("A", [0, 25]), categories=("Stalls", "Circle", "Stalls"))
        file["zones"][0]["rows"][0]["seats"][1]["category"] = "circle "
        file["zones"][0]["rows"][0]["seats"][0]["category"] = "Box"
        assert [(fault["path"], fault["value"], fault["suggestion"]) for fault in faults(file)] == [
            ("categories.2.name", "Stalls", "rename or remove it"),
            ("zones.0.rows.0.seats.0.category", "Box", "add it to categories"),
            ("zones.0.rows.0.seats.1.category", "circle ", '"Circle"'),
        ]

    def test_a_seat_without_a_position_among_others(self) -> None:
        file = hall(drawn_row("A", [0, 25]))
        del file["zones"][0]["rows"][0]["seats"][1]["position"]
        assert paths(file) == ["zones.0.rows.0.seats.1.position"]

    def test_of_every_kind_in_the_order_of_the_file(self) -> None:
        file = theatre()
        del file["name"]
        file["categories"][1]["name"] = 5
        file["zones"][0]["rows"][0]["seats"][0] |= {"seat_guid": "b-1-2", "seat_number": 1}
        file["zones"][0]["rows"][1]["row_number"] = None
        file["zones"][1]["areas"][0]["shape"] = "star"
        file["zones"][1]["rows"][0]["seats"] = "many"
        file["zones"].append("Gallery")
        assert paths(file) == [
            "name",
            "categories.1.name",
            "zones.0.rows.0.seats.0.seat_number",
            "zones.0.rows.0.seats.1.seat_guid",
            "zones.0.rows.1.row_number",
            "zones.1.areas.0.shape",
            "zones.1.rows.0.seats",
            "zones.2",
        ]

    @pytest.mark.parametrize("value", [None, [], "plan", 5, {}, {"zones": None}, {"name": "x", "zones": []}])
    def test_what_is_no_plan(self, value: Any) -> None:
        assert paths(value)


@pytest.mark.parametrize(
    ("broken", "path", "value", "suggestion"),
    [
        ({"row_number": 5}, "row_number", 5, '"5"'),
        ({"row_numbr": "A"}, "row_numbr", "A", '"row_number"'),
        ({"price": 5}, "price", 5, "remove it"),
        ({"row_number_position": "Start"}, "row_number_position", "Start", '"start"'),
        ({"row_label": "x" * 300}, "row_label", "x" * 80 + "…", "shorten it by 45"),
        ({"row_label": "a\tb"}, "row_label", "a b", '"a b"'),
        ({"position": {"x": "12,5", "y": 0}}, "position.x", "12,5", "12.5"),
        ({"position": {"x": 2e6, "y": 0}}, "position.x", 2e6, "1e+06"),
        ({"position": []}, "position", None, None),
    ],
)
def test_suggestions(broken: dict[str, Any], path: str, value: Any, suggestion: str | None) -> None:
    found = {fault["path"]: fault for fault in faults(hall(drawn_row("A", [0, 25]) | broken))}
    fault = found[f"zones.0.rows.0.{path}"]
    assert (fault["value"], fault["suggestion"]) == (value, suggestion)


def test_a_field_under_another_name_is_suggested() -> None:
    file = hall(drawn_row("A", [0]))
    one = file["zones"][0]["rows"][0]["seats"][0]
    one["seat_gid"] = one.pop("seat_guid")
    assert [(fault["path"].rpartition(".")[2], fault["suggestion"]) for fault in faults(file)] == [
        ("seat_guid", 'rename "seat_gid"'),
        ("seat_gid", '"seat_guid"'),
    ]


class TestBounds:
    @pytest.mark.parametrize("listed", [False, True])
    def test_categories_that_only_seats_name_count_too(self, *, listed: bool) -> None:
        """They are as many as the plan may have and, once a seat has none, one more."""
        names = [f"Seats {n}" for n in range(2, MAX_CATEGORIES + 1)] + ["Seats"]
        file = hall(drawn_row("A", range(1000)), drawn_row("B", [0]), categories=names if listed else ())
        for one, name in zip(file["zones"][0]["rows"][0]["seats"], names, strict=True):
            one["category"] = name
        last = file["zones"][0]["rows"][1]["seats"][0]
        last["category"] = "Seats"
        assert len(plan_reading.parse(copy.deepcopy(file)).categories) == MAX_CATEGORIES
        last["category"] = ""
        (fault,) = faults(file)
        assert (fault["path"], fault["value"]) == ("categories", None)
        assert fault["message"] == "a plan has at most 1000 categories, this one 1001, with those of its seats"

    def test_a_seat_without_a_category_however_many_are_called_so(self) -> None:
        file = hall(drawn_row("A", range(1000)), drawn_row("B", range(999)), drawn_row("C", [0]), categories=())
        seats = [one for row in file["zones"][0]["rows"] for one in row["seats"]]
        for number, one in enumerate(seats, 1):
            one["category"] = "Seats" if number == 1 else f"Seats {number}"
        seats[-1]["category"] = ""
        assert paths(file) == ["categories"]

    def test_a_hundred_are_listed_and_all_are_counted(self) -> None:
        file = hall(*(drawn_row("A", [25 * place for place in range(50)], y=30 * row) for row in range(20)))
        with pytest.raises(InvalidPlan, match=r"\(and 949 more\)") as refused:
            plan_reading.parse(file)
        assert (len(refused.value.facts["errors"]), refused.value.facts["errors_total"]) == (MAX_LISTED, 950)

    def test_a_file_of_nothing_but_faults_is_not_read_on(self) -> None:
        rows = [{"row_number": "A", "seats": [{}] * 1000}] * 1000
        with pytest.raises(InvalidPlan) as refused:
            plan_reading.parse({"name": "x", "zones": [{"rows": rows}]})
        assert MAX_COUNTED <= refused.value.facts["errors_total"] < 2 * MAX_COUNTED


def test_long_names_alike_are_compared_in_bounded_time() -> None:
    """Each of a hundred faults has a suggestion sought for it; whole names took minutes."""
    letters = random.Random(1)
    names = ["".join(letters.choices("ab", k=199)) for _ in range(MAX_CATEGORIES)]
    seats = [seat(f"A-{n}", "".join(letters.choices("ab", k=199)), n) for n in range(MAX_LISTED)]
    file = hall({"row_number": "A", "seats": seats}, categories=names)
    began_s = time.process_time()
    assert len(faults(file)) == MAX_LISTED
    assert time.process_time() - began_s < 10


def test_over_http_as_a_problem(system: System) -> None:
    file = theatre()
    file["zones"][0]["rows"][0]["seats"][0]["seat_guid"] = "b-1-2"
    file["zones"][1]["rows"][0]["row_number"] = 1
    body = json.dumps({"name": "Broken", "seatingPlan": file}).encode()
    answer = system.request("POST", "/api/v1/events", body, JSON)
    first = "seatingPlan.zones.0.rows.0.seats.1.seat_guid"
    problem = assert_problem(answer, 400, "VALIDATION_ERROR", first)
    assert problem["message"] == f"{first}: another seat has this id: zones.0.rows.0.seats.0 (and 1 more)"
    assert problem["errorsTotal"] == 2
    assert problem["errors"][1] == {
        "path": "seatingPlan.zones.1.rows.0.row_number",
        "value": 1,
        "message": "must be text",
        "suggestion": '"1"',
    }
    numbered = {"name": "Numbered", "seatingPlan": {**file, "zones": file["zones"][:1]}, "numberDuplicates": True}
    created = system.request("POST", "/api/v1/events", json.dumps(numbered).encode(), JSON)
    assert created.status == 201, created.body
    assert created.json["planNotes"][0] == "Seats renamed, since another one has their id: 1 (b-1-2 is now b-1-2-2)"
