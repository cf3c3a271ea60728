"""One fetch for a crowd, over processes: each `reader` here has a connection of its own and shares nothing else."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import gevent
import pytest
import redis
from gevent.event import Event

from seating.domain.errors import LoadFailed, RecordUnavailable
from seating.redis_store import keys
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import ScriptConnection
from seating.redis_store.single_flight import Lease, SingleFlight
from seating.services.coalescing import Coalescing, Found, Source
from tests.caching.reader import LEASE_S, reader
from tests.moved_clock import MovedClock
from tests.processes import Process
from tests.servers import RedisServer, wait_until
from tests.system import PROJECT


class Record:
    """Where values come from. A fetch ends when it is `released`."""

    def __init__(self, value: bytes | None = b"value", error: Exception | None = None) -> None:
        self.fetches = 0
        self.value = value
        self.error = error
        self.released = Event()

    def fetch(self) -> bytes | None:
        self.fetches += 1
        self.released.wait()
        if self.error:
            raise self.error
        return self.value


def _crowd(readers: list[Coalescing], record: Record, count: int = 100, fetches: int = 1) -> list[Found | Exception]:
    """As many at once, over all readers, released when all of them wait, and so many fetches."""

    def ask(number: int) -> Found | Exception:
        try:
            return readers[number % len(readers)].get("k", record.fetch)
        except (RecordUnavailable, LoadFailed) as error:
            return error

    asking = [gevent.spawn(ask, number) for number in range(count)]
    wait_until(lambda: record.fetches >= fetches)
    wait_until(lambda: all(one._asking["k"] == count // len(readers) for one in readers))
    record.released.set()
    gevent.joinall(asking, raise_error=True)
    return [greenlet.get() for greenlet in asking]


def test_a_crowd_over_two_processes_is_one_fetch(process: Process) -> None:
    readers, record = [reader(process()) for _ in range(2)], Record()
    answers = _crowd(readers, record)
    assert record.fetches == 1
    assert Counter(answers) == {Found(b"value", Source.MISS): 1, Found(b"value", Source.COALESCED): 99}
    assert readers[1].get("k", record.fetch) == Found(b"value", Source.HIT)
    stats = readers[0].cache.stats()
    assert (stats.hits, stats.misses, stats.coalesced) == (1, 1, 99)


def test_a_crowd_for_what_is_cached_is_one_look(process: Process) -> None:
    calls = process()
    one, record = reader(calls), Record()
    one.put("k", b"value")
    before = calls.calls
    asking = [gevent.spawn(one.get, "k", record.fetch) for _ in range(100)]
    gevent.joinall(asking, raise_error=True)
    assert {greenlet.get() for greenlet in asking} == {Found(b"value", Source.HIT)}
    # The look, and one call that counts those who joined it.
    assert (calls.calls - before, record.fetches) == (2, 0)
    assert one.cache.stats().hits == 100


class _NoLease(SingleFlight):
    """Every process may fetch."""

    def begin(self, key: str) -> Lease:
        return Lease(key, "mine", time.monotonic() + 60)


def test_without_the_lease_every_process_fetches(process: Process) -> None:
    """The twin of the test above."""
    readers, record = [reader(process(), flights=_NoLease) for _ in range(2)], Record()
    _crowd(readers, record, fetches=2)
    assert record.fetches == 2


def test_a_crowd_that_asks_for_nothing_is_one_fetch(process: Process, clock: MovedClock) -> None:
    readers, record = [reader(process(clock.scripts)) for _ in range(2)], Record(value=None)
    answers = _crowd(readers, record)
    assert Counter(answers) == {Found(None, Source.MISS): 1, Found(None, Source.COALESCED): 99}
    clock.move(999)
    assert readers[0].get("k", record.fetch) == Found(None, Source.HIT)
    clock.move(1)
    assert readers[1].get("k", record.fetch) == Found(None, Source.MISS)
    assert record.fetches == 2


def test_an_error_goes_to_all_who_wait_in_the_process_and_is_not_kept(process: Process) -> None:
    """Others fetch for themselves."""
    readers, record = [reader(process()) for _ in range(2)], Record(error=RecordUnavailable("locked", table="users"))
    answers = _crowd(readers, record)
    assert record.fetches == 2
    assert {type(answer) for answer in answers} == {RecordUnavailable}
    assert {(str(error), str(error.facts)) for error in answers if isinstance(error, RecordUnavailable)} == {
        ("locked", "{'table': 'users'}")
    }
    record.error = None
    assert readers[1].get("k", record.fetch) == Found(b"value", Source.MISS)


def test_an_unexpected_error_is_no_answer_to_other_processes(process: Process) -> None:
    readers, record = [reader(process()) for _ in range(2)], Record(error=ZeroDivisionError())
    first = gevent.spawn(readers[0].get, "k", record.fetch)
    wait_until(lambda: record.fetches)
    second = gevent.spawn(readers[1].get, "k", lambda: b"its own")
    wait_until(lambda: readers[1]._asking["k"])
    record.released.set()
    assert second.get(timeout=10) == Found(b"its own", Source.MISS)
    with pytest.raises(ZeroDivisionError):
        first.get(timeout=10)


def _late(first: Coalescing, second: Coalescing, record: Record, *, looks_again: bool) -> Found:
    """Between the second one's look and its lease, the first one fetches, puts and lands."""
    record.released.set()
    look = second.cache.get

    def late_look(key: str, *, counted: bool = True) -> bytes | None:
        if not counted and not looks_again:
            return None
        found = look(key, counted=counted)
        if counted:
            first.get(key, record.fetch)
        return found

    second.cache.get = late_look  # type: ignore[method-assign]
    return second.get("k", record.fetch)


