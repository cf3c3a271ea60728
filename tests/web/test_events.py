"""Events as their operator describes them: dates, places, drafts, lists in the order of dates, creation once a key."""

import json
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest

from seating.domain.caller import Role
from seating.domain.errors import RecordUnavailable
from seating.redis_store import keys
from seating.redis_store.inventory import Inventory
from seating.services.events import EventOnSale
from seating.storage.api_keys import ApiKeys
from seating.storage.events import CreationKey
from seating.storage.tables import events, quarantine
from tests.doors import TOKEN
from tests.one_process import OPERATOR, OneProcess, on_sqlite
from tests.processes import client, clock
from tests.system import System
from tests.terms.backups import backup, restore
from tests.users.conftest import Web, web
from tests.web import JSON, table

__all__ = ["client", "clock", "web"]

_HALL = {"generate": {"sections": 1, "rows": 2, "seatsPerRow": 5}}
_EVENTS = "/api/v1/events"
_SEAT = "sec-1-row-A-seat-1"
_OF_A_DRAFT: list[tuple[str, str, Any]] = [
    *[
        ("POST", suffix, body)
        for body in (
            {"quantity": 1},
            {"quantity": 1, "category": "x"},
            {"quantity": 1, "zone": "x"},
            {"seats": [_SEAT]},
            {"seats": ["x"]},
        )
        for suffix in ("/purchases", "/holds")
    ],
    ("POST", "/purchases", {"holdToken": "x"}),
    ("GET", "/holds/x", None),
    ("PATCH", "/holds/x", {}),
    ("PATCH", "/holds/x", {"add": [_SEAT]}),
    ("DELETE", "/holds/x", None),
    ("GET", "/purchases", None),
    ("GET", "/purchases?reference=x", None),
]


class Office:
    """An operator's requests, and those of a stranger."""

    def __init__(self, web: Web) -> None:
        self.web = web

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {TOKEN}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        return self.web.client.open(path, method=method, json=body, headers=sent)

    def create(self, headers: dict[str, str] | None = None, **fields: Any) -> Any:
        body = {"name": "Test", "totalSeats": 10} | fields
        return self.ask("POST", _EVENTS, {k: v for k, v in body.items() if v is not None}, **(headers or {}))

    def stranger(self, method: str, path: str, body: Any = None) -> Any:
        return self.web.client.open(path, method=method, json=body, headers={"Idempotency-Key": str(uuid.uuid4())})

    def names(self, query: str = "", *, stranger: bool = False) -> list[str]:
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            path = f"{_EVENTS}?cursor={cursor}&{query}"
            answer = self.stranger("GET", path) if stranger else self.ask("GET", path)
            assert answer.status_code == 200, answer.data
            found += [event["name"] for event in answer.json["events"]]
            cursor = answer.json["next"]
        return found

    def rows(self) -> int:
        return len(self.web.services.database.read(lambda connection: connection.execute(events.select()).all()))


@pytest.fixture
def office(web: Callable[..., Web]) -> Office:
    return Office(web(admin_token=TOKEN))


def _shop_in(folder: Path) -> str:
    """What a new shop sends as `Authorization`."""
    return f"Bearer {ApiKeys(folder / 'api-keys').add('shop', Role.SELL, '2026-01-01T00:00:00Z')}"


def assert_refused(answer: Any, status: int, code: str, field: str | None = None) -> None:
    assert (answer.status_code, answer.json["code"], answer.json.get("field")) == (status, code, field), answer.data


