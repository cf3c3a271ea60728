"""Categories over HTTP: creating and changing an event, asking for seats, and what answers say."""

import csv
import io
import json
import uuid
from typing import Any

import pytest

from seating.redis_store import keys
from tests.books import assert_books_right, order, seating
from tests.seating_plan_file import row, seat, theatre
from tests.servers import wait_until
from tests.system import Answer, Client, System
from tests.web import JSON, assert_problem, table

PRICES = {"Stalls": {"price": 4500}, "Cheap": {"price": 1500, "order": 1}}
FIELD = {"Floor": {"totalSeats": 5, "price": 6900}, "Balcony": {"totalSeats": 3, "price": 8900}}


def create(client: Client, **fields: Any) -> Answer:
    return client.request("POST", "/api/v1/events", json.dumps({"name": "Test", **fields}).encode(), JSON)


def patch(client: Client, event: str, **fields: Any) -> Answer:
    return client.request("PATCH", f"/api/v1/events/{event}", json.dumps(fields).encode(), JSON)


def key() -> str:
    return str(uuid.uuid4())


def test_an_event_says_on_what_conditions_it_is_sold(system: System) -> None:
    created = create(system, seatingPlan=theatre(), categories=PRICES, currency="EUR")
    assert created.status == 201
    assert created.json["currency"] == "EUR"
    assert created.json["categories"] == [
        {
            "name": name,
            "price": price,
            "onSale": True,
            "onRequest": False,
            "accessible": False,
            "order": place,
            "totalSeats": None,
            "seatsRemaining": left,
        }
        for name, price, place, left in (("Stalls", 4500, 0, 7), ("Cheap", 1500, 1, 5))
    ]
    event = created.json["id"]
    assert system.get(f"/api/v1/events/{event}").json.items() <= created.json.items()
    assert assert_problem(patch(system, event, categories={"Cheap": {"price": 1}}), 409, "ON_SALE")
    assert patch(system, event, state="paused").status == 200
    changed = patch(system, event, categories={"Cheap": {"onSale": False}}, why="full")
    assert (changed.status, changed.json["seatsRemaining"]) == (200, 7)
    assert [category["onSale"] for category in changed.json["categories"]] == [True, False]
    assert [category["seatsRemaining"] for category in changed.json["categories"]] == [7, 0]
    assert patch(system, event, state="on_sale").json["categories"] == changed.json["categories"]
    wait_until(
        lambda: _acts(system, event) == ["event.state", "event.offer", "event.state", "event.create"], 20, "acts"
    )


def _acts(system: System, event: str) -> list[str]:
    return [act["action"] for act in system.get(f"/api/v1/audit?event={event}").json["acts"]]


def test_answers_without_an_offer_say_nothing_of_it(system: System) -> None:
    event = system.create_event(totalSeats=5)
    assert "categories" not in system.get(f"/api/v1/events/{event}").json
    bought = order(system, event, key(), quantity=1).json
    held = _hold(system, event, quantity=1).json
    found = system.get(f"/api/v1/purchases/{bought['purchaseId']}").json
    for answer in (bought, held, found, system.buy(1).json):
        assert not {"categories", "prices", "total", "currency"} & answer.keys()


def test_every_answer_about_seats_tells_their_prices(system: System) -> None:
    event = system.create_event(seatingPlan=theatre(), categories=PRICES, currency="EUR")
    said = {"categories": ["Stalls", "Cheap"], "prices": [4500, 1500], "total": 6000, "currency": "EUR"}
    held = _hold(system, event, seats=["g-A-1", "b-1-1"])
    assert said.items() <= held.json.items()
    token = held.json["holdToken"]
    extended = system.request("PATCH", f"/api/v1/events/{event}/holds/{token}")
    assert said.items() <= extended.json.items()
    once = key()
    bought = order(system, event, once, holdToken=token)
    assert said.items() <= bought.json.items()
    assert order(system, event, once, holdToken=token).body == bought.body
    purchase = f"/api/v1/purchases/{bought.json['purchaseId']}"
    assert said.items() <= system.get(purchase).json.items()
    wait_until(lambda: system.get(purchase).json["state"] == "persisted", 20, "SQL to have it")
    assert said.items() <= system.get(purchase).json.items()
    (listed,) = system.get(f"/api/v1/events/{event}/purchases").json["purchases"]
    assert said.items() <= listed.items()
    other = order(system, event, key(), quantity=2, category="Cheap", zone="Balcony").json
    assert (other["total"], set(other["categories"])) == (3000, {"Cheap"})


