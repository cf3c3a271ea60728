"""Everybody at once: each seat is sold once, and to everybody who asks while there are any."""

import json
from collections import Counter

from tests.crowd import at_once, new_keys
from tests.system import System


def test_a_thousand_buyers_of_a_thousand_seats(system: System) -> None:
    event = system.create_event(totalSeats=1000)
    answers = at_once(system, new_keys(1000), event_id=event)
    assert Counter(answer.status for answer in answers) == {200: 1000}
    assert sorted(answer.json["seatsRemaining"] for answer in answers) == list(range(1000))
    late = system.buy(1, event_id=event)
    assert (late.status, late.json["error"], late.json["seatsRemaining"]) == (409, "SOLD_OUT", 0)


def test_a_thousand_buyers_of_one_seat_less(system: System) -> None:
    event = system.create_event(totalSeats=999)
    answers = at_once(system, new_keys(1000), event_id=event)
    assert Counter(answer.status for answer in answers) == {200: 999, 409: 1}
    found = system.get(f"/api/v1/events/{event}").json
    assert (found["seatsSold"], found["seatsRemaining"]) == (999, 0)


def test_no_seat_of_a_hall_twice(system: System) -> None:
    hall = {"generate": {"sections": 4, "rows": 10, "seatsPerRow": 25}}
    event = system.create_event(seatingPlan=hall)
    answers = at_once(system, new_keys(520), quantity=2, event_id=event)
    sold = [seat for answer in answers if answer.status == 200 for seat in answer.json["seats"]]
    # Rows of 25 leave a single seat each to buyers of two; those who come last get two of them.
    assert len(sold) == len(set(sold)) == 1000
    refused = [answer.json["error"] for answer in answers if answer.status != 200]
    assert refused == ["SOLD_OUT"] * 20


def test_one_key_fifty_times_at_once(system: System) -> None:
    event = system.create_event(totalSeats=1000)
    answers = at_once(system, new_keys(1) * 50, quantity=3, event_id=event)
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert Counter(answer.headers.get("Idempotent-Replayed") for answer in answers) == {"true": 49, None: 1}
    assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 3


def test_one_key_for_two_orders(system: System) -> None:
    event = system.create_event(totalSeats=10)
    first = system.buy(1, "one key for two orders", event)
    assert first.status == 400  # A blank is no visible character.
    assert system.buy(1, "one-key-for-two-orders", event).status == 200
    other = system.buy(2, "one-key-for-two-orders", event)
    assert (other.status, other.json["error"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 1


def test_one_key_at_two_events_is_two_keys(system: System) -> None:
    events = [system.create_event(totalSeats=10) for _ in range(2)]
    ids = {system.buy(1, "one-key-at-two-events", event).json["purchaseId"] for event in events}
    assert len(ids) == 2


def test_the_plain_route_and_the_event_route_are_one_sale(system: System) -> None:
    first = system.buy(1, "a-key-of-either-route")
    again = system.buy(1, "a-key-of-either-route", "demo")
    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"


def test_a_purchase_can_be_read_from_its_first_moment(system: System) -> None:
    event = system.create_event(seatingPlan={"generate": {"sections": 1, "rows": 1, "seatsPerRow": 9}})
    body = json.dumps({"quantity": 2, "reference": "order 17"}).encode()
    headers = {"Content-Type": "application/json", "Idempotency-Key": "a-key-with-a-reference", "Prefer": "wait=20"}
    bought = system.request("POST", f"/api/v1/events/{event}/purchases", body, headers)
    assert bought.headers["Preference-Applied"] == "wait"
    recorded = system.get(f"/api/v1/purchases/{bought.json['purchaseId']}").json
    assert recorded["state"] == "persisted"
    assert recorded["seats"] == bought.json["seats"] == ["sec-1-row-A-seat-4", "sec-1-row-A-seat-5"]
    assert (recorded["reference"], recorded["quantity"], recorded["eventId"]) == ("order 17", 2, event)
    fresh = system.buy(1, event_id=event).json["purchaseId"]
    assert system.get(f"/api/v1/purchases/{fresh}").json["state"] in ("accepted", "persisted")


def test_events_are_paged(system: System) -> None:
    created = {system.create_event(totalSeats=1) for _ in range(3)}
    seen: list[tuple[bool, str, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = system.get(f"/api/v1/events?limit=2&cursor={cursor}").json
        assert len(page["events"]) <= 2
        seen += [(event["startsAt"] is None, event["startsAt"] or "", event["id"]) for event in page["events"]]
        cursor = page["next"]
    assert seen == sorted(seen)
    assert created < {event_id for *_, event_id in seen}
