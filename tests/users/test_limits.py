"""The limit in front of users, as clients see it."""

from collections.abc import Callable

import pytest

from tests.moved_clock import MovedClock
from tests.one_process import on_sqlite
from tests.users.conftest import Web

Start = Callable[..., Web]
pytestmark = on_sqlite  # Limits are in Redis.

_DEFAULT = "5/10s,10/60s"


def test_twelve_rapid_requests_after_five(web: Start, clock: MovedClock) -> None:
    """Five in the same minute, but not in the same ten seconds; over two processes."""
    processes = [web(rate_limit_users=_DEFAULT) for _ in range(2)]
    assert [processes[number % 2].get("/users/1").status_code for number in range(5)] == [200] * 5
    clock.move(20_500)
    answers = [processes[number % 2].get("/users/1") for number in range(12)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 7
    for refused in answers[5:]:
        assert refused.headers["Retry-After"] == "40"
        assert refused.json["code"] == refused.json["error"] == "RATE_LIMITED"
        assert refused.json["message"] == "Too many requests from your address: at most 10 in 60 s"
        assert refused.json["retryAfterMs"] == 39_500
        assert refused.headers["RateLimit"] == '"5-in-10s";r=0;t=10, "10-in-60s";r=0;t=40'
    clock.move(39_499)
    assert processes[0].get("/users/1").headers["Retry-After"] == "1"
    clock.move(1)
    assert processes[1].get("/users/1").status_code == 200


def test_every_answer_says_what_is_left(web: Start) -> None:
    one = web(rate_limit_users=_DEFAULT)
    answers = [
        one.get("/users/1"),
        one.get("/users/nobody"),
        one.get("/users/%00"),
        one.create(name="A"),
        one.get("/users"),
        one.get("/users"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 400, 400, 200, 429]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"5-in-10s";q=5;w=10, "10-in-60s";q=10;w=60'}
    assert [answer.headers["RateLimit"].partition(",")[0] for answer in answers] == [
        f'"5-in-10s";r={left};t=10' for left in (4, 3, 2, 1, 0, 0)
    ]


def test_a_bucket(web: Start, clock: MovedClock) -> None:
    one = web(rate_limit_users="bucket:5,10/60s")
    answers = [one.get("/users/1") for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert answers[5].headers["Retry-After"] == "6"
    assert answers[0].headers["RateLimit-Policy"] == '"5-in-30s";q=5;w=30'
    clock.move(6_000)
    assert [one.get("/users/1").status_code for _ in range(2)] == [200, 429]


def test_other_routes_are_not_limited(web: Start) -> None:
    one = web(rate_limit_users="1/1h")
    for path in ("/cache-status", "/users/cache-status", "/health") * 3:
        answer = one.get(path)
        assert answer.status_code == 200
        assert "RateLimit-Policy" not in answer.headers
    assert one.get("/users/1").status_code == 200
    assert one.get("/users/1").status_code == 429


def test_off_is_off(web: Start) -> None:
    one = web(rate_limit_users="off")
    answers = [one.get("/users/1") for _ in range(30)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit-Policy" not in answers[0].headers


@pytest.mark.parametrize(
    ("trusted", "refused"), [(None, True), ("192.0.2.0/24", True), ("10.0.0.0/8,127.0.0.1/32", False)]
)
def test_a_forwarded_address_counts_only_from_a_trusted_proxy(web: Start, trusted: str | None, refused: bool) -> None:
    one = web(rate_limit_users="1/1h", trusted_proxies=trusted)
    one.get("/users/1", **{"X-Forwarded-For": "192.0.2.1"})
    second = one.get("/users/1", **{"X-Forwarded-For": "192.0.2.2"})
    assert (second.status_code == 429) == refused
    assert one.get("/users/1", **{"X-Forwarded-For": "192.0.2.1"}).status_code == 429


def test_limit_and_cache_are_one_call_each(web: Start) -> None:
    one = web(rate_limit_users="bucket:1000,1/1s")
    one.get("/users/1")
    calls = one.calls
    before = calls.calls
    for _ in range(20):
        assert one.get("/users/1").headers["X-Cache"] == "HIT"
    assert calls.calls - before == 40