def test_general_admission_by_area(system: System) -> None:
    created = create(system, categories=FIELD, currency="EUR").json
    event = created["id"]
    assert (created["totalSeats"], created["seated"]) == (8, False)
    assert [(area["totalSeats"], area["seatsRemaining"]) for area in created["categories"]] == [(5, 5), (3, 3)]
    bought = order(system, event, key(), quantity=2, category="Balcony").json
    assert (bought["seats"], bought["prices"], bought["total"]) == ([], [8900, 8900], 17_800)
    assert_problem(order(system, event, key(), quantity=2, category="Balcony"), 409, "SOLD_OUT")
    left = system.get(f"/api/v1/events/{event}").json["categories"]
    assert [area["seatsRemaining"] for area in left] == [5, 1]
    assert system.get(f"/api/v1/events/{event}/seats").json["seats"] == ""
    assert_books_right(system, event)


@pytest.mark.parametrize(
    ("fields", "field"),
    table(
        {
            "an unknown category": (
                {"seatingPlan": theatre(), "categories": {"Box": {"price": 1}}, "currency": "EUR"},
                "categories",
            ),
            "a price without a currency": ({"seatingPlan": theatre(), "categories": PRICES}, "currency"),
            "a currency without prices": ({"totalSeats": 5, "currency": "EUR"}, "currency"),
            "a category without a price": (
                {"seatingPlan": theatre(), "categories": {"Stalls": {"price": 1}}, "currency": "EUR"},
                "categories.Cheap.price",
            ),
            "seats of a category of a plan": (
                {"seatingPlan": theatre(), "categories": {"Stalls": {"totalSeats": 3}}},
                "categories.Stalls.totalSeats",
            ),
            "an area without a size": ({"categories": {"Floor": {}}}, "categories.Floor.totalSeats"),
            "an area without places": (
                {"categories": {"Floor": {"totalSeats": 0}}},
                "categories.Floor.totalSeats",
            ),
            "areas that do not add up": ({"totalSeats": 9, "categories": {"Floor": {"totalSeats": 5}}}, "totalSeats"),
            "too many places": (
                {"categories": {str(n): {"totalSeats": 6_000_000} for n in range(2)}},
                "categories",
            ),
            "too many areas": ({"categories": {str(n): {"totalSeats": 1} for n in range(101)}}, "categories"),
            "a negative price": (
                {"categories": {"Floor": {"totalSeats": 1, "price": -1}}, "currency": "EUR"},
                "categories.Floor.price",
            ),
            "a price of a fraction": (
                {"categories": {"Floor": {"totalSeats": 1, "price": 1.5}}, "currency": "EUR"},
                "categories.Floor.price",
            ),
            "a currency in words": ({"categories": FIELD, "currency": "Euro"}, "currency"),
            "a field that is none": (
                {"categories": {"Floor": {"totalSeats": 1, "colour": 1}}},
                "categories.Floor.colour",
            ),
            "an order too high": (
                {"categories": {"Floor": {"totalSeats": 1, "order": 10_001}}},
                "categories.Floor.order",
            ),
            "categories as a list": ({"totalSeats": 1, "categories": []}, "categories"),
        }
    ),
)
def test_an_event_that_is_not_created(system: System, fields: dict[str, Any], field: str) -> None:
    assert_problem(create(system, **fields), 400, "VALIDATION_ERROR", field)


@pytest.mark.parametrize(
    ("fields", "field"),
    table(
        {
            "nothing": ({}, "body"),
            "both at once": ({"state": "paused", "currency": "EUR"}, "state"),
            "an unknown category": ({"categories": {"Box": {"price": 1}}}, "categories"),
            "another size": ({"categories": {"Floor": {"totalSeats": 6}}}, "categories.Floor.totalSeats"),
            "no price": ({"categories": {"Floor": {"price": None}}}, "categories.Floor.price"),
        }
    ),
)
def test_a_change_that_is_refused(system: System, fields: dict[str, Any], field: str) -> None:
    event = system.create_event(categories=FIELD, currency="EUR")
    patch(system, event, state="paused")
    before = system.get(f"/api/v1/events/{event}").json
    assert_problem(patch(system, event, **fields), 400, "VALIDATION_ERROR", field)
    assert system.get(f"/api/v1/events/{event}").json == before


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    table(
        {
            "a category that is none": (
                {"quantity": 1, "category": "Box"},
                "category",
                "There is no category 'Box'; this event has: Stalls, Cheap",
            ),
            "a zone that is none": (
                {"quantity": 1, "zone": "Roof"},
                "zone",
                "There is no zone 'Roof'; this event has: Balcony, Ground",
            ),
            "a category of given seats": ({"seats": ["g-A-1"], "category": "Stalls"}, "category", None),
            "a mix of given seats": ({"seats": ["g-A-1"], "mix": True}, "mix", None),
            "an empty category": ({"quantity": 1, "category": ""}, "category", None),
            "a category that is a number": ({"quantity": 1, "category": 1}, "category", None),
            "accessible in words": ({"quantity": 1, "accessible": "yes"}, "accessible", None),
        }
    ),
)
def test_a_wish_that_is_refused(system: System, asked: dict[str, Any], field: str, says: str | None) -> None:
    event = system.create_event(seatingPlan=theatre())
    for answer in (order(system, event, key(), **asked), _hold(system, event, **asked)):
        problem = assert_problem(answer, 400, "VALIDATION_ERROR", field)
        assert says in (None, problem["message"])


