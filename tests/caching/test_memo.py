"""One load for a crowd, and what is kept of it."""

import time
from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from seating.memo import FreshLook, Memo

CROWD = 200


class Source:
    """Where values come from. A load goes on until it is `released`."""

    def __init__(self) -> None:
        self.loads = 0
        self.error: Exception | None = None
        self.released = Event()

    def load(self) -> int:
        self.loads += 1
        number = self.loads
        self.released.wait()
        if self.error:
            raise self.error
        return number


def crowd(ask: Callable[[], int], source: Source) -> list["gevent.Greenlet[[], int]"]:
    """All ask while the first load is under way."""
    asking = [gevent.spawn(ask) for _ in range(CROWD)]
    gevent.sleep(0)
    source.released.set()
    gevent.joinall(asking, timeout=10)
    return asking


@pytest.mark.parametrize("max_weight", [0, 1])
def test_a_crowd_costs_one_load(max_weight: int) -> None:
    memo, source = Memo[str, int](max_weight=max_weight), Source()
    asking = crowd(lambda: memo.get("k", source.load), source)
    assert {one.get() for one in asking} == {1}
    assert source.loads == 1


def test_without_it_each_of_them_loads() -> None:
    """The twin of the test above."""
    source = Source()
    crowd(source.load, source)
    assert source.loads == CROWD


def test_keys_do_not_wait_for_each_other() -> None:
    memo, source = Memo[str, int](max_weight=10), Source()
    waiting = gevent.spawn(memo.get, "slow", source.load)
    gevent.sleep(0)
    assert memo.get("quick", lambda: 7) == 7
    source.released.set()
    assert waiting.get(timeout=10) == 1


def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    memo, source = Memo[str, int](max_weight=10), Source()
    source.error = LookupError("away")
    asking = crowd(lambda: memo.get("k", source.load), source)
    assert {one.exception for one in asking} == {source.error}
    source.error = None
    assert memo.get("k", source.load) == 2


@pytest.mark.parametrize("end", [gevent.GreenletExit(), gevent.Timeout()])
def test_when_the_loader_is_ended_another_loads(end: BaseException) -> None:
    memo, source = Memo[str, int](max_weight=10), Source()
    first = gevent.spawn(memo.get, "k", source.load)
    others = [gevent.spawn(memo.get, "k", source.load) for _ in range(CROWD)]
    gevent.sleep(0)
    first.kill(end)
    source.released.set()
    gevent.joinall(others, timeout=10)
    assert {one.get() for one in others} == {2}
    assert source.loads == 2


def test_what_was_used_least_recently_goes_first() -> None:
    memo, loaded = Memo[str, str](max_weight=10, weigh=len), list[str]()

    def ask(key: str) -> str:
        return memo.get(key, lambda: loaded.append(key) or key)

    for key in ("aaaa", "bbbb", "aaaa", "cccc", "aaaa", "bbbb"):
        assert ask(key) == key
    assert loaded == ["aaaa", "bbbb", "cccc", "bbbb"]


def test_what_outweighs_the_bound_is_not_kept_and_displaces_nothing() -> None:
    memo = Memo[str, str](max_weight=3, weigh=len)
    memo.get("small", lambda: "abc")
    assert memo.get("large", lambda: "abcd") == "abcd"
    assert memo.get("large", lambda: "again") == "again"
    assert memo.get("small", lambda: "lost") == "abc"


def test_a_value_is_kept_for_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    memo, source = Memo[str, int](max_weight=1, max_age_s=1.0), Source()
    source.released.set()
    assert memo.get("k", source.load) == 1
    now += 0.999
    assert memo.get("k", source.load) == 1
    now += 0.001
    assert memo.get("k", source.load) == 2
    assert len(memo) == 1


def test_another_version_takes_the_place_of_the_last_one() -> None:
    memo, loaded = Memo[str, str](max_weight=10, weigh=len), list[str]()

    def ask(key: str, version: str) -> str:
        return memo.get(key, lambda: loaded.append(version) or version, version)

    for version in ("first", "first", "other", "other", "first"):
        assert ask("k", version) == version
    assert loaded == ["first", "other", "first"]
    assert (ask("b", "small"), ask("k", "first")) == ("small", "first")
    assert loaded[3:] == ["small"], "older versions weigh nothing"


def test_nobody_waits_for_the_load_of_another_version() -> None:
    memo, source = Memo[str, int](max_weight=10), Source()
    waiting = gevent.spawn(memo.get, "k", source.load, "old")
    gevent.sleep(0)
    assert memo.get("k", lambda: 7, "new") == 7
    source.released.set()
    assert waiting.get(timeout=10) == 1


class Clock:
    """What is looked at: it goes on all the time, and a look takes a while."""

    def __init__(self) -> None:
        self.now = 0
        self.looks = 0

    def look(self) -> int:
        self.looks += 1
        seen = self.now
        gevent.sleep(0.001)
        return seen


def _ask_all_the_time(ask: Callable[[], int], clock: Clock) -> list[bool]:
    """Whether each of those who asked one after another got what was there when they asked, or came later."""
    fresh: list[bool] = []

    def asker() -> None:
        for _ in range(20):
            asked = clock.now = clock.now + 1
            fresh.append(ask() >= asked)

    gevent.joinall([gevent.spawn(asker) for _ in range(CROWD)], raise_error=True)
    return fresh


def test_a_shared_look_is_never_older_than_the_question() -> None:
    clock, shared = Clock(), FreshLook[str, int]()
    assert all(_ask_all_the_time(lambda: shared.get("k", clock.look), clock))
    assert clock.looks < 20 * CROWD / 10


def test_sharing_a_look_under_way_would_be() -> None:
    """The twin of the test above."""
    clock, memo = Clock(), Memo[str, int](max_weight=0)
    assert not all(_ask_all_the_time(lambda: memo.get("k", clock.look), clock))


def test_an_error_of_a_shared_look_reaches_all_who_share_it() -> None:
    shared, source = FreshLook[str, int](), Source()
    source.error = LookupError("away")
    asking = crowd(lambda: shared.get("k", source.load), source)
    assert {one.exception for one in asking} == {source.error}
    assert source.loads == 2
    source.error = None
    assert shared.get("k", source.load) == 3


@pytest.mark.parametrize("killed", [0, 1], ids=["the one who looks", "the one who looks next"])
def test_when_a_look_is_ended_another_begins(killed: int) -> None:
    shared, source = FreshLook[str, int](), Source()
    asking = [gevent.spawn(shared.get, "k", source.load) for _ in range(CROWD)]
    gevent.sleep(0)
    asking.pop(killed).kill()
    source.released.set()
    gevent.joinall(asking, timeout=10)
    assert {one.get() for one in asking} <= {1, 2, 3}
    assert source.loads <= 3
