"""The routes of the catalogue, over web processes, a real Redis and a partner on a real socket."""

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.catalogue import partner as habits
from tests.catalogue.conftest import web_over
from tests.catalogue.measured import side_by_side
from tests.catalogue.partner import Gate, Partner, answers, only
from tests.catalogue.stand_in import StandIn
from tests.servers import RedisServer, wait_until
from tests.system import Answer, Client, System

Start = Callable[..., System]

JSON = {"Content-Type": "application/json"}
AGE_ROUNDED_S = 0.05
NEW_EVENT = json.dumps({"name": "Opening night", "userId": "1"}).encode()


def add(client: Client) -> Answer:
    return client.request("POST", "/addEvent", NEW_EVENT, JSON)


def breaker(client: Client, kind: str = "addEvent") -> Any:
    """As it was seen after this was asked for; one process is asked, which looks now and then."""
    begun = time.monotonic()
    while True:
        partner = client.get("/ready").json["checks"]["partner"]
        if partner["ageS"] + AGE_ROUNDED_S < time.monotonic() - begun:
            return partner["breakers"][kind]
        time.sleep(0.02)


def open_breaker(client: Client, partner: Partner) -> None:
    partner.habit = only("addEvent", answers(500, {}))
    for _ in range(3):
        assert add(client).status == 502


@pytest.fixture(scope="module")
def over_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, StandIn]]:
    folder = tmp_path_factory.mktemp("stand-in")
    stand_in = StandIn(folder / "partner")
    with web_over(folder, stand_in.url) as system:
        yield system, stand_in
    stand_in.stop()


def test_over_the_stand_in(over_stand_in: tuple[System, StandIn]) -> None:
    system, _ = over_stand_in
    users = system.get("/getUsers")
    assert users.status == 200
    assert [len(user["events"]) for user in users.json] == [2, 1, 1]
    listed = {event["id"]: event for event in system.get("/getEvents").json}
    for user in users.json:
        found = system.get(f"/getEventsByUserId/{user['id']}")
        assert (found.status, found.json) == (200, [listed[event_id] for event_id in user["events"]])
    missing = system.get("/getEventsByUserId/none")
    assert (missing.status, missing.json["code"]) == (404, "PARTNER_USER_NOT_FOUND")

    added = [add(system) for _ in range(9)]
    assert [answer.status for answer in added] == [200] * 5 + [503] * 4
    assert added[0].json == {"success": True}
    assert [event["name"] for event in system.get("/getEventsByUserId/1").json][2:] == ["Opening night"] * 5
    _contains(
        added[5],
        success=False,
        error="Service temporarily unavailable",
        message="Event API is experiencing high load",
        code="PARTNER_OVERLOADED",
    )
    assert "retryAfter" not in added[7].json
    _contains(
        added[8],
        success=False,
        error="Service temporarily unavailable",
        message="Event service is currently experiencing issues. Please try again later.",
        circuitBreakerState="OPEN",
        retryAfter=int(added[8].headers["Retry-After"]),
    )
    assert 9 <= added[8].json["retryAfter"] <= 11
    assert system.get("/getUsers").status == 200


def _contains(answer: Answer, **fields: object) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert {name: answer.json[name] for name in fields} == fields


@pytest.mark.parametrize("count", [1, 50])
def test_fifty_events_take_about_as_long_as_one(over_stand_in: tuple[System, StandIn], count: int) -> None:
    runs = [side_by_side(*over_stand_in, count) for _ in range(3)]
    assert min(run.together_s / run.slowest_single_s for run in runs) <= 1.3


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "", "userId": "1"}, "name"),
        ({"name": "x" * 201, "userId": "1"}, "name"),
        ({"name": "a\nb", "userId": "1"}, "name"),
        ({"name": "A"}, "userId"),
        ({"name": "A", "userId": "../x"}, "userId"),
        ({"name": "A", "userId": True}, "userId"),
        ({"name": "A", "userId": "1", "more": 1}, "more"),
    ],
)
def test_an_event_that_is_not_one_is_refused_here(
    catalogue_system: tuple[System, Partner], body: Any, field: str
) -> None:
    system, partner = catalogue_system
    before = len(partner.calls)
    refused = system.request("POST", "/addEvent", json.dumps(body).encode(), JSON)
    assert (refused.status, refused.json["error"]) == (400, "VALIDATION_ERROR")
    assert refused.json["field"].startswith(field)
    for user_id in ("a%20b", "%2e%2e", "x" * 65, "-", "é"):
        wrong = system.get(f"/getEventsByUserId/{user_id.replace('é', '%C3%A9')}")
        assert (wrong.status, wrong.json["field"]) == (400, "userId")
    assert len(partner.calls) == before


