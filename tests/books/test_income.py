"""What an event has brought in, and the history of a seat, over HTTP and over each kind of database."""

from collections.abc import Callable
from typing import Any

import pytest

from seating.redis_store import keys
from seating.services.income import Income
from seating.storage.income import Amount
from tests.doors import TOKEN
from tests.offers import buy, change, hall
from tests.one_process import OneProcess
from tests.processes import client, clock
from tests.seating_plan_file import theatre
from tests.users.conftest import Web, web

__all__ = ["client", "clock", "web"]

HALL = {"generate": {"sections": 2, "rows": 2, "seatsPerRow": 5}}
PRICED = {"Stalls": {"price": 5000}, "Cheap": {"price": 2000}}
OPERATOR = {"Authorization": f"Bearer {TOKEN}"}


class Desk:
    """An operator with one event."""

    def __init__(self, web: Web, **event: Any) -> None:
        self.web, self.number = web, 0
        self.event: str = self.ask("POST", "/api/v1/events", name="Gala", **event)["id"]
        self.path = f"/api/v1/events/{self.event}"

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.web.client.open(path, method=method, json=body or None, headers=OPERATOR)
        assert answer.status_code < 300, answer.text
        return answer.json

    def buy(self, **order: Any) -> Any:
        self.number += 1
        headers = {"Idempotency-Key": f"a-key-of-a-buyer-{self.number}"}
        answer = self.web.client.post(f"{self.path}/purchases", json=order, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json

    def income(self) -> Any:
        self.web.services.persistence.run_now(self.event)
        return self.ask("GET", f"{self.path}/income")


@pytest.fixture
def desk(web: Callable[..., Web]) -> Callable[..., Desk]:
    return lambda **event: Desk(web(admin_token=TOKEN), **event)


def test_nothing_sold_is_nothing_earned(desk: Callable[..., Desk]) -> None:
    nothing = {"seats": 0, "total": 0}
    found = desk(seatingPlan=theatre(), currency="EUR", categories=PRICED)
    assert found.income() == {
        "eventId": found.event,
        "currency": "EUR",
        "purchases": 0,
        "sold": nothing,
        "cancelled": nothing,
        "income": 0,
        "boxOfficeSeats": 0,
        "categories": [{"name": name, "sold": nothing, "cancelled": nothing, "boxOfficeSeats": 0} for name in PRICED],
        "otherCurrencies": [],
    }


def test_income_by_category_with_what_was_cancelled(desk: Callable[..., Desk]) -> None:
    gala = desk(seatingPlan=theatre(), currency="EUR", categories=PRICED)
    whole = gala.buy(quantity=2, category="Stalls")
    part = gala.buy(seats=["b-2-1", "b-2-2", "b-2-3"])
    of_both = gala.buy(seats=["b-1-3", "b-1-1", "b-1-2"])
    assert of_both["total"] == 9000
    gala.ask("DELETE", f"/api/v1/purchases/{whole['purchaseId']}")
    gala.ask("DELETE", f"/api/v1/purchases/{part['purchaseId']}?seats=b-2-2")
    gala.ask("DELETE", f"/api/v1/purchases/{of_both['purchaseId']}?seats=b-1-2")
    gala.ask("PATCH", f"{gala.path}/seats", status="sold", seats=["g-B-2"])
    found = gala.income()
    assert {name: found[name] for name in ("purchases", "sold", "cancelled", "income", "boxOfficeSeats")} == {
        "purchases": 3,
        "sold": {"seats": 8, "total": 25_000},
        "cancelled": {"seats": 4, "total": 14_000},
        "income": 11_000,
        "boxOfficeSeats": 1,
    }
    assert found["categories"] == [
        {
            "name": "Stalls",
            "sold": {"seats": 3, "total": 15_000},
            "cancelled": {"seats": 2, "total": 10_000},
            "boxOfficeSeats": 1,
        },
        {
            "name": "Cheap",
            "sold": {"seats": 5, "total": 10_000},
            "cancelled": {"seats": 2, "total": 4_000},
            "boxOfficeSeats": 0,
        },
    ]


def test_a_price_counts_as_it_was(desk: Callable[..., Desk]) -> None:
    gala = desk(currency="EUR", categories={"Floor": {"totalSeats": 10, "price": 1000}})
    gala.buy(quantity=2)
    gala.ask("PATCH", gala.path, state="paused")
    gala.ask("PATCH", gala.path, categories={"Floor": {"price": 1500}})
    gala.ask("PATCH", gala.path, state="on_sale")
    gala.buy(quantity=1)
    assert (gala.income()["sold"], gala.income()["income"]) == ({"seats": 3, "total": 3500}, 3500)


def test_another_currency_counts_apart(desk: Callable[..., Desk]) -> None:
    gala = desk(seatingPlan=theatre(), currency="EUR", categories=PRICED)
    both = ["b-1-3", "b-1-1", "b-1-2"]  # Of two prices: SQL alone cannot add them up.
    returned = gala.buy(seats=both)
    gala.buy(quantity=1, category="Stalls")
    gala.ask("DELETE", f"/api/v1/purchases/{returned['purchaseId']}")
    gala.ask("PATCH", gala.path, state="paused")
    gala.ask("PATCH", gala.path, currency="CHF")
    gala.ask("PATCH", gala.path, state="on_sale")
    gala.buy(seats=both)
    found = gala.income()
    assert (found["currency"], found["purchases"]) == ("CHF", 3)
    assert (found["sold"], found["income"]) == ({"seats": 3, "total": 9000}, 9000)
    assert [each["sold"]["total"] for each in found["categories"]] == [5000, 4000]
    assert found["otherCurrencies"] == [
        {
            "sold": {"seats": 4, "total": 14_000},
            "cancelled": {"seats": 3, "total": 9000},
            "income": 5000,
            "currency": "EUR",
        }
    ]


def test_a_currency_after_sales_without_prices(desk: Callable[..., Desk]) -> None:
    """They have no currency that could be listed apart."""
    plain = {"Floor": {"totalSeats": 10}}
    gala = desk(categories=plain)
    gala.buy(quantity=2)
    gala.ask("PATCH", gala.path, state="paused")
    gala.ask("PATCH", gala.path, currency="EUR", categories={"Floor": {"price": 1000}})
    gala.ask("PATCH", gala.path, state="on_sale")
    gala.buy(quantity=1)
    found = gala.income()
    assert (found["sold"], found["otherCurrencies"]) == ({"seats": 3, "total": 1000}, [])


def test_without_prices_seats_are_counted(desk: Callable[..., Desk]) -> None:
    plain = desk(totalSeats=10)
    plain.buy(quantity=3)
    found = plain.income()
    assert (found["currency"], found["sold"]) == (None, {"seats": 3})
    assert "income" not in found
    assert found["categories"] == [{"name": None, "sold": {"seats": 3}, "cancelled": {"seats": 0}, "boxOfficeSeats": 0}]


@pytest.mark.parametrize(
    ("event", "of"),
    [
        ({"totalSeats": 100}, {}),
        ({"currency": "EUR", "categories": {"Floor": {"totalSeats": 100, "price": 1000}}}, {"category": "Floor"}),
    ],
)
def test_places_sold_at_the_box_office_are_counted(
    desk: Callable[..., Desk], event: dict[str, Any], of: dict[str, str]
) -> None:
    gala = desk(**event)
    gala.ask("PATCH", f"{gala.path}/seats", status="sold", quantity=30, **of)
    gala.ask("PATCH", f"{gala.path}/seats", status="reserved", quantity=5, **of)
    gala.ask("PATCH", f"{gala.path}/seats", status="available", quantity=10, **of, **{"from": "sold"})
    found = gala.income()
    assert found["boxOfficeSeats"] == 20
    assert [(each["name"], each["boxOfficeSeats"]) for each in found["categories"]] == [(of.get("category"), 20)]


def test_seats_sold_before_there_were_categories_are_counted(sale: OneProcess) -> None:
    """Events from before there were offers get one of their plan when it is first changed."""
    event = sale.open(plan=hall())
    sale.calls.command("HDEL", keys.inventory(event), "offer", "offered")
    sale.buy(event, "before", 2)
    change(sale, event, "EUR", Gold={"price": 1}, Silver={"price": 2}, Wheel={"price": 3})
    buy(sale, event, "after", category="Silver")
    sale.persist(event)
    found = Income(sale.reads, sale.box_office).of(event)
    assert [(each.name, each.sold) for each in found.categories] == [
        ("Gold", Amount()),
        ("Silver", Amount(1, 2)),
        ("Wheel", Amount()),
        (None, Amount(2)),
    ]
    assert found.present.sold == Amount(3, 2)


def test_history_of_a_seat_newest_first(desk: Callable[..., Desk]) -> None:
    gala = desk(seatingPlan=HALL)
    seat = "sec-1-row-A-seat-3"
    bought = gala.buy(seats=[seat], reference="A-1001")
    gala.ask("DELETE", f"/api/v1/purchases/{bought['purchaseId']}")
    gala.ask("PATCH", f"{gala.path}/seats", status="reserved", seats=[seat])
    address = f"{gala.path}/seats/{seat}/history"
    found = gala.ask("GET", address)
    assert (found["eventId"], found["seat"], found["next"]) == (gala.event, seat, None)
    told = [(entry["what"], entry["purchaseId"], entry["reference"], entry["by"]) for entry in found["history"]]
    assert told == [
        ("reserved", None, None, "operator"),
        ("returned", bought["purchaseId"], None, "operator"),
        ("sold", bought["purchaseId"], "A-1001", None),
    ]
    first = gala.ask("GET", f"{address}?limit=2")
    second = gala.ask("GET", f"{address}?limit=2&cursor={first['next']}")
    assert (first["history"] + second["history"], second["next"]) == (found["history"], None)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/v1/events/nosuchevent/income", "EVENT_NOT_FOUND"),
        ("/api/v1/events/nosuchevent/seats/a/history", "EVENT_NOT_FOUND"),
        ("/api/v1/events/{event}/seats/a/history", "SEAT_NOT_FOUND"),
    ],
)
def test_what_is_not_there(desk: Callable[..., Desk], path: str, code: str) -> None:
    gala = desk(seatingPlan=HALL)
    answer: Any = gala.web.client.get(path.format(event=gala.event), headers=OPERATOR)
    assert (answer.status_code, answer.json["code"]) == (404, code)
