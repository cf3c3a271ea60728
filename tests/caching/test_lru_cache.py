"""The shared cache on a real Redis: what it keeps, what goes first, and what a look costs."""

from collections.abc import Callable
from typing import Any

import gevent
import pytest
import redis
from gevent.event import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seating.domain.errors import SharedStateUnavailable
from seating.redis_store import keys
from seating.redis_store.lru_cache import LruCache
from tests.caching.lru_model import LruModel
from tests.fuzz_runs import fuzz_runs, takes_long
from tests.moved_clock import MovedClock
from tests.processes import Process

_KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f", "ключ"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("get"), _KEYS),
        st.tuples(st.just("put"), _KEYS, st.binary(max_size=60), st.sampled_from([1, 50, 1000]), st.booleans()),
        st.tuples(st.just("move"), st.sampled_from([1, 49, 50, 999, 1000])),
        st.tuples(st.just("sweep")),
    ),
    max_size=40,
)


@takes_long
@settings(max_examples=fuzz_runs(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS, capacity=st.integers(1, 5), max_bytes=st.sampled_from([60, 150, 10_000]))
def test_is_a_plain_lru(
    process: Process, client: "redis.Redis", steps: list[Any], capacity: int, max_bytes: int
) -> None:
    client.flushdb()
    clock = MovedClock(client)
    cache = LruCache(process(clock.scripts), "model", capacity=capacity, ttl_s=1, max_bytes=max_bytes)
    model = LruModel(capacity, max_bytes)
    for verb, *words in steps:
        now_ms = clock.now_ms
        match verb:
            case "get":
                assert cache.get(*words) == model.get(*words, now_ms)
            case "put":
                key, value, ttl_ms, if_absent = words
                kept = cache.put(key, value, ttl_s=ttl_ms / 1000, if_absent=if_absent)
                assert kept == model.put(key, value, ttl_ms, now_ms, if_absent=if_absent)
            case "move":
                clock.move(*words)
            case "sweep":
                assert cache.sweep() == model.sweep(now_ms)
        values, order, due, _ = keys.cache("model")
        assert [key.decode() for key in client.zrange(order, 0, -1)] == list(model.entries)
        assert {key.decode() for key in client.hkeys(values)} == {*model.entries}
        assert {key.decode(): score for key, score in client.zrange(due, 0, -1, withscores=True)} == {
            key: due_ms for key, (_, due_ms) in model.entries.items()
        }
    found = cache.stats()
    assert (found.hits, found.evictions, found.expirations) == (model.hits, model.evictions, model.expirations)
    assert (found.size, found.bytes) == (len(model.entries), model.bytes)
    assert found.size <= capacity
    assert found.bytes <= max_bytes


def test_what_is_due_is_gone_at_that_instant(process: Process, clock: MovedClock) -> None:
    cache = LruCache(process(clock.scripts), "test", capacity=9, ttl_s=60, max_bytes=1000)
    cache.put("k", b"v")
    clock.move(59_999)
    assert cache.get("k") == b"v"
    clock.move(1)
    assert cache.get("k") is None
    assert cache.sweep() == 1
    assert cache.stats().expirations == 1


def _put_by_many(caches: list[LruCache], put: Callable[[LruCache, str], object]) -> list[int]:
    """Two hundred puts of different keys at once; the sizes seen after each."""
    start, sizes = Event(), []

    def one(number: int) -> None:
        cache = caches[number % len(caches)]
        start.wait()
        put(cache, str(number))
        sizes.append(cache.stats().size)

    putting = [gevent.spawn(one, number) for number in range(200)]
    gevent.sleep(0)
    start.set()
    gevent.joinall(putting, raise_error=True)
    return sizes


def _caches(process: Process) -> list[LruCache]:
    return [LruCache(process(), "test", capacity=10, ttl_s=60, max_bytes=100_000) for _ in range(2)]


def test_never_more_than_its_capacity(process: Process) -> None:
    sizes = _put_by_many(_caches(process), lambda cache, key: cache.put(key, b"v"))
    assert max(sizes) == 10


def test_making_room_before_putting_is_a_race(process: Process) -> None:
    """The twin: the same, but room is made by one call and used by another."""
    roomy = [LruCache(process(), "test", capacity=1000, ttl_s=60, max_bytes=100_000) for _ in range(2)]

    def put(cache: LruCache, key: str) -> None:
        if cache.stats().size < 10:
            cache.put(key, b"v")

    assert max(_put_by_many(roomy, put)) > 10


def test_a_hit_is_one_call(process: Process, client: "redis.Redis") -> None:
    calls = process()
    cache = LruCache(calls, "test", capacity=10, ttl_s=60, max_bytes=1000)
    cache.put("k", b"v")
    cache.answered(0.002)
    client.config_resetstat()
    before = calls.calls
    for _ in range(50):
        assert cache.get("k") == b"v"
        cache.answered(0.004)
    assert calls.calls - before == 50
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 50
    stats = cache.stats()
    assert stats.hits == 50
    assert stats.mean_ms == pytest.approx((2 + 50 * 4) / 51)


def test_calls_of_a_moment_share_a_batch(process: Process) -> None:
    calls = process()
    cache = LruCache(calls, "test", capacity=100, ttl_s=60, max_bytes=10_000)
    cache.put("k", b"v")
    before = calls.calls, calls.batches
    gevent.joinall([gevent.spawn(cache.get, str(number)) for number in range(100)], raise_error=True)
    assert (calls.calls - before[0], calls.batches - before[1]) == (100, 1)


def test_clearing_forgets_entries_and_counters_if_asked(process: Process) -> None:
    cache = LruCache(process(), "test", capacity=1, ttl_s=60, max_bytes=1000)
    cache.put("a", b"1")
    cache.put("b", b"2")
    cache.get("b")
    assert cache.clear() == 1
    assert cache.get("b") is None
    kept = cache.stats()
    assert (kept.hits, kept.evictions, kept.size, kept.bytes) == (1, 1, 0, 0)
    cache.put("c", b"3")
    assert cache.clear(reset_counters=True) == 1
    assert cache.stats()[:7] == (0,) * 7


def test_without_memory_it_is_read_and_not_written(process: Process, client: "redis.Redis") -> None:
    cache = LruCache(process(), "test", capacity=10, ttl_s=60, max_bytes=1000)
    cache.put("a", b"1")
    limit = client.config_get("maxmemory")["maxmemory"]
    client.config_set("maxmemory", 1)
    try:
        with pytest.raises(SharedStateUnavailable):
            cache.put("b", b"2")
        assert cache.get("a") == b"1"
        assert cache.sweep() == 0
    finally:
        client.config_set("maxmemory", limit)
    assert cache.stats().size == 1


def test_two_caches_know_nothing_of_each_other(process: Process) -> None:
    calls = process()
    one, other = (LruCache(calls, name, capacity=1, ttl_s=60, max_bytes=1000) for name in ("one", "other"))
    one.put("k", b"1")
    other.put("k", b"2")
    assert (one.get("k"), other.get("k")) == (b"1", b"2")
    other.clear()
    assert one.get("k") == b"1"
