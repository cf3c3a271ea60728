"""The limit of the sale, decided by the script that sells."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from seating.domain import rate_policy
from seating.domain.changes import Opened
from seating.domain.errors import IdempotencyKeyReused, NotTogether, RateLimited, SoldOut
from seating.domain.event import Event
from seating.domain.log_entry import LogEntry
from seating.domain.purchase import Order
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.redis_store import keys
from seating.redis_store.inventory import Inventory
from seating.redis_store.rate_limits import RateLimit
from tests.crowd import at_once, new_keys
from tests.moved_clock import MovedClock
from tests.processes import Process
from tests.servers import RedisServer
from tests.system import System


@pytest.fixture
def start_system(own_redis: RedisServer, tmp_path: Path) -> Iterator[Callable[..., System]]:
    systems: list[System] = []

    def start(**settings: str) -> System:
        systems.append(System(tmp_path / "data", own_redis, f"sqlite:///{tmp_path / 'seating.db'}", **settings))
        return systems[-1].start("web")

    yield start
    for system in systems:
        system.stop()


@pytest.fixture
def inventory(process: Process, clock: MovedClock) -> Inventory:
    """Nine seats of general admission on sale as `event`, and a hall with rows of two as `hall`."""
    found = Inventory(process(clock.scripts), backlog_max_entries=1000, backlog_memory_percent=90)
    for name, capacity, plan in (
        ("event", 9, None),
        ("hall", 6, generate(GeneratedPlan(sections=1, rows=3, seatsPerRow=2))),
    ):
        event = Event(name, "Test", capacity, plan is not None)
        found.open(event, plan, LogEntry.first(Opened(1, capacity).to_json()))
    return found


def _limit(text: str = "3/10s", caller: str = "192.0.2.1") -> RateLimit:
    policy = rate_policy.parse(text)
    assert policy
    return RateLimit(policy, caller)


@pytest.mark.parametrize("text", ["3/10s", "bucket:3,1/10s"])
def test_the_fourth_is_refused_until_that_instant(inventory: Inventory, clock: MovedClock, text: str) -> None:
    for number in range(3):
        limit = _limit(text)
        inventory.purchase("event", f"k{number}", Order(1), limit)
        assert limit.verdict
        assert (limit.verdict.passes, limit.verdict.left[0].requests) == (True, 2 - number)
    with pytest.raises(RateLimited) as refused:
        inventory.purchase("event", "k3", Order(1), _limit(text))
    assert refused.value.retry_after_s == 10
    assert inventory.purchase("event", "k3", Order(1), _limit(text, "192.0.2.2")).receipt.left == 5
    clock.move(9_999)
    with pytest.raises(RateLimited):
        inventory.purchase("event", "k4", Order(1), _limit(text))
    clock.move(1)
    assert inventory.purchase("event", "k4", Order(1), _limit(text)).receipt.left == 4


def test_a_replay_is_never_refused_nor_counted(inventory: Inventory) -> None:
    first = inventory.purchase("event", "k", Order(1), _limit("1/10s"))
    with pytest.raises(RateLimited):
        inventory.purchase("event", "other", Order(1), _limit("1/10s"))
    for _ in range(20):
        limit = _limit("1/10s")
        again = inventory.purchase("event", "k", Order(1), limit)
        assert (again.replayed, again.receipt, limit.verdict) == (True, first.receipt, None)
    with pytest.raises(IdempotencyKeyReused):
        inventory.purchase("event", "k", Order(2), _limit("1/10s"))


def test_a_refused_purchase_changes_nothing(inventory: Inventory, client: "redis.Redis") -> None:
    inventory.purchase("event", "k", Order(1), _limit("1/10s"))
    before = client.hgetall(keys.inventory("event")), client.xlen(keys.log("event"))
    with pytest.raises(RateLimited):
        inventory.purchase("event", "other", Order(1), _limit("1/10s"))
    assert (client.hgetall(keys.inventory("event")), client.xlen(keys.log("event"))) == before


def test_what_is_refused_for_other_reasons_counts_and_says_what_is_left(inventory: Inventory) -> None:
    for number, (event, order, refusal) in enumerate(
        (("event", Order(10), SoldOut), ("hall", Order(3), NotTogether)),
    ):
        limit = _limit()
        with pytest.raises(refusal):
            inventory.purchase(event, f"k{number}", order, limit)
        assert limit.verdict
        assert limit.verdict.left[0].requests == 2


def test_it_is_no_call_more(inventory: Inventory, client: "redis.Redis") -> None:
    client.config_resetstat()
    for number in range(9):
        inventory.purchase("event", f"k{number}", Order(1), _limit("bucket:20000,600000/60s"))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 9


def _buy(system: System, key: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], Any]:
    sent = {"Content-Type": "application/json", "Idempotency-Key": key, **headers}
    answer = system.request("POST", "/api/v1/purchase", json.dumps(body or {"quantity": 1}).encode(), sent)
    return answer.status, answer.headers, answer.json


def test_as_clients_see_it(start_system: Callable[..., System]) -> None:
    system = start_system(RATE_LIMIT_SALE="3/1h")
    answers = [_buy(system, f"key-{number}") for number in range(5)]
    assert [status for status, _, _ in answers] == [200, 200, 200, 429, 429]
    assert [headers["RateLimit"].partition(";t")[0] for _, headers, _ in answers] == [
        f'"3-in-3600s";r={left}' for left in (2, 1, 0, 0, 0)
    ]
    status, headers, body = answers[4]
    assert (body["error"], body["code"]) == ("RATE_LIMITED", "RATE_LIMITED")
    assert 3590 <= int(headers["Retry-After"]) <= 3600
    assert headers["RateLimit-Policy"] == '"3-in-3600s";q=3;w=3600'
    status, headers, body = _buy(system, "key-1")
    assert (status, headers["Idempotent-Replayed"], body) == (200, "true", answers[1][2])
    status, headers, _ = _buy(system, "key-9", {"quantity": 0})
    assert (status, headers["RateLimit-Policy"]) == (400, '"3-in-3600s";q=3;w=3600')
    assert system.get("/api/v1/event").json["seatsSold"] == 3


def test_the_default_lets_a_box_office_through(start_system: Callable[..., System]) -> None:
    system = start_system()
    answers = at_once(system, new_keys(1000))
    assert Counter(answer.status for answer in answers) == {200: 1000}