def test_a_category_that_is_not_available_is_not_sold_first(system: System) -> None:
    plan = theatre()
    plan["categories"].insert(0, {"name": "NOT AVAILABLE"})
    plan["zones"][1]["rows"].append(row("Z", [seat(f"z-{n}", "NOT AVAILABLE", n) for n in (1, 2)]))
    event = system.create_event(seatingPlan=plan, categories={"NOT AVAILABLE": {"onSale": False}})
    assert order(system, event, key(), quantity=2).json["categories"] == ["Stalls", "Stalls"]
    assert_problem(order(system, event, key(), seats=["z-1"]), 409, "SEAT_UNAVAILABLE")
    assert_problem(order(system, event, key(), quantity=1, category="NOT AVAILABLE"), 409, "SOLD_OUT")


def test_a_generated_hall_has_one_category(system: System) -> None:
    hall = {"generate": {"sections": 2, "rows": 2, "seatsPerRow": 5}}
    event = system.create_event(seatingPlan=hall, categories={"Seats": {"price": 2500}}, currency="EUR")
    assert order(system, event, key(), quantity=3).json["total"] == 7500


def test_the_export_adds_up(system: System) -> None:
    event = system.create_event(seatingPlan=theatre(), categories=PRICES, currency="EUR")
    first = order(system, event, key(), quantity=2, reference="R1").json
    assert order(system, event, key(), seats=["b-2-1", "g-B-1"], reference="R2").json["total"] == 6000
    cancelled = system.request("DELETE", f"/api/v1/purchases/{first['purchaseId']}")
    assert cancelled.json["total"] == 9000
    wait_until(lambda: system.get(f"/api/v1/purchases/{first['purchaseId']}").json["state"] == "cancelled", 60, "SQL")
    wait_until(lambda: len(_export(system, event)) == 2, 60, "SQL to have both")
    newest, oldest = _export(system, event)
    assert (newest["reference"], newest["state"], newest["cancelled_at"]) == ("R2", "persisted", "")
    assert newest["categories"].split("; ") == [
        {"b-2-1": "Cheap", "g-B-1": "Stalls"}[s] for s in newest["seats"].split()
    ]
    assert sum(map(int, newest["prices"].split())) == int(newest["total"]) == 6000
    assert (oldest["state"], oldest["total"], oldest["currency"]) == ("cancelled", "9000", "EUR")
    wait_until(lambda: _export(system, event)[1]["cancelled_at"] != "", 20, "SQL to have the cancellation")


def test_prices_add_up_over_cancellations_export_and_rebuild(system: System) -> None:
    event = system.create_event(seatingPlan=theatre(), categories=PRICES, currency="EUR")
    whole = order(system, event, key(), quantity=2).json
    part = order(system, event, key(), seats=["b-2-1", "b-2-2", "g-B-1"]).json
    kept = order(system, event, key(), seats=["b-2-3"]).json
    assert system.request("DELETE", f"/api/v1/purchases/{whole['purchaseId']}").status == 200
    cancelled = system.request("DELETE", f"/api/v1/purchases/{part['purchaseId']}?seats=b-2-2,g-B-1").json
    prices = dict(zip(part["seats"], part["prices"], strict=True))
    assert cancelled["cancelledTotal"] == prices["b-2-2"] + prices["g-B-1"]
    earned = kept["total"] + prices["b-2-1"]

    def books() -> tuple[int, int, int]:
        """What the export's rows come to, what the routes say of each purchase, and the event's income."""
        rows = _export(system, event)
        asked = [system.get(f"/api/v1/purchases/{row['purchase_id']}").json for row in rows]
        return (
            sum(int(row["total"]) - int(row["cancelled_total"] or 0) for row in rows),
            sum(one["total"] - (one["cancelledTotal"] or 0) for one in asked),
            system.get(f"/api/v1/events/{event}/income").json["income"],
        )

    wait_until(lambda: books() == (earned,) * 3, 60, "SQL to have all of it")
    assert len(_export(system, event)) == 3
    system.redis.client().unlink(*keys.all_of(event))
    wait_until(lambda: system.get(f"/api/v1/events/{event}").json["seatsSold"] == 2, 60, "the rebuild")
    assert books() == (earned,) * 3


def _export(system: System, event: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(seating(system, "export", event).out)))


def _hold(client: Client, event: str, **body: Any) -> Answer:
    return client.request("POST", f"/api/v1/events/{event}/holds", json.dumps(body).encode(), JSON)
