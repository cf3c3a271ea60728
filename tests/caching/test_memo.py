"""One load for a crowd, and what is kept of it."""

import time
from collections.abc import Callable

import gevent
import pytest
from gevent.event import Event

from seating.memo import Memo

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
