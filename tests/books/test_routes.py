"""The operator's routes: pausing and closing, taking back, listing; who may, and what is refused without a trace."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from seating.redis_store import keys
from seating.services.upkeep import KEPT_CLOSED_MS
from seating.storage.tables import ledger, purchases, quarantine
from tests.books import assert_books_right, assert_replayed, buy_recorded, buy_some, order, rows, seq_of, suspended
from tests.doors import TOKEN, web_alone
from tests.servers import wait_until
from tests.system import Answer, System
from tests.web import JSON, assert_problem, table

_HALL = {"generate": {"sections": 1, "rows": 2, "seatsPerRow": 5}}
_NONCE = "0123456789abcdef"


def _set_state(system: System, event_id: str, state: str) -> Answer:
    return _patch(system, event_id, {"state": state})


def _patch(system: System, event_id: str, body: object, **headers: str) -> Answer:
    return system.request("PATCH", f"/api/v1/events/{event_id}", json.dumps(body).encode(), JSON | headers)


def _cancel(system: System, purchase_id: str) -> Answer:
    return system.request("DELETE", f"/api/v1/purchases/{purchase_id}")


def _wait_recorded(system: System, event_id: str) -> None:
    """Until SQL has all of an event's log."""
    redis, inventory = system.redis.client(), keys.inventory(event_id)
    wait_until(lambda: len(set(redis.hmget(inventory, "seq", "persisted"))) == 1, what="the lag to be zero")


class TestState:
    def test_pausing_and_resuming(self, system: System) -> None:
        event = system.create_event(seatingPlan=_HALL)
        bought = buy_some(system, 3, event)
        for _ in range(2):
            paused = _set_state(system, event, "paused")
            assert (paused.status, paused.json["state"]) == (200, "paused")
        refused = assert_problem(system.buy(1, "a-new-key-of-a-buyer", event), 409, "NOT_ON_SALE")
        assert refused["state"] == "paused"
        assert_replayed(system, bought, event)
        assert system.get(f"/api/v1/events/{event}").json["state"] == "paused"
        resumed = _set_state(system, event, "on_sale")
        assert (resumed.status, resumed.json["state"], resumed.json["seatsSold"]) == (200, "on_sale", 3)
        after = system.buy(1, "a-new-key-of-a-buyer", event).json["position"]
        assert seq_of(after) == 8  # Its log: opened, trusted, 3 sold, paused, on sale.

    def test_closed_is_for_good(self, system: System) -> None:
        event = system.create_event(totalSeats=10)
        bought = buy_some(system, 3, event)
        for _ in range(2):
            assert _set_state(system, event, "closed").json["state"] == "closed"
        for state in ("on_sale", "paused"):
            refused = _set_state(system, event, state)
            assert assert_problem(refused, 409, "NOT_ON_SALE")["state"] == "closed"
        assert assert_problem(system.buy(1, event_id=event), 409, "NOT_ON_SALE")["state"] == "closed"
        assert_replayed(system, bought, event)
        _wait_recorded(system, event)
        assert [row.seq for row in rows(system, ledger, event)] == [1, 2, 3, 4, 5, 6]

    @pytest.mark.parametrize(
        ("body", "field"),
        table(
            {
                "another state": ({"state": "open"}, "state"),
                "no text": ({"state": 1}, "state"),
                "a draft": ({"state": "draft"}, "state"),
                "nothing": ({}, "body"),
                "a reason alone": ({"why": "x"}, "body"),
                "more": ({"state": "closed", "capacity": 1}, "capacity"),
                "a list": ([], "body"),
            }
        ),
    )
    def test_bodies_that_say_no_state(self, system: System, body: object, field: str) -> None:
        event = system.create_event(totalSeats=10)
        assert_problem(_patch(system, event, body), 400, "VALIDATION_ERROR", field)
        assert seq_of(system.buy(1, event_id=event).json["position"]) == 3


