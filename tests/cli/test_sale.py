"""Events, their seats and purchases, by commands alone."""

from pathlib import Path

import pytest

from tests.books import Said, order, seating
from tests.servers import wait_until
from tests.system import System

KEY = "a-key-of-a-buyer"


@pytest.fixture(scope="module")
def hall(system: System) -> str:
    return system.create_event(
        name="Gala",
        seatingPlan={"generate": {"sections": 1, "rows": 2, "seatsPerRow": 5}},
        currency="EUR",
        categories={"Seats": {"price": 4500}},
        startsAt="2099-01-15T19:30:00+01:00",
        venue="Town hall",
    )


def _words(said: Said) -> list[list[str]]:
    assert (said.status, said.error) == (0, ""), said
    return [line.split() for line in said.out.splitlines()]


def _seats(*numbers: int) -> list[str]:
    return [f"sec-1-row-A-seat-{number}" for number in numbers]


def test_an_event_as_people_and_as_scripts_see_it(system: System, hall: str) -> None:
    shown = seating(system, "events", "show", hall)
    listed = seating(system, "events", "list", "--venue", "Town hall")
    assert ["venue", "Town", "hall"] in _words(shown)
    assert shown.out.endswith(
        "CATEGORY  PRICE  ON SALE  ON REQUEST  ACCESSIBLE  LEFT\n"
        "Seats      4500  yes      no          no            10\n"
    )
    head, row = _words(listed)
    assert (head[0], row[0], row[-1]) == ("ID", hall, "10")
    as_data = seating(system, "events", "show", hall, "--json").json
    assert as_data == system.get(f"/api/v1/events/{hall}").json


def test_a_sale_is_paused_opened_and_closed(system: System) -> None:
    event = seating(system, "events", "create", "Field", "--seats", "5", "--draft", "--json").json["id"]
    for act, state in (("open", "on_sale"), ("pause", "paused"), ("open", "on_sale")):
        assert seating(system, "events", act, event, "--why", "a drill", "--json").json["state"] == state
        assert system.get(f"/api/v1/events/{event}").json["state"] == state
    refused = seating(system, "events", "close", event)  # Nobody is there to answer.
    assert (refused.status, system.get(f"/api/v1/events/{event}").json["state"]) == (130, "on_sale")
    assert seating(system, "events", "close", event, "--yes", "--json").json["state"] == "closed"
    assert seating(system, "events", "open", event).error == "seating: This event is closed for good\n"


def test_seats_are_set_and_listed(system: System, hall: str) -> None:
    listed = "\n".join(["", *_seats(3, 4), ""])
    words = ("events", "seats", "set", hall, "reserved", *_seats(5), "--file", "-", "--why", "for the sponsor")
    assert seating(system, *words, "--json", given=listed).json["changed"] == 3
    wait_until(lambda: len(_organised(system, hall)) == 3, what="the seats to be in SQL")
    assert [(seat["id"], seat["status"], seat["note"]) for seat in _organised(system, hall)] == [
        (seat, "reserved", "for the sponsor") for seat in _seats(3, 4, 5)
    ]
    head, *rows = _words(seating(system, "events", "seats", "list", hall))
    assert (head[0], [row[0] for row in rows]) == ("SEAT", _seats(3, 4, 5))
    assert seating(system, "events", "seats", "set", hall, "available", *_seats(3, 4, 5)).status == 0


def test_a_file_of_seats_in_another_encoding_is_refused(system: System, hall: str, tmp_path: Path) -> None:
    (tmp_path / "seats.txt").write_bytes("sec-1-row-A-s\xfcd-1\n".encode("latin-1"))
    refused = seating(system, "events", "seats", "set", hall, "reserved", "--file", str(tmp_path / "seats.txt"))
    assert (refused.status, refused.out) == (2, "")
    assert refused.error.startswith("seating: Seat not found")


def _organised(system: System, event: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = seating(system, "events", "seats", "list", event, "--json").json
    return found


def test_a_refusal_names_what_is_wrong(system: System, hall: str) -> None:
    seats = ("events", "seats", "set", hall)
    said = {
        (*seats, "reserved"): "Say which seats: seats, category or zone",
        (*seats, "reserved", "--zone", "Attic"): "There is no zone 'Attic'; this event has: none",
        (*seats, "reserved", "--category", "Seats", "--quantity", "0"): "Quantity must be at least 1",
        (*seats, "reserved", "sec-9"): "Seat not found",
        ("events", "list", "--from", "today"): "From: must be a moment from 1970 to 9999 with its offset",
        ("purchases", "show", "nothing"): "There is no such purchase",
    }
    for words, line in said.items():
        refused = seating(system, *words)
        assert (refused.status, refused.out) == (2, ""), words
        assert refused.error.startswith(f"seating: {line}"), refused.error


def test_a_purchase_is_found_refunded_and_cancelled(system: System, hall: str) -> None:
    bought = order(system, hall, KEY, seats=_seats(1, 2), reference="R-1").json["purchaseId"]
    by_seat = seating(system, "purchases", "find", hall, "--seat", _seats(2)[0], "--json").json
    by_reference = seating(system, "purchases", "find", hall, "--reference", "R-1", "--json").json
    assert [row["purchaseId"] for row in (*by_seat, *by_reference)] == [bought, bought]
    refund = ("purchases", "refund", bought, "--seats", _seats(2)[0], "--why", "one is ill", "--json")
    part, again = (seating(system, *refund).json for _ in range(2))
    assert part["cancelledWhy"] == "one is ill"
    assert [(told["cancelledSeats"], told["cancelledTotal"]) for told in (part, again)] == [(_seats(2), 4500)] * 2
    assert ["cancelled", "total", "9000"] in _words(seating(system, "purchases", "cancel", bought))
    head, row = _words(seating(system, "purchases", "find", hall, "--reference", "R-1"))
    assert (head[0], row[:2]) == ("PURCHASE", [bought, "cancelled"])
    assert seating(system, "purchases", "refund", bought).status == 2


def test_personal_data_of_purchases_is_erased(system: System) -> None:
    event = system.create_event(totalSeats=9)
    first, second = (
        order(system, event, f"{KEY}-{n}", quantity=1, reference=f"R-{n}").json["purchaseId"] for n in "12"
    )
    unknown = f"{first.rpartition('.')[0]}.{'0' * 16}"

    def references() -> list[str | None]:
        return [seating(system, "purchases", "show", each, "--json").json.get("reference") for each in (first, second)]

    asked = seating(system, "purchases", "erase", first)  # Nobody is there to answer.
    assert (asked.status, references()) == (130, ["R-1", "R-2"])
    assert seating(system, "purchases", "erase", first, "nothing", "--yes").status == 2
    assert references() == ["R-1", "R-2"]
    part = seating(system, "purchases", "erase", first, unknown, second, "--yes")
    assert (part.status, part.out) == (2, f"{first}: personal data erased\n")
    assert references() == [None, "R-2"]
    assert seating(system, "purchases", "erase", second, "--yes", "--json").json == [{"purchase_id": second}]
    assert references() == [None, None]
