"""The breaker on a real Redis with a moved clock: its waits, its one probe, and what it ignores."""

import gevent
import pytest
import structlog
from gevent.event import Event

from seating.domain.breaker import Admission, BreakerState, CallOutcome, Refused
from seating.redis_store.breaker import Breaker
from tests.breaker.conftest import POLICY, Bench, script_without
from tests.servers import RedisServer

FAILURE, SUCCESS, ABANDONED = CallOutcome.FAILURE, CallOutcome.SUCCESS, CallOutcome.ABANDONED


def open_it(breaker: Breaker) -> None:
    for _ in range(POLICY.failure_threshold):
        breaker.record(breaker.allow(), FAILURE)


def refusal(breaker: Breaker) -> tuple[BreakerState, int]:
    with pytest.raises(Refused) as refused:
        breaker.allow()
    return refused.value.state, refused.value.retry_after_ms


def probe(breaker: Breaker) -> Admission:
    admission = breaker.allow()
    assert admission.is_probe
    return admission


def state_of(breaker: Breaker) -> BreakerState:
    report = breaker.report()
    assert report
    return report.state


@pytest.mark.parametrize(("jitter", "factor"), [(0.0, 1.0), (0.5, 1.05), (0.999999, 1.1)])
def test_waits_double_up_to_the_longest_and_begin_anew_after_success(
    bench: Bench, jitter: float, factor: float
) -> None:
    breaker = bench.breaker(jitter=lambda: jitter)
    open_it(breaker)
    for wait_s in (10, 20, 40, 60, 60):
        state, retry_after_ms = refusal(breaker)
        assert state is BreakerState.OPEN
        assert retry_after_ms == pytest.approx(min(wait_s * factor, 60) * 1000, abs=2)
        bench.advance(retry_after_ms - 1)
        assert refusal(breaker) == (BreakerState.OPEN, 1)
        bench.advance(1)
        breaker.record(probe(breaker), FAILURE)
    bench.advance(60_000)
    breaker.record(probe(breaker), SUCCESS)
    assert state_of(breaker) is BreakerState.CLOSED
    open_it(breaker)
    assert refusal(breaker)[1] == pytest.approx(10_000 * factor, abs=2)


def test_the_longest_wait_is_never_exceeded(bench: Bench) -> None:
    """Not by jitter, nor after so many failures that doubling would leave all numbers behind."""
    breaker = bench.breaker(jitter=lambda: 0.999)
    open_it(breaker)
    for _ in range(60):
        bench.advance(60_000)
        breaker.record(probe(breaker), FAILURE)
        assert refusal(breaker)[1] <= 60_000


def test_the_longest_wait_is_never_exceeded_on_a_server_whose_clock_is_behind(bench: Bench) -> None:
    """A replica that was promoted: its clock need not be the old primary's."""
    open_it(bench.breaker())
    for _ in range(3):
        bench.advance(-600_000)
        report = bench.breaker().report()
        assert report
        assert report.state is BreakerState.HALF_OPEN
        assert (report.next_probe_at_ms or 0) <= bench.now_ms
        probe(bench.breaker())
        state, retry_after_ms = refusal(bench.breaker())
        assert state is BreakerState.HALF_OPEN
        assert retry_after_ms <= POLICY.probe_lease_ms


def test_failures_count_within_their_window_and_successes_do_not_undo_them(bench: Bench) -> None:
    breaker = bench.breaker()
    for _ in range(5):
        breaker.record(breaker.allow(), FAILURE)
        bench.advance(15_001)
        breaker.record(breaker.allow(), SUCCESS)
        assert state_of(breaker) is BreakerState.CLOSED
    breaker.record(breaker.allow(), FAILURE)
    breaker.record(breaker.allow(), SUCCESS)
    breaker.record(breaker.allow(), FAILURE)
    assert state_of(breaker) is BreakerState.OPEN


def test_a_probe_that_dies_does_not_close_the_door_for_good(bench: Bench) -> None:
    breaker, other = bench.breaker(), bench.breaker()
    open_it(breaker)
    bench.advance(10_000)
    dead = probe(breaker)
    assert refusal(other) == (BreakerState.HALF_OPEN, POLICY.probe_lease_ms)
    bench.advance(POLICY.probe_lease_ms)
    second = probe(other)
    breaker.record(dead, SUCCESS)
    assert state_of(other) is BreakerState.HALF_OPEN
    other.record(second, SUCCESS)
    assert state_of(breaker) is BreakerState.CLOSED


def test_without_a_lease_it_would_be_closed_for_good(bench: Bench) -> None:
    """The twin of the test above."""
    eternal = script_without("breaker_allow", "now < tonumber(lease_until)", "true")
    breaker = bench.breaker(breaker_allow=eternal)
    open_it(breaker)
    bench.advance(10_000)
    probe(breaker)
    bench.advance(24 * 3_600_000)
    assert refusal(breaker)[0] is BreakerState.HALF_OPEN


