"""Both limiters on a real Redis, against the obvious ones, and at their boundaries."""

from collections.abc import Callable

import gevent
import pytest
import redis
from gevent.event import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seating.domain import rate_policy
from seating.domain.errors import RateLimited
from seating.domain.rate_policy import Verdict
from seating.redis_store import keys
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.rate_limits import RateLimits
from tests.fuzz_runs import fuzz_runs, takes_long
from tests.limits.reference import Bucket, Windows
from tests.moved_clock import MovedClock
from tests.processes import Process

_POLICIES = {
    "5/10s,10/60s": lambda: Windows([(5, 10_000), (10, 60_000)]),
    "3/2s": lambda: Windows([(3, 2_000)]),
    "1/1s,2/3s,3/10s": lambda: Windows([(1, 1_000), (2, 3_000), (3, 10_000)]),
    "4/1m,2/1s": lambda: Windows([(4, 60_000), (2, 1_000)]),
    "bucket:5,10/60s": lambda: Bucket(5, 10, 60_000),
    "bucket:3,7/2s": lambda: Bucket(3, 7, 2_000),
    "bucket:1,1/1s": lambda: Bucket(1, 1, 1_000),
    "bucket:2,3/1m": lambda: Bucket(2, 3, 60_000),
}
# To the boundaries and one to either side of them.
_PAUSES = st.sampled_from(
    [0, 0, 0, 1, 285, 286, 999, 1000, 1001, 2000, 5999, 6000, 6001, 9_999, 10_000, 20_000, 60_000]
)


class Limited:
    """One caller, and what each request is told."""

    def __init__(self, limits: RateLimits, caller: str = "192.0.2.1") -> None:
        self._limits = limits
        self._caller = caller

    def take(self) -> Verdict:
        limit = self._limits.of("test", self._caller)
        assert limit
        try:
            return self._limits.take("test", limit)
        except RateLimited as refused:
            verdict = refused.verdict
        assert verdict
        return verdict


def _limits(process: Process, text: str, clock: MovedClock | None = None) -> RateLimits:
    return RateLimits(process(clock.scripts if clock else None), {"test": rate_policy.parse(text)})


@takes_long
@settings(max_examples=fuzz_runs(75), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.sampled_from(sorted(_POLICIES)), pauses=st.lists(_PAUSES, min_size=5, max_size=40))
def test_decides_as_the_obvious_one(process: Process, client: "redis.Redis", text: str, pauses: list[int]) -> None:
    client.flushdb()
    clock = MovedClock(client)
    limited, reference = Limited(_limits(process, text, clock)), _POLICIES[text]()
    for pause in pauses:
        clock.move(pause)
        now = clock.now_ms
        verdict = limited.take()
        assert verdict.passes == reference.take(now)
        assert [left.requests for left in verdict.left] == reference.left(now)
        if verdict.passes:
            assert verdict.wait_ms == 0
        else:
            assert not reference.would_pass(now + verdict.wait_ms - 1)
            assert reference.would_pass(now + verdict.wait_ms)
        policy = rate_policy.parse(text)
        assert policy
        for index, left in enumerate(verdict.left):
            if left.requests == policy.quotas[index].limit:
                continue  # Another window refuses; this one is empty and has no more to give.
            assert reference.left(now + left.reset_ms - 1)[index] == left.requests
            assert reference.left(now + left.reset_ms)[index] > left.requests


@pytest.mark.parametrize("text", ["5/10s", "bucket:5,1/10s"])
def test_the_fifth_passes_and_the_sixth_does_not_until_that_instant(
    process: Process, clock: MovedClock, text: str
) -> None:
    limited = Limited(_limits(process, text, clock))
    assert [limited.take().passes for _ in range(6)] == [True] * 5 + [False]
    assert limited.take().wait_ms == 10_000
    clock.move(9_999)
    assert limited.take() == Verdict(False, 1, ((0, 1),))
    clock.move(1)
    assert limited.take().passes