@pytest.fixture(scope="module")
def catalogue_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Partner]]:
    """One system for the tests that leave its breakers closed."""
    partner = Partner(habits.fares_well)
    settings = {"CIRCUIT_BREAKER_FAILURE_THRESHOLD": "1000"}
    settings |= {"EVENT_API_DEADLINE_MS": "2000", "EVENT_API_READ_TIMEOUT_MS": "1500"}
    with web_over(tmp_path_factory.mktemp("catalogue"), partner.url, **settings) as system:
        yield system, partner
    partner.stop()


@pytest.fixture(scope="module")
def breaker_open(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Partner]]:
    """One system whose breaker of /addEvent stays open for all tests that want that."""
    partner = Partner(habits.fares_well)
    waits = ("CIRCUIT_BREAKER_RESET_TIMEOUT_MS", "CIRCUIT_BREAKER_MAX_RESET_TIMEOUT_MS")
    with web_over(tmp_path_factory.mktemp("open"), partner.url, **dict.fromkeys(waits, "600000")) as system:
        open_breaker(system, partner)
        yield system, partner
    partner.stop()


@pytest.mark.parametrize(
    ("habit", "status", "code"),
    [
        (habits.hangs, 504, "PARTNER_TIMEOUT"),
        (habits.drips, 504, "PARTNER_TIMEOUT"),
        (habits.drops, 502, "PARTNER_FAILED"),
        (habits.sends_half, 502, "PARTNER_FAILED"),
        (answers(500, {}), 502, "PARTNER_FAILED"),
        (habits.sends_a_gigabyte, 502, "PARTNER_ANSWER_INVALID"),
        (habits.sends(200, b"<html>"), 502, "PARTNER_ANSWER_INVALID"),
        (answers(302, {}, Location="http://127.0.0.1:1/"), 502, "PARTNER_ANSWER_INVALID"),
    ],
)
def test_a_misbehaving_partner_is_named(
    catalogue_system: tuple[System, Partner], habit: habits.Habit, status: int, code: str
) -> None:
    """On each route, all of which are asked at once."""
    system, partner = catalogue_system
    partner.habit = habit

    def ask(path: str) -> None:
        started = time.monotonic()
        answer = add(system) if path == "/addEvent" else system.get(path)
        assert time.monotonic() - started < 2.0 + 5.0, path
        assert (answer.status, answer.json["code"]) == (status, code), path
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "event partner" in answer.json["message"]

    paths = ("/getUsers", "/getEvents", "/getEventsByUserId/9", "/addEvent")
    gevent.joinall([gevent.spawn(ask, path) for path in paths], raise_error=True)


def test_while_open_nobody_calls_and_everybody_is_told_at_once(breaker_open: tuple[System, Partner]) -> None:
    """1,000 requests over 10 connections, beside as many of GET /health over the same ones."""
    system, partner = breaker_open
    partner.calls.clear()
    refused: list[Answer] = []
    seconds: dict[str, list[float]] = {"/addEvent": [], "/health": []}

    def ask(connection: HTTPConnection, method: str, path: str, *rest: Any) -> Answer:
        started = time.perf_counter()
        connection.request(method, path, *rest)
        response = connection.getresponse()
        answer = Answer(response.status, dict(response.headers.items()), response.read())
        seconds[path].append(time.perf_counter() - started)
        return answer

    def client() -> None:
        connection = HTTPConnection("127.0.0.1", system.port, timeout=30)
        for _ in range(100):
            refused.append(ask(connection, "POST", "/addEvent", NEW_EVENT, JSON))
            assert ask(connection, "GET", "/health").status == 200
        connection.close()

    gevent.joinall([gevent.spawn(client) for _ in range(10)], raise_error=True)
    next_probe = datetime.fromisoformat(breaker(system)["nextProbe"])
    assert len(refused) == 1000
    assert {answer.status for answer in refused} == {503}
    assert partner.calls == []
    assert {answer.json["circuitBreakerState"] for answer in refused} == {"OPEN"}
    for answer in refused:
        left_s = (next_probe - parsedate_to_datetime(answer.headers["Date"])).total_seconds()
        assert int(answer.headers["Retry-After"]) == answer.json["retryAfter"]
        assert answer.json["retryAfter"] == pytest.approx(left_s, abs=2.0)
    assert statistics.median(seconds["/addEvent"]) <= 2 * statistics.median(seconds["/health"])


