"""Bad requests for chosen seats, holds and single seats: refused, nothing held, nothing sold."""

import json
from collections.abc import Iterator

import pytest

from tests.system import System
from tests.web import JSON, assert_problem, table

A1, A2 = "sec-1-row-A-seat-1", "sec-1-row-A-seat-2"


@pytest.fixture(scope="module")
def hall(system: System) -> str:
    return system.create_event(seatingPlan={"generate": {"sections": 1, "rows": 1, "seatsPerRow": 5}})


@pytest.fixture(autouse=True)
def nothing_changed(system: System, hall: str) -> Iterator[None]:
    yield
    shown = system.get(f"/api/v1/events/{hall}").json
    assert (shown["seatsSold"], shown["seatsRemaining"]) == (0, 5)


@pytest.mark.parametrize("what", ["purchases", "holds"])
@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    table(
        {
            "nothing": ({}, 400, "VALIDATION_ERROR", "quantity"),
            "no seats": ({"seats": []}, 400, "VALIDATION_ERROR", "seats"),
            "seats null": ({"seats": None}, 400, "VALIDATION_ERROR", "seats"),
            "seats as text": ({"seats": A1}, 400, "VALIDATION_ERROR", "seats"),
            "a seat as a number": ({"seats": [A1, 2]}, 400, "VALIDATION_ERROR", "seats.1"),
            "an empty seat": ({"seats": [A1, ""]}, 400, "VALIDATION_ERROR", "seats.1"),
            "a seat of two lines": ({"seats": [A1, "a\nb"]}, 400, "VALIDATION_ERROR", "seats.1"),
            "a seat twice": ({"seats": [A1, A1]}, 400, "VALIDATION_ERROR", "seats"),
            "11 seats": ({"seats": [str(n) for n in range(11)]}, 400, "VALIDATION_ERROR", "seats"),
            "2,001 seats": ({"seats": ["a"] * 2000 + ["b"]}, 400, "VALIDATION_ERROR", "seats"),
            "10,001 seats by name": ({"seats": [str(n) for n in range(10_001)]}, 413, "BODY_TOO_LARGE", None),
            "both": ({"quantity": 1, "seats": [A1]}, 400, "VALIDATION_ERROR", "seats"),
            "an unknown seat": ({"seats": [A1, "nowhere"]}, 404, "SEAT_NOT_FOUND", None),
        }
    ),
)
def test_choosing(
    system: System, hall: str, what: str, body: dict[str, object], status: int, code: str, field: str | None
) -> None:
    headers = JSON | {"Idempotency-Key": "a-key-that-is-never-used-up"}
    path = f"/api/v1/events/{hall}/{what}"
    answer = system.request("POST", path, json.dumps(body).encode(), headers)
    problem = assert_problem(answer, status, code, field)
    if code == "SEAT_NOT_FOUND":
        assert problem["seats"] == ["nowhere"]


@pytest.mark.parametrize(
    "body",
    [{"holdToken": "x" * 22}, {"holdToken": "../demo"}, {"holdToken": "é"}],
    ids=["unknown", "a path", "not ASCII"],
)
def test_unknown_tokens(system: System, hall: str, body: dict[str, str]) -> None:
    headers = JSON | {"Idempotency-Key": "another-key-of-a-kind"}
    answer = system.request("POST", f"/api/v1/events/{hall}/purchases", json.dumps(body).encode(), headers)
    assert_problem(answer, 409, "HOLD_EXPIRED")


def test_a_token_of_another_event(system: System, hall: str) -> None:
    other = system.create_event(totalSeats=5)
    token = system.request("POST", f"/api/v1/events/{other}/holds", b'{"quantity":2}', JSON).json["holdToken"]
    for method in ("PATCH", "DELETE"):
        assert_problem(system.request(method, f"/api/v1/events/{hall}/holds/{token}"), 409, "HOLD_EXPIRED")
    assert system.get(f"/api/v1/events/{other}").json["seatsRemaining"] == 3
    assert system.request("DELETE", f"/api/v1/events/{other}/holds/{token}").status == 204
    assert system.get(f"/api/v1/events/{other}").json["seatsRemaining"] == 5


class TestOneSeat:
    def words(self, system: System, seat: str, body: dict[str, object]) -> tuple[int, str, str]:
        answer = system.request("PATCH", f"/seats/{seat}", json.dumps(body).encode(), JSON)
        return answer.status, answer.json["error"], answer.json["code"]

    @pytest.mark.parametrize("status", ["gone", "", None, 5, "Sold", ["sold"], {}])
    def test_wrong_status(self, system: System, status: object) -> None:
        words = "Invalid status. Must be: available, reserved, sold, or held"
        assert self.words(system, A1, {"status": status}) == (400, words, "VALIDATION_ERROR")

    def test_unknown_seat(self, system: System) -> None:
        assert self.words(system, "nowhere", {"status": "sold"}) == (404, "Seat not found", "SEAT_NOT_FOUND")
        assert self.words(system, "no/where", {"status": "sold"}) == (404, "Seat not found", "SEAT_NOT_FOUND")

    def test_a_buyers_seat(self, system: System) -> None:
        seat = system.buy(1).json["seats"][0]
        assert self.words(system, seat, {"status": "available"}) == (409, "SEAT_SOLD", "SEAT_SOLD")

    def test_set_and_taken_back(self, system: System) -> None:
        seat = "sec-10-row-T-seat-25"
        for status in ("reserved", "available"):
            answer = system.request("PATCH", f"/seats/{seat}", json.dumps({"status": status}).encode(), JSON)
            assert answer.json == {"message": "Seat updated", "seat": {"id": seat, "status": status}}
            assert {"id": seat, "status": status} in system.get("/seats").json
