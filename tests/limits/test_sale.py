"""The limit of the sale, as clients see it."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crowd import at_once, new_keys
from tests.servers import RedisServer, new_sqlite
from tests.system import System


@pytest.fixture
def start_system(own_redis: RedisServer, tmp_path: Path) -> Iterator[Callable[..., System]]:
    systems: list[System] = []

    def start(**settings: str) -> System:
        chosen = {"WEB_WORKERS": "2", **settings}
        systems.append(System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"), **chosen))
        return systems[-1].start("web")

    yield start
    for system in systems:
        system.stop()


def _buy(system: System, key: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    sent = {"Content-Type": "application/json", "Idempotency-Key": key, **headers}
    answer = system.request("POST", "/api/v1/purchase", json.dumps(body or {"quantity": 1}).encode(), sent)
    return answer.status, answer.headers, answer.json


def test_as_clients_see_it(start_system: Callable[..., System]) -> None:
    system = start_system(RATE_LIMIT_SALE="3/1h")
    answers = [_buy(system, f"a-key-of-its-own-{number}") for number in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert [headers["RateLimit"].partition(";t")[0] for _, headers, _ in answers] == [
        f'"3-in-3600s";r={left}' for left in (2, 1, 0, 0, 0)
    ]
    status, headers, body = answers[4]
    assert (body["error"], body["code"]) == ("RATE_LIMITED", "RATE_LIMITED")
    assert 3590 <= int(headers["Retry-After"]) <= 3600
    assert headers["RateLimit-Policy"] == '"3-in-3600s";q=3;w=3600'
    status, headers, body = _buy(system, "a-key-of-its-own-1")
    assert (status, headers["Idempotent-Replayed"], body) == (200, "true", answers[1][2])
    status, headers, _ = _buy(system, "a-key-of-its-own-9", {"quantity": 0})
    assert (status, headers["RateLimit-Policy"]) == (400, '"3-in-3600s";q=3;w=3600')
    assert system.get("/api/v1/event").json["seatsSold"] == 3


def test_a_refusal_for_given_seats_says_what_is_left(start_system: Callable[..., System]) -> None:
    system = start_system(RATE_LIMIT_SALE="3/1h")
    order = json.dumps({"seats": ["sec-1-row-A-seat-1"]}).encode()
    for key, expected, left in (("a-key-of-its-own-1", 200, 2), ("a-key-of-its-own-2", 409, 1)):
        sent = {"Content-Type": "application/json", "Idempotency-Key": key}
        answer = system.request("POST", "/api/v1/events/demo/purchases", order, sent)
        assert (answer.status, answer.headers["RateLimit"].partition(";t")[0]) == (expected, f'"3-in-3600s";r={left}')


def test_the_default_lets_a_box_office_through(start_system: Callable[..., System]) -> None:
    system = start_system()
    answers = at_once(system, new_keys(1000))
    assert Counter(answer.status for answer in answers) == {200: 1000}
