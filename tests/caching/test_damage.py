"""Shared state that none of our scripts has written is dropped, and what it was for begins anew."""

import gevent
import pytest
import redis
from prometheus_client import REGISTRY

from seating.domain import rate_policy
from seating.domain.breaker import BreakerPolicy, BreakerState, CallOutcome
from seating.domain.errors import LoadFailed
from seating.redis_store import keys
from seating.redis_store.breaker import Breaker
from seating.redis_store.lru_cache import LruCache
from seating.redis_store.rate_limits import RateLimit, RateLimits
from seating.redis_store.single_flight import SingleFlight
from seating.services.coalescing import Found, Source
from tests.caching.reader import reader
from tests.processes import Process, client, clock, process

__all__ = ["client", "clock", "process"]

VALUES, ORDER, DUE, COUNTERS = keys.cache("test")
POLICY = BreakerPolicy(
    failure_threshold=1,
    failure_window_ms=30_000,
    reset_timeout_ms=10_000,
    max_reset_timeout_ms=60_000,
    probe_lease_ms=6_000,
)


def dropped(script: str) -> float:
    return REGISTRY.get_sample_value("seating_shared_state_dropped_total", {"script": script}) or 0.0


@pytest.mark.parametrize("garbage", ["garbage", "", "|value", "x|value"])
def test_an_entry_of_a_cache_counts_as_none(process: Process, client: "redis.Redis", garbage: str) -> None:
    one = reader(process())
    one.put("other", b"kept")
    client.hset(VALUES, "k", garbage)
    assert one.get("k", lambda: b"value") == Found(b"value", Source.MISS)
    assert one.get("k", lambda: b"again") == Found(b"value", Source.HIT)
    assert one.get("other", lambda: b"again") == Found(b"kept", Source.HIT)


def test_a_cache_of_another_type_begins_anew(process: Process, client: "redis.Redis") -> None:
    one, before = reader(process()), dropped("cache_get")
    client.set(VALUES, "garbage")
    assert one.get("k", lambda: b"value") == Found(b"value", Source.MISS)
    assert one.get("k", lambda: b"again") == Found(b"value", Source.HIT)
    assert dropped("cache_get") == before + 1


def test_a_cache_whose_counters_cannot_be_read_begins_anew(process: Process, client: "redis.Redis") -> None:
    one = reader(process())
    client.hset(COUNTERS, mapping={"bytes": "garbage", "accesses": "garbage"})
    assert one.get("k", lambda: b"value") == Found(b"value", Source.MISS)
    assert one.get("k", lambda: b"again") == Found(b"value", Source.HIT)


@pytest.mark.parametrize("key", [VALUES, ORDER, DUE])
@pytest.mark.parametrize("garbage", ["", None])
def test_a_cache_that_lost_a_part_goes_on(
    process: Process, client: "redis.Redis", key: str, garbage: str | None
) -> None:
    """A script that never ends would stop every sale."""
    cache = LruCache(process(), "test", capacity=100, ttl_s=60, max_bytes=500)
    for number in range(20):
        cache.put(f"k{number}", b"v" * 50)
    kept = client.hkeys(VALUES)
    client.delete(key)
    if garbage is not None and key == VALUES:
        client.hset(VALUES, mapping=dict.fromkeys(kept, garbage))
    with gevent.Timeout(5):
        for number in range(20):
            assert cache.put(f"new{number}", b"v" * 50)
    assert cache.get("new19") == b"v" * 50
    assert sum(len(field) + len(value) for field, value in client.hgetall(VALUES).items()) <= 500
    assert len(client.hgetall(VALUES)) == client.zcard(ORDER) == client.zcard(DUE) == cache.stats().size


def test_a_flight_that_nobody_flies_holds_nobody_up(process: Process, client: "redis.Redis") -> None:
    client.set(keys.flight("test", "k"), b"\xff garbage")
    assert reader(process()).get("k", lambda: b"value") == Found(b"value", Source.MISS)


@pytest.mark.parametrize("garbage", ["garbage", "-garbage", "-[]", "-{}", "-1"])
def test_an_outcome_that_cannot_be_read_is_a_failure(process: Process, client: "redis.Redis", garbage: str) -> None:
    calls = process()
    lease = SingleFlight(calls, "test").begin("k")
    assert not isinstance(lease, str)
    client.set(keys.landed("test", lease.key, lease.token), garbage)
    with pytest.raises(LoadFailed):
        reader(process()).get("k", lambda: b"value")


@pytest.mark.parametrize("field", ["turn", "probe_at", "lease_until", "row", "opened_at", "openings", None])
def test_a_breaker_is_closed_and_guards_again(process: Process, client: "redis.Redis", field: str | None) -> None:
    breaker = Breaker(process(), "kind", POLICY)
    breaker.record(breaker.allow(), CallOutcome.FAILURE)
    if field:
        client.hset(keys.breaker("kind"), field, "garbage")
    else:
        client.delete(keys.breaker("kind"))
        client.set(keys.breaker("kind"), "garbage")
    another = Breaker(process(), "kind", POLICY)
    client.lpush(keys.breaker_failures("kind"), "garbage")
    report = another.report()
    assert report is not None
    assert report.state is BreakerState.CLOSED
    another.record(another.allow(), CallOutcome.FAILURE)
    report = another.report()
    assert report is not None
    assert report.state is BreakerState.OPEN


@pytest.mark.parametrize("text", ["3/10s", "bucket:3,1/10s"])
@pytest.mark.parametrize("command", ["set", "lpush"])
def test_a_limit_begins_anew(process: Process, client: "redis.Redis", text: str, command: str) -> None:
    policy = rate_policy.parse(text)
    assert policy
    limit = RateLimit(policy, "192.0.2.1")
    getattr(client, command)(keys.limit("users", limit.key), "garbage")
    verdict = RateLimits(process(), {"users": policy}).take("users", limit)
    assert verdict.left[0].requests == 2