class TestDetails:
    def test_are_told_and_can_change_at_any_time(self, office: Office) -> None:
        said = {"startsAt": "2027-01-15T19:30:00+01:00", "venue": "Town hall", "metadata": {"season": "2026/27"}}
        created = office.create(**said)
        assert created.status_code == 201
        path = f"{_EVENTS}/{created.json['id']}"
        assert created.json["startsAt"] == "2027-01-15T18:30:00.000Z"
        assert (created.json["venue"], created.json["metadata"]) == ("Town hall", {"season": "2026/27"})
        for state in ("paused", "on_sale", "closed"):
            told = {"state": state, "name": f"It is {state}", "startsAt": None, "metadata": {"state": state}}
            changed = office.ask("PATCH", path, told).json
            assert changed == office.stranger("GET", path).json
            assert {name: changed[name] for name in told} == told
            assert changed["venue"] == "Town hall"
        assert office.ask("PATCH", path, {"venue": None}).json["venue"] is None

    def test_a_change_is_on_record_once(self, office: Office) -> None:
        event = office.create(venue="Town hall").json["id"]
        for _ in range(2):
            body = {"venue": "Arena", "startsAt": "2027-01-15T19:30:00Z", "name": "Test", "why": "flooded"}
            assert office.ask("PATCH", f"{_EVENTS}/{event}", body).status_code == 200
        acts = office.ask("GET", f"/api/v1/audit?event={event}").json["acts"]
        (act,) = [act for act in acts if act["action"] == "event.details"]
        assert json.loads(act["before"]) == {"venue": "Town hall", "startsAt": None}
        assert json.loads(act["after"]) == {"venue": "Arena", "startsAt": "2027-01-15T19:30:00.000Z"}
        assert (act["actor"], act["why"], act["position"]) == ("operator", "flooded", None)

    @on_sqlite
    def test_a_change_that_cannot_be_shown_says_that_it_is_made(
        self, office: Office, web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """SQL is down, and this process has not read the event since it started."""
        path = f"{_EVENTS}/{office.create().json['id']}"
        other = Office(web(admin_token=TOKEN))

        def message(change: dict[str, Any]) -> str:
            answer = other.ask("PATCH", path, change)
            assert_refused(answer, 503, "RECORD_UNAVAILABLE")
            said: str = answer.json["message"]
            return said

        monkeypatch.setattr(other.web.services.events.database, "read", _down)
        for change in ({"state": "paused"}, {"maxPerPurchase": 3}):
            assert message(change) == "The event has been changed; it cannot be shown until SQL answers"
        monkeypatch.setattr(other.web.services.events.database, "write", _down)
        rest = "The event has been changed, but perhaps not its name, startsAt, venue and metadata; send these again"
        for change in ({"state": "on_sale", "venue": "Arena"}, {"maxPerPurchase": 4, "name": "Other"}):
            assert message(change) == rest
        assert message({"venue": "Arena"}) == RecordUnavailable.sentence
        told = office.ask("GET", path).json
        assert (told["state"], told["maxPerPurchase"], told["venue"], told["name"]) == ("on_sale", 4, None, "Test")

    @on_sqlite
    @pytest.mark.parametrize(
        ("said", "field"),
        table(
            {
                "a date without an offset": ({"startsAt": "2027-01-15T19:30:00"}, "startsAt"),
                "a day": ({"startsAt": "2027-01-15"}, "startsAt"),
                "a week": ({"startsAt": "2027-W02-5T19:30:00Z"}, "startsAt"),
                "a day that is not": ({"startsAt": "2027-02-29T19:30:00Z"}, "startsAt"),
                "an hour that is not": ({"startsAt": "2027-02-28T25:30:00Z"}, "startsAt"),
                "before there were computers": ({"startsAt": "1969-12-31T23:59:59Z"}, "startsAt"),
                "the year 10000, there": ({"startsAt": "9999-12-31T23:59:59-00:01"}, "startsAt"),
                "the year 0": ({"startsAt": "0000-01-01T00:00:00Z"}, "startsAt"),
                "a number": ({"startsAt": 1_800_000_000}, "startsAt"),
                "no venue": ({"venue": ""}, "venue"),
                "a venue of two lines": ({"venue": "a\nb"}, "venue"),
                "a long venue": ({"venue": "x" * 201}, "venue"),
                "a blank name": ({"name": " "}, "name"),
                "metadata that is none": ({"metadata": None}, "metadata"),
                "a list": ({"metadata": ["x"]}, "metadata"),
                "51 of them": ({"metadata": {str(n): "" for n in range(51)}}, "metadata"),
                "a number as a text": ({"metadata": {"x": 1}}, "metadata.x"),
                "a long text": ({"metadata": {"x": "y" * 501}}, "metadata.x"),
                "a long name": ({"metadata": {"x" * 41: "y"}}, f"metadata.{'x' * 41}.[key]"),
                "nested": ({"metadata": {"x": {"y": "z"}}}, "metadata.x"),
                "too much": ({"metadata": {str(n): "x" * 450 for n in range(20)}}, "metadata"),
            }
        ),
    )
    def test_what_is_none(self, office: Office, said: dict[str, Any], field: str) -> None:
        assert_refused(
            office.create(**said)
            if said.get("metadata", "") is not None
            else office.ask("POST", _EVENTS, {"name": "Test", "totalSeats": 1, **said}),
            400,
            "VALIDATION_ERROR",
            field,
        )
        event = office.create().json["id"]
        assert_refused(office.ask("PATCH", f"{_EVENTS}/{event}", said), 400, "VALIDATION_ERROR", field)

    def test_of_no_event(self, office: Office) -> None:
        assert_refused(office.ask("PATCH", f"{_EVENTS}/nowhere", {"venue": "x"}), 404, "EVENT_NOT_FOUND")


class TestLists:
    def test_in_the_order_of_dates(self, office: Office) -> None:
        """Those of one date by their ids, those without one last; a page ends anywhere."""
        dates = [
            "2027-03-01T00:00:00Z",
            None,
            "2027-01-01T00:00:00Z",
            "2027-01-01T00:00:00Z",
            None,
            "1970-01-01T00:00:00Z",
        ]
        ids = [office.create(name=str(n), startsAt=date).json["id"] for n, date in enumerate(dates)]
        alike, undated = sorted((2, 3), key=ids.__getitem__), sorted((1, 4), key=ids.__getitem__)
        expected = [str(n) for n in (5, *alike, 0, *undated)]
        for limit in range(1, 8):
            assert office.names(f"limit={limit}") == expected

    def test_filters(self, office: Office) -> None:
        for number, venue in ((1, "Town hall"), (2, "Arena"), (3, "Town hall")):
            office.create(name=str(number), startsAt=f"2027-0{number}-01T00:00:00Z", venue=venue)
        paused = office.create(name="undated").json["id"]
        office.ask("PATCH", f"{_EVENTS}/{paused}", {"state": "paused"})
        office.web.services.persistence.run_now(paused)
        assert office.names("venue=Town%20hall") == ["1", "3"]
        assert office.names("from=2027-02-01T01:00:00%2B01:00") == ["2", "3"]
        assert office.names("to=2027-02-01T00:00:00Z&limit=1") == ["1"]
        assert office.names("from=2027-01-02T00:00:00Z&venue=Town%20hall") == ["3"]
        assert office.names("state=paused") == ["undated"]
        assert office.names("state=on_sale", stranger=True) == ["1", "2", "3"]

    @on_sqlite
    @pytest.mark.parametrize(
        ("query", "field"),
        table(
            {
                "no cursor": ("cursor=demo", "cursor"),
                "a long cursor": (f"cursor={'1' * 16}.demo", "cursor"),
                "no moment": ("from=2027-01-01", "from"),
                "no moment either": ("to=", "to"),
                "no state": ("state=open", "state"),
                "another filter": ("name=x", "name"),
            }
        ),
    )
    def test_queries_that_are_none(self, office: Office, query: str, field: str) -> None:
        assert_refused(office.ask("GET", f"{_EVENTS}?{query}"), 400, "VALIDATION_ERROR", field)


class TestOpening:
    def test_is_told_and_moved(self, office: Office) -> None:
        said = {"onSaleAt": "2099-01-01T00:00:00+01:00", "offSaleAt": "2099-02-01T00:00:00Z", "maxPerPurchase": 4}
        created = office.create(**said)
        path = f"{_EVENTS}/{created.json['id']}"
        told = {"state": "on_sale", "selling": False, "opensAt": "2098-12-31T23:00:00.000Z", "maxPerPurchase": 4}
        assert told.items() <= created.json.items()
        assert created.json["closesAt"] == "2099-02-01T00:00:00.000Z"
        assert "categories" not in created.json
        refused = office.stranger("POST", path + "/purchases", {"quantity": 1})
        assert_refused(refused, 409, "NOT_ON_SALE")
        assert (refused.json["state"], refused.json["opensAt"]) == ("on_sale", told["opensAt"])
        assert int(refused.headers["Retry-After"]) > 86_400
        moved = office.ask("PATCH", path, {"onSaleAt": None, "offSaleAt": None})
        assert {"selling": True, "opensAt": None, "closesAt": None, "maxPerPurchase": 4}.items() <= moved.json.items()
        asked = office.stranger("POST", path + "/purchases", {"quantity": 5})
        assert_refused(asked, 400, "VALIDATION_ERROR", "quantity")
        assert office.stranger("POST", path + "/purchases", {"quantity": 4}).status_code == 200
        assert office.create().json["selling"] is True

    def test_a_limit_a_buyer_needs_a_shop_and_its_buyer(self, office: Office) -> None:
        created = office.create(maxPerBuyer=3)
        assert created.json["maxPerBuyer"] == 3
        path = f"{_EVENTS}/{created.json['id']}/purchases"
        assert_refused(office.stranger("POST", path, {"quantity": 1}), 400, "VALIDATION_ERROR", "buyer")
        assert_refused(office.stranger("POST", path, {"quantity": 1, "buyer": "c-1"}), 400, "VALIDATION_ERROR", "buyer")
        bought = office.ask("POST", path, {"quantity": 2, "buyer": "c-1"}, Idempotency_Key="k1")
        assert bought.status_code == 200
        refused = office.ask("POST", path, {"quantity": 2, "buyer": "c-1"}, Idempotency_Key="k2")
        assert_refused(refused, 409, "BUYER_LIMIT")
        assert refused.json["left"] == 1
        assert office.ask("DELETE", f"/api/v1/purchases/{bought.json['purchaseId']}").status_code == 200
        again = office.ask("POST", path, {"quantity": 3, "buyer": "c-1"}, Idempotency_Key="k2")
        assert again.status_code == 200

    @on_sqlite
    @pytest.mark.parametrize(
        ("said", "field"),
        table(
            {
                "nothing a buyer": ({"maxPerBuyer": 0}, "maxPerBuyer"),
                "no moment": ({"onSaleAt": "2099-01-01"}, "onSaleAt"),
                "it closes when it opens": (
                    {"onSaleAt": "2099-01-01T00:00:00Z", "offSaleAt": "2099-01-01T01:00:00+01:00"},
                    "offSaleAt",
                ),
                "nothing a purchase": ({"maxPerPurchase": 0}, "maxPerPurchase"),
                "more than ten": ({"maxPerPurchase": 11}, "maxPerPurchase"),
                "no number": ({"maxPerPurchase": "4"}, "maxPerPurchase"),
            }
        ),
    )
    def test_what_is_none(self, office: Office, said: dict[str, Any], field: str) -> None:
        assert_refused(office.create(**said), 400, "VALIDATION_ERROR", field)
        event = office.create().json["id"]
        assert_refused(office.ask("PATCH", f"{_EVENTS}/{event}", said), 400, "VALIDATION_ERROR", field)


class TestDrafts:
    def test_are_for_those_who_may_see_them(self, office: Office) -> None:
        event = office.create(totalSeats=None, seatingPlan=_HALL, state="draft", name="Draft").json["id"]
        path = f"{_EVENTS}/{event}"
        for suffix in ("", "/plan", "/seats"):
            assert_refused(office.stranger("GET", path + suffix), 404, "EVENT_NOT_FOUND")
            assert office.ask("GET", path + suffix).status_code == 200
        assert "public" not in office.ask("GET", path + "/plan").headers["Cache-Control"]
        for suffix in ("/purchases", "/holds"):
            assert_refused(office.stranger("POST", path + suffix, {"quantity": 1}), 404, "EVENT_NOT_FOUND")
            refused = office.ask("POST", path + suffix, {"quantity": 1}, Idempotency_Key=str(uuid.uuid4()))
            assert_refused(refused, 409, "NOT_ON_SALE")
            assert refused.json["state"] == "draft"
        assert office.names() == ["Draft"]
        assert office.names("state=draft") == ["Draft"]
        assert office.names(stranger=True) == office.names("state=draft", stranger=True) == []
        wrong = {"Authorization": "Bearer wrong"}
        assert office.web.client.get(path, headers=wrong).status_code == 404
        assert office.web.client.get(_EVENTS, headers=wrong).json["events"] == []

    @on_sqlite
    def test_nothing_of_one_is_told(self, web: Callable[..., Web], tmp_path: Path) -> None:
        """Strangers and shops get what they get for an id that was never given, whatever they ask for."""
        shop = _shop_in(tmp_path)
        office = Office(web(admin_token=TOKEN, seating_data_dir=tmp_path))
        draft = office.create(totalSeats=None, seatingPlan=_HALL, state="draft").json["id"]

        def told(event: str, method: str, suffix: str, body: Any, **headers: str) -> Any:
            sent = {"Idempotency-Key": str(uuid.uuid4())} | headers
            answer = office.web.client.open(f"{_EVENTS}/{event}{suffix}", method=method, json=body, headers=sent)
            said = {name: value for name, value in answer.json.items() if name != "requestId"}
            return answer.status_code, said, answer.headers.get("RateLimit")

        for row in _OF_A_DRAFT:
            assert told(draft, *row) == told("nowhere", *row), row
            of_shop = told(draft, *row, Authorization=shop)
            assert (of_shop, of_shop[0]) == (told("nowhere", *row, Authorization=shop), 404), row
        operator = {"Authorization": f"Bearer {TOKEN}"}
        assert [told(draft, *row, **operator)[1]["code"] for row in _OF_A_DRAFT[:2]] == ["NOT_ON_SALE"] * 2
        assert office.ask("GET", f"{_EVENTS}/{draft}/purchases").json["purchases"] == []

    def test_one_that_another_process_puts_on_sale_is_sold_at_once(
        self, office: Office, web: Callable[..., Web], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Redis is asked whether it is a draft until it is none, and then never again."""
        event = office.create(state="draft").json["id"]
        path, there = f"{_EVENTS}/{event}", Office(web(admin_token=TOKEN))
        assert_refused(there.stranger("POST", path + "/purchases", {"quantity": 1}), 404, "EVENT_NOT_FOUND")
        office.ask("PATCH", path, {"state": "on_sale"})
        office.web.services.persistence.run_now(event)
        assert there.stranger("POST", path + "/purchases", {"quantity": 1}).status_code == 200
        monkeypatch.setattr(Inventory, "read", None)
        assert there.stranger("POST", path + "/purchases", {"quantity": 1}).status_code == 200
        assert there.stranger("POST", path + "/holds", {"quantity": 1}).status_code == 201

    def test_one_is_put_on_sale_and_never_is_one_again(self, office: Office) -> None:
        event = office.create(state="draft").json["id"]
        path = f"{_EVENTS}/{event}"
        assert office.ask("GET", path).json["state"] == "draft"
        office.web.services.rebuild.run(event, "a drill", claimable="any")
        office.web.services.persistence.run_now(event)
        assert office.ask("GET", path).json["state"] == "draft"
        assert office.ask("PATCH", path, {"state": "on_sale"}).json["state"] == "on_sale"
        office.web.services.persistence.run_now(event)
        assert office.stranger("POST", path + "/purchases", {"quantity": 1}).status_code == 200
        assert office.names(stranger=True) == ["Test"]
        assert_refused(office.ask("PATCH", path, {"state": "draft"}), 400, "VALIDATION_ERROR", "state")
        office.web.services.persistence.run_now(event)
        acts = office.ask("GET", f"/api/v1/audit?event={event}").json["acts"]
        assert [(act["action"], act["before"], act["after"]) for act in acts if act["action"] != "event.rebuild"] == [
            ("event.state", "draft", "on_sale"),
            ("event.create", None, "draft"),
        ]

    def test_one_cannot_be_paused(self, office: Office) -> None:
        """Everybody would see it then, and it could not be a draft again."""
        path = f"{_EVENTS}/{office.create(state='draft').json['id']}"
        refused = office.ask("PATCH", path, {"state": "paused"})
        assert_refused(refused, 409, "NOT_ON_SALE")
        assert refused.json["state"] == "draft"
        assert office.ask("GET", path).json["state"] == "draft"
        assert_refused(office.stranger("GET", path), 404, "EVENT_NOT_FOUND")

    def test_one_that_is_closed_is_seen_by_everybody(self, office: Office) -> None:
        path = f"{_EVENTS}/{office.create(state='draft').json['id']}"
        assert office.ask("PATCH", path, {"state": "closed"}).json["state"] == "closed"
        assert office.stranger("GET", path).json["state"] == "closed"

    def test_the_default_event_may_be_one(self, office: Office, web: Callable[..., Web]) -> None:
        event = office.create(state="draft").json["id"]
        there = Office(web(admin_token=TOKEN, default_event=event))
        for path in ("/api/v1/event", "/api/v1/stats", "/seats"):
            assert_refused(there.stranger("GET", path), 404, "EVENT_NOT_FOUND")
            assert there.ask("GET", path).status_code == 200


def _down(*_: object) -> None:
    raise RecordUnavailable from OSError("down")


def _creation(sale: OneProcess) -> Callable[[], str]:
    """Creates an event, or finds it again: the same key each time."""
    key = CreationKey("k" * 22, "f" * 22)
    create = partial(sale.event_creation.create, "Test", 5, None, OPERATOR, key=key)
    return lambda: sale.event_creation.once(key, create)[0].event.id


class TestUntrusted:
    """Redis was restarted, or came back with less than SQL has: it may sell when a term has begun."""

    @pytest.mark.parametrize("state", ["on_sale", "paused"])
    def test_what_it_sells_is_not_known(self, office: Office, client: Any, state: str) -> None:
        path = f"{_EVENTS}/{office.create(state='on_sale').json['id']}"
        event = office.ask("PATCH", path, {"state": state}).json
        client.hset(keys.inventory(event["id"]), "server", "")
        unknown = {"state": "unavailable", "selling": False, "seatsSold": None, "seatsRemaining": None}
        (listed,) = office.ask("GET", _EVENTS).json["events"]
        assert office.ask("GET", path).json == listed == event | unknown
        office.web.services.persistence.run_now(event["id"])
        assert office.ask("GET", path).json == event

    @on_sqlite
    @pytest.mark.parametrize("state", ["draft", "closed"])
    def test_what_does_not_sell_anyway_is(self, office: Office, client: Any, state: str) -> None:
        path = f"{_EVENTS}/{office.create(state='draft').json['id']}"
        if state == "closed":
            office.ask("PATCH", path, {"state": state})
        event = office.ask("GET", path).json
        client.hset(keys.inventory(event["id"]), "server", "")
        assert office.ask("GET", path).json == event | {"seatsSold": None, "seatsRemaining": None}
        assert office.stranger("GET", path).status_code == (404 if state == "draft" else 200)

    def test_one_that_was_public_is_no_draft_again(
        self, office: Office, web: Callable[..., Web], client: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Redis comes back as it was before the event was put on sale, and the process has been restarted."""
        event, draft, lost = (office.create(state="draft").json["id"] for _ in range(3))
        paths = [f"{_EVENTS}/{each}" for each in (event, draft, lost)]
        kept = {key: dump for key in keys.all_of(event) if (dump := client.dump(key))}
        office.ask("PATCH", paths[0], {"state": "on_sale"})
        office.web.services.persistence.run_now(event)
        for key, dump in kept.items():
            client.restore(key, 0, dump, replace=True)
        for each in (event, draft):
            client.hset(keys.inventory(each), "server", "")
        client.delete(*keys.all_of(lost))
        shop = _shop_in(tmp_path)
        there = Office(web(admin_token=TOKEN, seating_data_dir=tmp_path))

        def answers(suffix: str) -> list[str]:
            asked = [there.stranger("POST", path + suffix, {"quantity": 1}) for path in paths]
            return [answer.json["code"] for answer in asked]

        assert there.stranger("GET", paths[0]).json["state"] == "unavailable"
        assert [there.stranger("GET", path).status_code for path in paths[1:]] == [404] * 2
        assert answers("/purchases") == answers("/holds") == ["INVENTORY_UNAVAILABLE", *["EVENT_NOT_FOUND"] * 2]
        assert there.ask("POST", paths[2] + "/holds", {"quantity": 1}).status_code == 503
        sold = [there.web.client.get(path + "/purchases", headers={"Authorization": shop}) for path in paths]
        assert [answer.status_code for answer in sold[1:]] == [404] * 2
        there = Office(web(admin_token=TOKEN))
        monkeypatch.setattr(there.web.services.events.database, "read", _down)
        assert answers("/purchases") == ["INVENTORY_UNAVAILABLE"] * 3

    @on_sqlite
    def test_one_that_is_closed_stays_so(self, office: Office, client: Any) -> None:
        """SQL knows, and Redis came back from before."""
        path = f"{_EVENTS}/{office.create().json['id']}"
        event = office.ask("PATCH", path, {"state": "closed"}).json["id"]
        office.web.services.persistence.run_now(event)
        client.hset(keys.inventory(event), mapping={"state": "on_sale", "server": ""})
        assert office.stranger("GET", path).json["state"] == "closed"


class TestCreationOnce:
    def test_a_repetition_answers_the_same_event(self, office: Office) -> None:
        first = office.create({"Idempotency-Key": '"a-key"'}, metadata={"a": "1", "b": "2"})
        again = office.create({"Idempotency-Key": "a-key"}, metadata={"b": "2", "a": "1"}, state="on_sale")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json == first.json
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert office.create({"Idempotency-Key": "another"}).json["id"] != first.json["id"]
        refused = office.create({"Idempotency-Key": "a-key"}, name="Other", metadata={"a": "1", "b": "2"})
        assert_refused(refused, 422, "IDEMPOTENCY_KEY_REUSED")
        assert office.rows() == 2

    def test_a_crowd_creates_one(self, system: System) -> None:
        body = json.dumps({"name": "Crowd", "totalSeats": 10, "startsAt": "2027-01-01T00:00:00Z"}).encode()
        sent = JSON | {"Idempotency-Key": str(uuid.uuid4())}
        crowd = [gevent.spawn(system.request, "POST", _EVENTS, body, sent) for _ in range(20)]
        gevent.joinall(crowd, timeout=60, raise_error=True)
        answers = [request.get() for request in crowd]
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json["id"] for answer in answers}) == 1
        listed = system.get(f"{_EVENTS}?from=2027-01-01T00:00:00Z&to=2027-01-01T00:00:01Z").json["events"]
        assert [event["name"] for event in listed] == ["Crowd"]

    def test_a_request_that_another_overtakes(self, sale: OneProcess) -> None:
        """Between its look into SQL and its own record, the other's is committed."""
        key, other = CreationKey("k" * 22, "f" * 22), sale.another()
        made = []

        def create() -> EventOnSale:
            made.append(
                other.event_creation.once(key, partial(other.event_creation.create, "Test", 5, None, OPERATOR, key=key))
            )
            return sale.event_creation.create("Test", 5, None, OPERATOR, key=key)

        found, replayed = sale.event_creation.once(key, create)
        assert (found.event, replayed) == (made[0][0].event, True)
        assert made[0][1] is False
        other.database.close()

    def test_one_that_was_stopped_half_way_is_opened(self, office: Office, client: Any) -> None:
        """SQL had it, and Redis was away."""
        first = office.create({"Idempotency-Key": "k"})
        client.delete(*keys.all_of(first.json["id"]))
        again = office.create({"Idempotency-Key": "k"})
        assert (again.status_code, again.json["id"], again.json["seatsRemaining"]) == (201, first.json["id"], 10)
        assert again.json["state"] == "on_sale"

    def test_an_archived_one_stays_so_over_an_older_sql(self, sale: OneProcess) -> None:
        """The proof that SQL lost sales is in Redis: nothing may replace it."""
        create = _creation(sale)
        event = create()
        kept = backup(sale.database)
        sale.buy(event, "k")
        sale.archive(event)
        proof = sale.calls.command("HGET", keys.inventory(event), "acknowledged")
        restore(sale.database, kept)
        assert create() == event
        assert sale.events.get(event).state == "unavailable"
        assert sale.calls.command("HMGET", keys.inventory(event), "archived", "acknowledged") == [b"1", proof]

    def test_one_that_lost_its_inventory_keeps_what_its_log_has(self, sale: OneProcess) -> None:
        create = _creation(sale)
        event = create()
        receipt = sale.buy(event, "k")
        sale.calls.command("DEL", keys.inventory(event))
        assert create() == event
        assert sale.purchases.get(receipt.id).state == "persisted"
        assert sale.buy(event, "k") == receipt
        assert sale.now(event).counts.sold == 1
        assert sale.rows(quarantine, event) == []
        assert sale.check.reconcile(event) == []

    @on_sqlite
    @pytest.mark.parametrize("key", ["", " ", '"x', "ü", "x" * 256])
    def test_keys_that_are_none(self, office: Office, key: str) -> None:
        code = "MISSING_IDEMPOTENCY_KEY" if not key.strip() else "INVALID_IDEMPOTENCY_KEY"
        assert_refused(office.create({"Idempotency-Key": key}), 400, code)
        assert office.rows() == 0
