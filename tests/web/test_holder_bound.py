"""How many seats one caller may hold: buyers by their address, operators by being one."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.doors import TOKEN
from tests.one_process import on_sqlite
from tests.processes import client, clock
from tests.users.conftest import Web, web

pytestmark = on_sqlite  # Holds are in Redis.

__all__ = ["client", "clock", "web"]

OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


class Counter:
    """Where seats are held, from one address or another, over two processes."""

    def __init__(self, start: Callable[..., Web]) -> None:
        bounds = {"hold_max_seats": 12, "hold_max_seats_shops": 15}
        self.processes = [start(**bounds, trusted_proxies="127.0.0.1/32", admin_token=TOKEN) for _ in range(2)]
        self.event = self.create()
        self.asked = 0

    def create(self) -> str:
        created = self.processes[0].client.post(
            "/api/v1/events", json={"name": "A", "totalSeats": 500}, headers=OPERATOR
        )
        event_id: str = created.json["id"]
        return event_id

    def hold(self, quantity: int, address: str, event: str = "", **headers: str) -> Any:
        self.asked += 1
        return self.processes[self.asked % 2].client.post(
            f"/api/v1/events/{event or self.event}/holds",
            json={"quantity": quantity},
            headers={"X-Forwarded-For": address, **headers},
        )


@pytest.fixture
def counter(web: Callable[..., Web]) -> Counter:
    return Counter(web)


def test_an_address_holds_so_many_in_all_processes(counter: Counter) -> None:
    held = [counter.hold(6, "192.0.2.1") for _ in range(2)]
    assert [answer.status_code for answer in held] == [201, 201]
    refused = counter.hold(1, "192.0.2.1")
    assert (refused.status_code, refused.json["error"], refused.json["seatsHeld"]) == (409, "TOO_MANY_HELD", 12)
    assert counter.hold(10, "192.0.2.2").status_code == 201
    token = held[0].json["holdToken"]
    assert counter.processes[0].client.delete(f"/api/v1/events/{counter.event}/holds/{token}").status_code == 204
    assert counter.hold(6, "192.0.2.1").status_code == 201
    assert counter.hold(1, "192.0.2.1").status_code == 409


def test_what_stands_before_the_proxys_own_entry_is_no_other_address(counter: Counter) -> None:
    assert counter.hold(10, "6.6.6.6, 192.0.2.1").status_code == 201
    assert counter.hold(10, "7.7.7.7, 192.0.2.1").status_code == 409


def test_a_network_of_one_subscriber_is_one_address(counter: Counter) -> None:
    assert counter.hold(10, "2001:db8:1:2::1").status_code == 201
    assert counter.hold(10, "2001:db8:1:2:ffff::2").status_code == 409
    assert counter.hold(10, "2001:db8:1:3::1").status_code == 201


def test_each_event_counts_for_itself(counter: Counter) -> None:
    assert counter.hold(10, "192.0.2.1").status_code == 201
    assert counter.hold(10, "192.0.2.1", counter.create()).status_code == 201


def test_an_operator_is_one_caller_wherever_they_are(counter: Counter) -> None:
    assert counter.hold(10, "192.0.2.1").status_code == 201
    assert counter.hold(10, "192.0.2.1", **OPERATOR).status_code == 201
    assert counter.hold(10, "192.0.2.2", **OPERATOR).status_code == 409


def test_a_repetition_is_the_same_hold_and_counts_once(counter: Counter) -> None:
    first, again = (counter.hold(10, "192.0.2.1", **{"Idempotency-Key": "a-key-used-twice"}) for _ in range(2))
    assert (first.status_code, again.status_code, again.data) == (201, 201, first.data)
    assert (first.headers.get("Idempotent-Replayed"), again.headers["Idempotent-Replayed"]) == (None, "true")
    assert counter.hold(2, "192.0.2.1").status_code == 201
    assert counter.hold(1, "192.0.2.1").status_code == 409


def test_a_buyer_whom_a_shop_names(web: Callable[..., Web]) -> None:
    start = web(admin_token=TOKEN, hold_max_seats_buyer=2)
    created: Any = start.client.post("/api/v1/events", json={"name": "A", "totalSeats": 50}, headers=OPERATOR)
    path = f"/api/v1/events/{created.json['id']}/holds"

    def hold(quantity: int, buyer: str, **headers: str) -> Any:
        return start.client.post(path, json={"quantity": quantity, "buyer": buyer}, headers=headers)

    assert [hold(2, "A", **OPERATOR).status_code, hold(2, "B", **OPERATOR).status_code] == [201, 201]
    refused = hold(1, "A", **OPERATOR)
    assert (refused.status_code, refused.json["seatsHeld"]) == (409, 2)
    stranger = hold(1, "A")
    assert (stranger.status_code, stranger.json["field"]) == (400, "buyer")