class TestClosedForADay:
    def test_its_keys_go_once_sql_has_everything(self, system: System) -> None:
        event = system.create_event(seatingPlan=_HALL)
        bought = buy_recorded(system, 3, event)
        purchase_id = next(iter(bought.values())).json["purchaseId"]
        redis = system.redis.client()
        with suspended(system, "worker"):
            _set_state(system, event, "closed")
            redis.hset(keys.inventory(event), "updated", int(time.time() * 1000) - KEPT_CLOSED_MS - 1)
            nudges = redis.llen("rq:queue:seating")
            wait_until(lambda: redis.llen("rq:queue:seating") >= nudges + 3, what="the cron to have looked at it")
            assert redis.exists(*keys.all_of(event)) > 0
            assert_replayed(system, bought, event)
        inventory, *others = keys.all_of(event)
        wait_until(lambda: not redis.exists(*others), what="its keys to go")
        # What SQL acknowledged stays, so that an older SQL does not put the event on sale again.
        tombstone = redis.hgetall(inventory)
        assert set(tombstone) == {b"server", b"archived", b"acknowledged", b"database"}

        for key in (*bought, "a-new-key-of-a-buyer"):
            wait_until(lambda key=key: system.buy(1, key, event).status == 409, what="every process to know")
            assert assert_problem(system.buy(1, key, event), 409, "NOT_ON_SALE")["state"] == "closed"
        assert_problem(_set_state(system, event, "on_sale"), 409, "NOT_ON_SALE")
        cancelled = _cancel(system, purchase_id)
        assert (cancelled.status, cancelled.json["state"]) == (200, "cancelled")
        assert _cancel(system, purchase_id).body == cancelled.body
        for answer in bought.values():
            found = system.get(f"/api/v1/purchases/{answer.json['purchaseId']}").json
            state = "cancelled" if found["purchaseId"] == purchase_id else "persisted"
            assert (found["state"], found["seats"]) == (state, answer.json["seats"])
        listed = system.get(f"/api/v1/events/{event}/purchases").json["purchases"]
        assert {purchase["purchaseId"] for purchase in listed} == {a.json["purchaseId"] for a in bought.values()}
        assert not redis.exists(*others)
        assert redis.hgetall(inventory) == tombstone
        assert_books_right(system, event)


class TestCancelling:
    def test_seats_return_once(self, system: System) -> None:
        """Asked for again, before and after somebody else bought them, the answer is the same."""
        event = system.create_event(seatingPlan=_HALL)
        bought = order(system, event, "a-key-of-a-buyer", quantity=2, reference="R")
        purchase_id = bought.json["purchaseId"]
        cancelled = _cancel(system, purchase_id)
        assert cancelled.status == 200
        assert {"purchaseId": purchase_id, "state": "cancelled", "reference": "R"}.items() <= cancelled.json.items()
        assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 0
        resold = system.buy(2, event_id=event)
        assert resold.json["seats"] == bought.json["seats"]
        _wait_recorded(system, event)
        assert _cancel(system, purchase_id).body == cancelled.body
        assert system.get(f"/api/v1/purchases/{purchase_id}").body == cancelled.body
        assert order(system, event, "a-key-of-a-buyer", quantity=2, reference="R").body == bought.body
        assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 2
        assert [row.seq for row in rows(system, ledger, event)] == [1, 2, 3, 4, 5]
        assert_books_right(system, event)

    def test_seats_of_a_purchase(self, system: System) -> None:
        event = system.create_event(seatingPlan=_HALL)
        bought = order(system, event, "a-key-of-a-buyer", quantity=3)
        first, second, third = bought.json["seats"]
        path = f"/api/v1/purchases/{bought.json['purchaseId']}"
        part = system.request("DELETE", f"{path}?seats={second},{first}&why=two+are+ill")
        assert part.status == 200
        told = (part.json["seats"], part.json["cancelledSeats"], part.json["cancelledQuantity"])
        assert told == (bought.json["seats"], [second, first], 2)
        assert part.json["cancelledWhy"] == "two are ill"
        _wait_recorded(system, event)
        again = system.request("DELETE", f"{path}?seats={first}")
        assert again.json == part.json | {"state": "persisted"}
        (listed,) = system.get(f"/api/v1/events/{event}/purchases").json["purchases"]
        assert again.json.items() <= listed.items()
        assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 1
        for query, status, field in (
            (f"seats={first},elsewhere", 404, None),
            ("quantity=1", 400, "quantity"),
            (f"quantity=1&seats={first}", 400, "quantity"),
            ("seats=", 400, "seats"),
            ("quantity=0", 400, "quantity"),
            ("quantity=11", 400, "quantity"),
        ):
            refused = system.request("DELETE", f"{path}?{query}")
            assert (refused.status, refused.json.get("field")) == (status, field), query
        assert system.request("DELETE", f"{path}?seats={third}").json["state"] == "cancelled"
        assert order(system, event, "a-key-of-a-buyer", quantity=3).body == bought.body
        _wait_recorded(system, event)
        assert_books_right(system, event)

    def test_places_of_a_purchase(self, system: System) -> None:
        event = system.create_event(totalSeats=10)
        path = f"/api/v1/purchases/{order(system, event, 'a-key-of-a-buyer', quantity=5).json['purchaseId']}"
        for quantity, cancelled in ((2, 2), (2, 2), (1, 2), (3, 3), (5, 5), (5, 5)):
            found = system.request("DELETE", f"{path}?quantity={quantity}").json
            assert (found["cancelledQuantity"], found["quantity"], found["cancelledSeats"]) == (cancelled, 5, [])
            assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 5 - cancelled
        assert found["state"] == "cancelled"
        _wait_recorded(system, event)
        assert_books_right(system, event)

    def test_in_a_sale_that_is_over(self, system: System) -> None:
        event = system.create_event(totalSeats=10)
        purchase_id = system.buy(2, event_id=event).json["purchaseId"]
        _set_state(system, event, "closed")
        assert _cancel(system, purchase_id).json["state"] == "cancelled"
        assert system.get(f"/api/v1/events/{event}").json["seatsSold"] == 0


