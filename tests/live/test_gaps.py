"""After a gap, clients hear of the state as it is now: a pause may have been in there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from gevent import socket

from seating.domain.log_entry import LogEntry
from seating.domain.seating_plan import GeneratedPlan, generate
from seating.live.feed import POSITIONED, Feed
from seating.live.outbox import Outbox
from seating.redis_store.event_log import EventLog
from seating.redis_store.seat_states import SeatStates
from tests.one_process import OPERATOR, OneProcess, on_sqlite

pytestmark = on_sqlite

_HALL = generate(GeneratedPlan(sections=1, rows=2, seatsPerRow=6))


class Listener(Outbox):
    """Keeps what it is offered, which is one message at a time here."""

    def __init__(self) -> None:
        ours, _ = socket.socketpair()
        super().__init__(ours, 10_000)
        self.told: list[Any] = []

    def offer(self, frames: bytes) -> None:
        self.told.append(json.loads(frames[frames.index(b"{") :]))


def follow(sale: OneProcess, event: str) -> tuple[Feed, Listener]:
    feed, listener = Feed(event, sale.seats.names.plan(event), SeatStates(sale.calls).of(event)), Listener()
    feed.attach(POSITIONED, listener)
    return feed, listener


def announce(sale: OneProcess, feed: Feed) -> None:
    feed.announce(SeatStates(sale.calls).of(feed.event_id))


def new_entries(sale: OneProcess, feed: Feed) -> list[LogEntry]:
    return EventLog(sale.calls).after({feed.event_id: feed.position}, 100)[feed.event_id]


def rebuilt(sale: OneProcess, feed: Feed) -> None:
    """Redis lost the event."""
    sale.persist(feed.event_id)
    sale.calls.command("FLUSHALL")
    sale.persist(feed.event_id)
    feed.advance(new_entries(sale, feed))


def trimmed(sale: OneProcess, feed: Feed) -> None:
    """The feed was so far behind that the log has only the newest entry."""
    feed.advance(new_entries(sale, feed)[-1:])


def trimmed_late(sale: OneProcess, feed: Feed) -> None:
    """What is left was already announced as of a position beyond the gap."""
    feed.available_changed = True
    announce(sale, feed)
    trimmed(sale, feed)


def rechecked(sale: OneProcess, feed: Feed) -> None:
    """The log ends elsewhere than the feed."""
    feed.break_off(SeatStates(sale.calls).of(feed.event_id).checkpoint)


Gap = Callable[[OneProcess, Feed], None]
GAPS = pytest.mark.parametrize("gap", [rebuilt, trimmed, trimmed_late, rechecked])


@GAPS
@pytest.mark.parametrize(("before", "after"), [("on_sale", "paused"), ("paused", "on_sale"), ("on_sale", "closed")])
def test_general_admission_is_told_the_state(sale: OneProcess, gap: Gap, before: str, after: str) -> None:
    event = sale.open(capacity=10)
    bought = sale.buy(event, "k")
    sale.events.set_state(event, before, OPERATOR)
    feed, listener = follow(sale, event)
    sale.events.set_state(event, after, OPERATOR)
    sale.cancel(bought.id)
    gap(sale, feed)
    for _ in range(2):
        announce(sale, feed)
    states = [message for message in listener.told if message["type"] == "STATE"]
    assert [(message["state"], message["position"]) for message in states] == [(after, str(feed.position))]
    assert (feed.state, listener.told[-1]["seatsRemaining"]) == (after, 10)


@GAPS
def test_it_is_not_told_a_state_that_has_not_changed(sale: OneProcess, gap: Gap) -> None:
    event = sale.open(capacity=10)
    bought = sale.buy(event, "k")
    feed, listener = follow(sale, event)
    sale.buy(event, "in the gap")
    sale.cancel(bought.id)
    gap(sale, feed)
    announce(sale, feed)
    assert {message["type"] for message in listener.told} == {"AVAILABILITY"}


def test_without_a_gap_it_is_told_once(sale: OneProcess) -> None:
    """By the entry, also if what is left was announced before that was read."""
    event = sale.open(capacity=10)
    feed, listener = follow(sale, event)
    sale.events.set_state(event, "paused", OPERATOR)
    announce(sale, feed)
    assert feed.state == "on_sale", "who joins now is told by that entry too"
    feed.advance(new_entries(sale, feed))
    announce(sale, feed)
    assert [message["type"] for message in listener.told] == ["AVAILABILITY", "STATE", "AVAILABILITY"]


@pytest.mark.parametrize("gap", [rebuilt, trimmed, rechecked])
def test_a_seated_event_has_it_with_the_snapshot(sale: OneProcess, gap: Gap) -> None:
    """Clients get the state after it, as docs/live.md says."""
    event = sale.open(plan=_HALL)
    bought = sale.buy(event, "k")
    feed, listener = follow(sale, event)
    sale.events.set_state(event, "paused", OPERATOR)
    sale.cancel(bought.id)
    gap(sale, feed)
    assert {message["type"] for message in listener.told[:1]} == {"SNAPSHOT_NEEDED"}