def test_who_looked_before_it_landed_and_asks_after_fetches_nothing(process: Process) -> None:
    record = Record()
    found = _late(reader(process()), reader(process()), record, looks_again=True)
    assert (found, record.fetches) == (Found(b"value", Source.COALESCED), 1)


def test_without_a_second_look_it_fetches_again(process: Process) -> None:
    """The twin of the test above."""
    record = Record()
    _late(reader(process()), reader(process()), record, looks_again=False)
    assert record.fetches == 2


def test_what_was_written_meanwhile_stays(process: Process) -> None:
    """A reader that found nothing must not cover what a writer has put since."""
    one, other = (reader(process()) for _ in range(2))
    record = Record(value=None)
    reading = gevent.spawn(one.get, "k", record.fetch)
    wait_until(lambda: record.fetches)
    other.put("k", b"written")
    record.released.set()
    reading.get(timeout=10)
    assert other.get("k", record.fetch) == Found(b"written", Source.HIT)


def test_a_fetch_that_takes_many_leases_is_not_doubled(process: Process, client: "redis.Redis") -> None:
    readers, record = [reader(process()) for _ in range(2)], Record()
    client.config_resetstat()
    asking = [gevent.spawn(one.get, "k", record.fetch) for one in readers]
    # A lease is renewed three times before it would lapse.
    wait_until(lambda: client.info("commandstats").get("cmdstat_pexpire", {"calls": 0})["calls"] >= 7)
    record.released.set()
    gevent.joinall(asking, raise_error=True)
    assert record.fetches == 1
    assert not client.exists(keys.flight("test", "k"))


@pytest.fixture
def holder(redis_url: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has begun to fetch `k`, and ends when it reads a line."""
    command = [sys.executable, "-m", "tests.caching.holder", redis_url, "k"]
    held = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    assert held.stdout
    assert held.stdout.readline() == b"fetching\n"
    yield held
    held.kill()
    held.wait()


def _waiting(readers: list[Coalescing], record: Record) -> list["gevent.Greenlet[..., Found]"]:
    record.released.set()
    asking = [gevent.spawn(readers[number % 2].get, "k", record.fetch) for number in range(20)]
    wait_until(lambda: all(one._asking["k"] for one in readers))
    return asking


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_holder_that_dies_or_stops_holds_nobody_up(
    process: Process, holder: "subprocess.Popen[bytes]", number: signal.Signals
) -> None:
    readers, record = [reader(process()) for _ in range(2)], Record()
    asking = _waiting(readers, record)
    assert record.fetches == 0
    os.kill(holder.pid, number)
    stopped_at = time.monotonic()
    gevent.joinall(asking, raise_error=True, timeout=10)
    # The lease, the longest pause between two looks, and a busy machine.
    assert time.monotonic() - stopped_at < LEASE_S + 0.05 + 0.5
    assert record.fetches == 1
    assert {greenlet.get().value for greenlet in asking} == {b"value"}


def test_a_holder_that_goes_on_after_its_lease_covers_nothing(
    process: Process, holder: "subprocess.Popen[bytes]"
) -> None:
    """It was stopped, another has fetched since, that is out of the cache again: what it has is too old to be kept."""
    readers, record = [reader(process()) for _ in range(2)], Record()
    asking = _waiting(readers, record)
    os.kill(holder.pid, signal.SIGSTOP)
    gevent.joinall(asking, raise_error=True, timeout=10)
    readers[0].cache.clear()
    assert holder.stdin
    assert holder.stdout
    holder.stdin.write(b"\n")
    os.kill(holder.pid, signal.SIGCONT)
    assert holder.stdout.readline() == b"fetched\n"
    assert holder.stdout.readline() == b"answered b'from the holder'\n"
    assert readers[0].cache.stats().size == 0


def test_without_redis_a_crowd_is_one_fetch_a_process(own_redis: RedisServer) -> None:
    one = reader(AutoPipeline(ScriptConnection(own_redis.url, Scripts())))
    own_redis.kill()
    record = Record()
    answers = _crowd([one], record)
    assert record.fetches == 1
    assert {answer.value for answer in answers if isinstance(answer, Found)} == {b"value"}