@pytest.fixture(scope="module")
def listed(system: System) -> str:
    """Five purchases, of which the third was taken back."""
    event = system.create_event(seatingPlan=_HALL)
    bought = [
        order(system, event, f"a-key-of-a-buyer-{number}", quantity=1, reference=f"R{number % 2}")
        for number in range(5)
    ]
    _cancel(system, bought[2].json["purchaseId"])
    _wait_recorded(system, event)
    return event


class TestListing:
    def _pages(self, system: System, event_id: str, query: str) -> list[list[Any]]:
        pages, cursor = [], ""
        while cursor is not None:
            page = system.get(f"/api/v1/events/{event_id}/purchases?{query}{cursor and '&cursor='}{cursor}").json
            pages.append(page["purchases"])
            cursor = page["next"]
        return pages

    def test_newest_first(self, system: System, listed: str) -> None:
        pages = self._pages(system, listed, "limit=2")
        assert [[seq_of(purchase["position"]) for purchase in page] for page in pages] == [[7, 6], [5, 4], [3]]
        found = [purchase for page in pages for purchase in page]
        assert [p["state"] for p in found] == ["persisted", "persisted", "cancelled", "persisted", "persisted"]
        assert [purchase["reference"] for purchase in found] == ["R0", "R1", "R0", "R1", "R0"]
        for purchase in found:
            alone = system.get(f"/api/v1/purchases/{purchase['purchaseId']}").json
            assert purchase == alone | {"buyer": None, "note": None, "caller": "anonymous"}

    def test_by_reference(self, system: System, listed: str) -> None:
        pages = self._pages(system, listed, "limit=2&reference=R0")
        assert [[seq_of(p["position"]) for p in page] for page in pages] == [[7, 5], [3]]
        assert self._pages(system, listed, "reference=other") == [[]]

    def test_of_nothing(self, system: System) -> None:
        event = system.create_event(totalSeats=1)
        assert system.get(f"/api/v1/events/{event}/purchases").json == {"purchases": [], "next": None}
        assert system.get("/api/v1/quarantine").json == {"entries": [], "next": None}


@pytest.fixture(scope="module")
def sold(system: System) -> dict[str, str]:
    """What the requests speak of: an event with one purchase, and another without."""
    event, other = system.create_event(totalSeats=5), system.create_event(totalSeats=5)
    purchase_id = system.buy(2, event_id=event).json["purchaseId"]
    _wait_recorded(system, event)
    _, at, own_nonce = purchase_id.split(".")
    return {
        "id": event,
        "other": other,
        "event": f"/api/v1/events/{event}",
        "p": "/api/v1/purchases",
        "rest": purchase_id.partition(".")[2],
        "nonce": _NONCE,
        "at": at,
        "term": at.partition("-")[0],
        "next_term": str(int(at.partition("-")[0]) + 1),
        "own_nonce": own_nonce,
        "aside": f"/api/v1/quarantine/{event}",
    }


