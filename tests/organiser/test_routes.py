"""Setting many seats over HTTP, and what live feeds make of it."""

import json
from typing import Any

import pytest

from tests.live.client import Socket, live, snapshot
from tests.servers import wait_until
from tests.system import Answer, System
from tests.web import JSON

HALL = {"generate": {"sections": 2, "rows": 10, "seatsPerRow": 30}}


@pytest.fixture
def hall(system: System) -> str:
    return system.create_event(seatingPlan=HALL)


def _patch(system: System, event: str, **body: Any) -> Answer:
    return system.request("PATCH", f"/api/v1/events/{event}/seats", json.dumps(body).encode(), JSON)


def _seats(section: int, rows: str) -> list[str]:
    return [f"sec-{section}-row-{row}-seat-{number}" for row in rows for number in range(1, 31)]


def test_seats_are_set_listed_and_told(system: System, hall: str) -> None:
    since = snapshot(system, hall)["since"]
    done = _patch(system, hall, status="reserved", seats=_seats(1, "AB"), note="kept for the sponsor")
    assert (done.status, done.json["changed"]) == (200, 60)
    with Socket(system, live(hall, since)) as socket:
        told = socket.message()
        assert (told["position"], told["status"], told["seats"]) == (
            done.json["position"],
            "reserved",
            _seats(1, "AB"),
        )
    listing = f"/api/v1/events/{hall}/seats/organiser?limit=2"
    wait_until(lambda: system.get(listing).json["seats"], what="SQL to have them")
    listed = system.get(listing).json
    assert listed["seats"][0].items() >= {"status": "reserved", "note": "kept for the sponsor"}.items()
    assert listed["seats"][0]["at"].endswith("Z")
    assert listed["next"] == listed["seats"][1]["id"]


def test_very_many_seats_are_told_by_a_snapshot(system: System, hall: str) -> None:
    since = snapshot(system, hall)["since"]
    with Socket(system, live(hall, since)) as socket:
        done = _patch(system, hall, status="reserved", seats=_seats(2, "ABCDEFGHIJ") + _seats(1, "ABCDEFGHIJ"))
        assert done.json["changed"] == 600
        told = socket.message()
        assert (told["type"], told["position"]) == ("SNAPSHOT_NEEDED", done.json["position"])
    with Socket(system, live(hall, since)) as late:
        assert late.message()["type"] == "SNAPSHOT_NEEDED"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "gone", "seats": ["a"]}, "status"),
        ({"seats": ["a"]}, "status"),
        ({"status": "held"}, "seats"),
        ({"status": "held", "seats": []}, "seats"),
        ({"status": "held", "seats": ["a", "a"]}, "seats"),
        ({"status": "held", "seats": ["a", 1]}, "seats.1"),
        ({"status": "held", "seats": ["a"], "zone": "Floor"}, "zone"),
        ({"status": "held", "zone": "Floor"}, "zone"),
        ({"status": "held", "category": "Roof"}, "category"),
        ({"status": "held", "category": "Seats", "quantity": 5}, "quantity"),
        ({"status": "held", "zone": "Floor", "quantity": 5}, "quantity"),
        ({"status": "held", "category": "Seats", "quantity": 0}, "quantity"),
        ({"status": "available", "seats": ["a"], "from": "available"}, "from"),
        ({"status": "available", "seats": ["a"], "from": "sold"}, "from"),
        ({"status": "held", "quantity": 5, "from": "sold"}, "from"),
        ({"status": "held", "seats": [str(number) for number in range(10_001)]}, "seats"),
        ({"status": "held", "seats": ["a"], "note": "\n"}, "note"),
    ],
)
def test_bad_input_names_its_field_and_sets_nothing(
    system: System, hall: str, body: dict[str, Any], field: str
) -> None:
    refused = _patch(system, hall, **body)
    assert (refused.status, refused.json["error"], refused.json["field"]) == (400, "VALIDATION_ERROR", field)
    assert system.get(f"/api/v1/events/{hall}/seats").json["seatsRemaining"] == 600


def test_a_body_of_more_than_a_megabyte_is_too_large(system: System, hall: str) -> None:
    refused = _patch(system, hall, status="held", seats=["s" * 200 + str(number) for number in range(6_000)])
    assert (refused.status, refused.json["error"]) == (413, "BODY_TOO_LARGE")


def test_what_buyers_have_is_named(system: System, hall: str) -> None:
    bought = system.buy(2, event_id=hall).json
    refused = _patch(system, hall, status="reserved", seats=_seats(1, "ABCDEFGHIJ"))
    assert (refused.status, refused.json["error"], refused.json["seats"]) == (409, "SEAT_SOLD", bought["seats"])
    held = system.request("POST", f"/api/v1/events/{hall}/holds", b'{"quantity":2}', JSON).json
    refused = _patch(system, hall, status="reserved", seats=held["seats"])
    assert (refused.status, refused.json["error"], refused.json["seats"]) == (409, "SEAT_HELD", held["seats"])


def test_general_admission_has_no_seats_to_name(system: System) -> None:
    event = system.create_event(totalSeats=10)
    refused = _patch(system, event, status="held", seats=["a"])
    assert (refused.status, refused.json["field"]) == (400, "quantity")
    assert _patch(system, event, status="sold", quantity=3, note="at the door").json["changed"] == 3
    assert _patch(system, event, **{"status": "available", "quantity": 1, "from": "sold"}).json["changed"] == 1
    too_many = _patch(system, event, status="reserved", quantity=9)
    assert (too_many.status, too_many.json["error"], too_many.json["seatsRemaining"]) == (409, "SOLD_OUT", 8)
    assert system.get(f"/api/v1/events/{event}").json["seatsRemaining"] == 8
    listing = f"/api/v1/events/{event}/seats/organiser"
    wait_until(lambda: [one["quantity"] for one in system.get(listing).json["places"]] == [2], what="SQL to have them")
    (places,) = system.get(listing).json["places"]
    assert places.items() >= {"category": None, "status": "sold", "by": "operator", "note": "at the door"}.items()
    assert system.get(f"{listing}?status=held").json == {"seats": [], "places": [], "next": None}
    unknown = _patch(system, "no-such-event", status="held", seats=["a"])
    assert (unknown.status, unknown.json["error"]) == (404, "EVENT_NOT_FOUND")
    assert system.get("/api/v1/events/no-such-event/seats/organiser").status == 404