def test_twelve_rapid_ones_after_five(process: Process, clock: MovedClock) -> None:
    """Five in the same minute, but not in the same ten seconds."""
    limited = Limited(_limits(process, "5/10s,10/60s", clock))
    assert all(limited.take().passes for _ in range(5))
    clock.move(20_000)
    verdicts = [limited.take() for _ in range(12)]
    assert [verdict.passes for verdict in verdicts] == [True] * 5 + [False] * 7
    # Both windows are full: the minute for longer, for five passed twenty seconds ago.
    assert {verdict.wait_ms for verdict in verdicts[5:]} == {40_000}
    clock.move(39_999)
    assert not limited.take().passes
    clock.move(1)
    assert limited.take().passes


def test_what_one_window_refuses_counts_in_none(process: Process, clock: MovedClock) -> None:
    limited = Limited(_limits(process, "5/10s,10/60s", clock))
    for _ in range(50):
        limited.take()
    clock.move(10_000)
    assert [limited.take().left[1].requests for _ in range(5)] == [4, 3, 2, 1, 0]


def test_callers_and_groups_are_apart(process: Process) -> None:
    policy = rate_policy.parse("1/10s")
    limits = RateLimits(process(), {"test": policy, "other": policy, "free": None})
    assert Limited(limits).take().passes
    assert not Limited(limits).take().passes
    assert Limited(limits, "192.0.2.2").take().passes
    other = limits.of("other", "192.0.2.1")
    assert other
    limits.take("other", other)
    assert limits.of("free", "192.0.2.1") is None


@pytest.mark.parametrize("text", ["bucket:2,1/1s", "bucket:100,1/60s", "bucket:2,1/60s"])
def test_another_bucket_begins_full(process: Process, clock: MovedClock, text: str) -> None:
    """What is missing from the one before is counted in its own period."""
    before, policy = Limited(_limits(process, "bucket:100,1/1s", clock)), rate_policy.parse(text)
    assert all(before.take().passes for _ in range(100))
    assert policy
    limited, capacity = Limited(_limits(process, text, clock)), policy.quotas[0].limit
    verdicts = [limited.take() for _ in range(capacity + 1)]
    assert [verdict.passes for verdict in verdicts] == [True] * capacity + [False]
    assert verdicts[-1].left[0].requests == 0
    assert before.take().left[0].requests == 0


def test_nothing_is_kept_of_who_does_not_come_back(process: Process, client: "redis.Redis") -> None:
    limits = RateLimits(process(), {"test": rate_policy.parse("5/10s,10/60s")})
    bucket = RateLimits(process(), {"test": rate_policy.parse("bucket:5,10/60s")})
    Limited(limits).take()
    Limited(bucket, "bucket").take()
    assert 59_000 < client.pttl(keys.limit("test", "window:192.0.2.1")) <= 60_000
    assert 5_000 < client.pttl(keys.limit("test", "bucket:5:10:60000:bucket")) <= 6_000


@pytest.mark.parametrize("text", ["5/10s,10/60s", "bucket:5,10/60s"])
def test_one_call_a_request(process: Process, client: "redis.Redis", text: str) -> None:
    limits = _limits(process, text)
    Limited(limits).take()
    client.config_resetstat()
    for _ in range(20):
        Limited(limits).take()
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 20


def _passed_at_once(takes: list[Callable[[], bool]]) -> int:
    start = Event()

    def one(take: Callable[[], bool]) -> bool:
        start.wait()
        return take()

    taking = [gevent.spawn(one, take) for take in takes]
    gevent.sleep(0)
    start.set()
    gevent.joinall(taking, raise_error=True)
    return sum(greenlet.get() for greenlet in taking)


@pytest.mark.parametrize("text", ["5/10s,10/60s", "bucket:5,10/60s"])
def test_processes_agree(process: Process, text: str) -> None:
    callers = [Limited(_limits(process, text)) for _ in range(2)]
    assert _passed_at_once([lambda number=number: callers[number % 2].take().passes for number in range(100)]) == 5


def test_counting_before_logging_is_a_race(process: Process) -> None:
    """The twin: the same limit, looked at by one call and counted by another."""
    processes = [process() for _ in range(2)]

    def take(calls: AutoPipeline) -> bool:
        passes = bool(calls.command("LLEN", "log") < 5)
        if passes:
            calls.command("LPUSH", "log", 1)
        return passes

    assert _passed_at_once([lambda number=number: take(processes[number % 2]) for number in range(100)]) > 5
