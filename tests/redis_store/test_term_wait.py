"""Waiting for a term: one look for all, and no longer than a term takes to begin."""

from typing import Any, Final

import gevent

from seating.redis_store.term_wait import FORGOTTEN_AFTER_S, TERM_WITHIN_S, TermWait

_UNTRUSTED: Final = [b"here", b"", b"", b"there", b"0"]
_TRUSTED: Final = [b"here", b"1", b"", b"here", b"0"]


class Event:
    """On one server, which gets a term after so many looks. A look takes a second."""

    def __init__(self, looks_before: float) -> None:
        self.looks_before = looks_before
        self.looks = 0
        self.now_s = 1000.0
        self.doubted: list[bytes] = []
        self.wait = TermWait(
            lambda _: "a server", self._look, lambda _, named: self.doubted.append(named), lambda: self.now_s
        )

    def _look(self, _: str) -> list[Any]:
        self.looks += 1
        self.now_s += 1
        return _TRUSTED if self.looks > self.looks_before else _UNTRUSTED


def test_many_buyers_wait_by_one_look() -> None:
    event = Event(looks_before=3)
    buyers = [gevent.spawn(event.wait.until_trusted, "key") for _ in range(50)]
    assert [buyer.get(timeout=60) for buyer in buyers] == [True] * 50
    assert event.looks == 4
    assert event.doubted == [b"there"] * 3


def test_nobody_waits_where_no_term_begins() -> None:
    event = Event(looks_before=float("inf"))
    assert not event.wait.until_trusted("key")
    asked = event.looks
    assert TERM_WITHIN_S <= asked <= TERM_WITHIN_S + 1
    assert not event.wait.until_trusted("key")
    assert event.looks == asked


def test_a_restart_hours_later_is_waited_for() -> None:
    event = Event(looks_before=float("inf"))
    assert not event.wait.until_trusted("key")
    event.now_s += FORGOTTEN_AFTER_S + 1
    event.looks_before = event.looks + 2
    assert event.wait.until_trusted("key")


def test_an_inventory_that_has_gone_is_not_waited_for() -> None:
    wait = TermWait(lambda _: "a server", lambda _: [], lambda _, named: None)
    assert wait.until_trusted("key")