def test_a_probe_given_up_leaves_its_place_to_the_next(bench: Bench) -> None:
    breaker = bench.breaker()
    open_it(breaker)
    bench.advance(10_000)
    breaker.record(probe(breaker), ABANDONED)
    breaker.record(probe(breaker), SUCCESS)
    assert state_of(breaker) is BreakerState.CLOSED


def test_outcomes_from_before_change_nothing(bench: Bench) -> None:
    breaker = bench.breaker()
    old = breaker.allow()
    open_it(breaker)
    bench.advance(10_000)
    current = probe(breaker)
    breaker.record(old, FAILURE)
    assert refusal(breaker)[0] is BreakerState.HALF_OPEN
    breaker.record(current, SUCCESS)
    for _ in range(POLICY.failure_threshold):
        breaker.record(old, FAILURE)
    assert state_of(breaker) is BreakerState.CLOSED


def test_without_turns_a_call_from_before_would_open_it_again(bench: Bench) -> None:
    """The twin of the test above."""
    forgetful = script_without("breaker_record", "if ARGV[2] ~= (turn or '0') then", "if false then")
    breaker = bench.breaker(breaker_record=forgetful)
    old = breaker.allow()
    open_it(breaker)
    bench.advance(10_000)
    probe(breaker)
    breaker.record(old, FAILURE)
    assert refusal(breaker) == (BreakerState.OPEN, 20_000)


def _probes_among(bench: Bench, callers: int, **replaced: str) -> int:
    """How many of `callers`, who all ask over two connections when the wait is over, are let out."""
    holders = [bench.breaker(**replaced) for _ in range(2)]
    open_it(holders[0])
    bench.advance(10_000)
    start = Event()

    def ask(number: int) -> bool:
        start.wait()
        try:
            return holders[number % 2].allow().is_probe
        except Refused:
            return False

    asking = [gevent.spawn(ask, number) for number in range(callers)]
    start.set()
    gevent.joinall(asking, timeout=30, raise_error=True)
    return sum(one.get() for one in asking)


def test_one_of_two_hundred_is_the_probe(bench: Bench) -> None:
    assert _probes_among(bench, 200) == 1


def test_without_the_lease_all_would_be_probes(bench: Bench) -> None:
    """The twin of the test above: the same script, which does not write down that a probe is out."""
    reckless = script_without("breaker_allow", "redis.call('HSET', KEYS[1], 'lease_until', now + ARGV[2])")
    assert _probes_among(bench, 200, breaker_allow=reckless) == 200


def test_breakers_do_not_know_each_other(bench: Bench) -> None:
    first, second = bench.breaker("first"), bench.breaker("second")
    open_it(first)
    assert second.allow() == Admission(0, is_probe=False)


def test_reports_what_is_so(bench: Bench) -> None:
    breaker = bench.breaker()
    breaker.record(breaker.allow(), FAILURE)
    assert breaker.report() == (BreakerState.CLOSED, None, None, 1, 0)
    for _ in range(2):
        breaker.record(breaker.allow(), FAILURE)
    opened_at = bench.now_ms
    assert breaker.report() == (BreakerState.OPEN, opened_at, opened_at + 10_000, 0, 1)
    bench.advance(10_000)
    assert breaker.report() == (BreakerState.HALF_OPEN, opened_at, opened_at + 10_000, 0, 1)
    breaker.record(probe(breaker), FAILURE)
    assert breaker.report() == (BreakerState.OPEN, opened_at, opened_at + 30_000, 0, 2)


def test_says_each_change_once(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    breaker = bench.breaker()
    open_it(breaker)
    bench.advance(10_000)
    breaker.record(probe(breaker), SUCCESS)
    said = capsys.readouterr().out
    for event in ("breaker opened", "breaker half-open", "breaker closed"):
        assert said.count(event) == 1


def test_goes_on_unguarded_without_redis_and_says_so_once(own_redis: RedisServer) -> None:
    bench = Bench(own_redis)
    breaker = bench.breaker()
    with structlog.testing.capture_logs() as said:
        open_it(breaker)
        own_redis.kill()
        for _ in range(3):
            assert breaker.allow() == Admission(None, is_probe=False)
        breaker.record(Admission(None, is_probe=False), FAILURE)
        assert breaker.report() is None
        own_redis.start()
        bench.advance(0)
        assert refusal(breaker)[0] is BreakerState.OPEN
    assert [line["event"] for line in said if "state" in line["event"]] == [
        "breaker state unavailable",
        "breaker state available",
    ]
    bench.close()


def test_a_redis_that_hangs_is_not_waited_for(own_redis: RedisServer) -> None:
    bench = Bench(own_redis)
    breaker = bench.breaker()
    breaker.allow()
    own_redis.pause()
    try:
        with gevent.Timeout(10):
            assert breaker.allow() == Admission(None, is_probe=False)
    finally:
        own_redis.resume()
        bench.close()