class TestRefusals:
    @pytest.mark.parametrize(
        ("request_line", "status", "code", "field"),
        table(
            {
                "pausing an unknown event": ("PATCH /api/v1/events/nowhere", 404, "EVENT_NOT_FOUND", None),
                "pausing what no event is called": ("PATCH /api/v1/events/NO%20WHERE", 404, "EVENT_NOT_FOUND", None),
                "purchases of an unknown event": ("GET /api/v1/events/nowhere/purchases", 404, "EVENT_NOT_FOUND", None),
                "purchases of no name": ("GET /api/v1/events/%00/purchases", 404, "EVENT_NOT_FOUND", None),
                "a page of no size": ("GET {event}/purchases?limit=0", 400, "VALIDATION_ERROR", "limit"),
                "a page too large": ("GET {event}/purchases?limit=201", 400, "VALIDATION_ERROR", "limit"),
                "a cursor of words": ("GET {event}/purchases?cursor=next", 400, "VALIDATION_ERROR", "cursor"),
                "a cursor below all": ("GET {event}/purchases?cursor=0", 400, "VALIDATION_ERROR", "cursor"),
                "an unknown question": ("GET {event}/purchases?order=oldest", 400, "VALIDATION_ERROR", "order"),
                "a cursor before the first": ("GET /api/v1/quarantine?cursor=-1", 400, "VALIDATION_ERROR", "cursor"),
                "a purchase of an unknown event": (
                    "DELETE {p}/nowhere.{rest}",
                    404,
                    "PURCHASE_NOT_FOUND",
                    None,
                ),
                "a purchase of another event": ("DELETE {p}/{other}.{rest}", 404, "PURCHASE_NOT_FOUND", None),
                "a purchase with another end": ("DELETE {p}/{id}.{at}.{nonce}", 404, "PURCHASE_NOT_FOUND", None),
                "a place of no purchase": ("DELETE {p}/{id}.{term}-1.{nonce}", 404, "PURCHASE_NOT_FOUND", None),
                "another epoch": ("DELETE {p}/{id}.{next_term}-3.{own_nonce}", 404, "PURCHASE_NOT_FOUND", None),
                "half an id": ("DELETE {p}/{id}.{at}", 404, "PURCHASE_NOT_FOUND", None),
                "an event for a purchase": ("DELETE {p}/{id}", 404, "PURCHASE_NOT_FOUND", None),
                "an id too long": ("DELETE {p}/" + "1" * 3000, 404, "PURCHASE_NOT_FOUND", None),
                "an id of a zero byte": ("DELETE {p}/%00", 404, "PURCHASE_NOT_FOUND", None),
                "replaying what is recorded": ("POST {aside}/{at}/replay", 404, "QUARANTINE_ENTRY_NOT_FOUND", None),
                "dropping what is recorded": ("DELETE {aside}/{at}", 404, "QUARANTINE_ENTRY_NOT_FOUND", None),
                "dropping nothing": ("DELETE {aside}/9-999", 404, "QUARANTINE_ENTRY_NOT_FOUND", None),
                "no position": ("DELETE {aside}/01-2", 404, "QUARANTINE_ENTRY_NOT_FOUND", None),
                "a position of words": ("POST {aside}/first/replay", 404, "QUARANTINE_ENTRY_NOT_FOUND", None),
            }
        ),
    )
    def test_nothing_changes(
        self, system: System, sold: dict[str, str], request_line: str, status: int, code: str, field: str | None
    ) -> None:
        before = _books(system, sold)
        method, path = request_line.format_map(sold).split(" ", 1)
        body = b'{"state":"paused"}' if method == "PATCH" else None
        assert_problem(system.request(method, path, body, JSON if body else None), status, code, field)
        assert _books(system, sold) == before


def _books(system: System, sold: dict[str, str]) -> list[object]:
    redis = system.redis.client()
    events = (sold["id"], sold["other"])
    in_redis = [redis.dump(name) for event in events for name in keys.all_of(event)]
    return [*in_redis, *(rows(system, kept, event) for event in events for kept in (ledger, purchases, quarantine))]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with web_alone(tmp_path_factory.mktemp("guarded"), ADMIN_TOKEN=TOKEN) as running:
        yield running


class TestOperatorToken:
    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PATCH", "/api/v1/events/demo", 200),
            ("GET", "/api/v1/events/demo/purchases", 200),
            ("DELETE", f"/api/v1/purchases/demo.1-2.{_NONCE}", 404),
            ("GET", "/api/v1/quarantine", 200),
            ("POST", "/api/v1/quarantine/demo/1-2/replay", 404),
            ("DELETE", "/api/v1/quarantine/demo/1-2", 404),
        ],
    )
    def test_is_asked_for(self, guarded: System, method: str, path: str, allowed: int) -> None:
        body = b'{"state":"paused"}' if method == "PATCH" else None
        headers = JSON if body else {}
        before = guarded.get("/api/v1/events/demo").json
        for authorization in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
            refused = guarded.request(method, path, body, headers | authorization)
            assert_problem(refused, 401, "UNAUTHORIZED")
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert guarded.get("/api/v1/events/demo").json == before
        with_token = guarded.request(method, path, body, headers | {"Authorization": f"Bearer {TOKEN}"})
        assert with_token.status == allowed, with_token