def test_one_of_two_hundred_reaches_the_partner_at_the_half_open_instant(start: Start, partner: Partner) -> None:
    """Over two web processes, each of which has a hundred callers."""
    settings = {"WEB_WORKERS": "1", "CIRCUIT_BREAKER_RESET_TIMEOUT_MS": "300", "EVENT_API_READ_TIMEOUT_MS": "30000"}
    settings |= {"EVENT_API_DEADLINE_MS": "30000"}
    processes = [start(partner.url, **settings) for _ in range(2)]
    open_breaker(processes[0], partner)
    wait_until(lambda: breaker(processes[1])["state"] == "HALF_OPEN", what="half-open")
    partner.calls.clear()
    partner.habit = gate = Gate()
    callers = [gevent.spawn(add, processes[number % 2]) for number in range(200)]
    wait_until(lambda: sum(caller.ready() for caller in callers) == 199, 60, "all but the probe to be refused")
    assert partner.calls == ["/addEvent"]
    assert breaker(processes[0])["state"] == "HALF_OPEN"
    gate.opened.set()
    gevent.joinall(callers, raise_error=True)
    outcomes = [caller.get() for caller in callers]
    assert Counter(answer.status for answer in outcomes) == {200: 1, 503: 199}
    refused = [answer for answer in outcomes if answer.status == 503]
    assert {answer.json["circuitBreakerState"] for answer in refused} == {"HALF_OPEN"}
    assert all(int(answer.headers["Retry-After"]) == answer.json["retryAfter"] > 0 for answer in refused)
    assert breaker(processes[1])["state"] == "CLOSED"
    assert [add(process).status for process in processes] == [200, 200]


def test_each_kind_of_call_has_a_breaker_of_its_own(breaker_open: tuple[System, Partner]) -> None:
    system, partner = breaker_open
    assert add(system).status == 503
    assert system.get("/getUsers").status == 200
    assert system.get("/getEventsByUserId/3").status == 200
    partner.habit = only("getEventById", answers(500, {}))
    wait_until(lambda: system.get("/getEventsByUserId/3").status == 503, what="its breaker to open")
    refused = system.get("/getEventsByUserId/3")
    assert refused.json["circuitBreakerState"] == "OPEN"
    assert 0 < int(refused.headers["Retry-After"]) == refused.json["retryAfter"]


def test_operators_see_the_breaker(start: Start, partner: Partner) -> None:
    system = start(partner.url, CIRCUIT_BREAKER_RESET_TIMEOUT_MS="300")
    assert breaker(system) == {
        "state": "CLOSED",
        "openedSince": None,
        "nextProbe": None,
        "failures": 0,
        "openings": 0,
    }
    open_breaker(system, partner)
    opened = breaker(system)
    assert opened["openings"] == 1
    wait = datetime.fromisoformat(opened["nextProbe"]) - datetime.fromisoformat(opened["openedSince"])
    assert 0.29 < wait.total_seconds() < 0.34
    text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
    assert 'seating_breaker_openings{breaker="addEvent"} 1.0' in text
    assert 'seating_breaker_state{breaker="getUsers"} 0.0' in text
    assert 'seating_partner_calls_total{call="addEvent",outcome="failure"} 3.0' in text
    assert text.count("# TYPE seating_breaker_state gauge") == 1
    partner.habit = habits.fares_well
    wait_until(lambda: add(system).status == 200, what="the probe")
    assert breaker(system)["state"] == "CLOSED"
    said = [json.loads(line) for line in system.parts["web"].log.read_text().splitlines()]
    changes = [line["event"] for line in said if line["event"].startswith("breaker")]
    assert changes == ["breaker opened", "breaker half-open", "breaker closed"]


def test_the_document_has_the_routes(catalogue_system: tuple[System, Partner]) -> None:
    paths = catalogue_system[0].get("/openapi.json").json["paths"]
    assert {"get"} == paths["/getUsers"].keys() == paths["/getEvents"].keys()
    assert {"get"} == paths["/getEventsByUserId/{user_id}"].keys()
    assert {"200", "400", "502", "503", "504"} <= paths["/addEvent"]["post"]["responses"].keys()


def test_without_a_partner_the_routes_say_so(start: Start) -> None:
    system = start("")
    for answer in (system.get("/getUsers"), add(system)):
        assert (answer.status, answer.json["code"]) == (503, "PARTNER_NOT_CONFIGURED")
    assert system.buy(1).status == 200


def test_without_redis_the_catalogue_goes_on_unguarded(
    own_redis: RedisServer, partner: Partner, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path / 'seating.db'}"
    system = System(tmp_path / "data", own_redis, database, EVENT_API_BASE_URL=partner.url).start("web")
    try:
        assert system.get("/getUsers").status == 200
        own_redis.kill()
        partner.habit = only("addEvent", answers(500, {}))
        assert [add(system).status for _ in range(5)] == [502] * 5
        assert len(system.get("/getEventsByUserId/7").json) == 7
        text = system.get("/metrics", {"Accept": "text/plain"}).body.decode()
        assert 'seating_partner_calls_total{call="addEvent",outcome="unguarded"} 5.0' in text
        said = system.parts["web"].log.read_text()
        assert 0 < said.count("breaker state unavailable") <= 2 * 5
        wait_until(lambda: system.get("/ready").status == 503, what="the news that nothing can be sold")
    finally:
        system.stop()
