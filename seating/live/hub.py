"""The hub of one process: one greenlet reads the logs of all events with sockets here and advances their feeds."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial

import gevent
import structlog
from gevent.event import Event

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import LogEntry, ResumePoint
from seating.domain.position import Position
from seating.live.feed import Audience, Feed
from seating.live.outbox import FAILED, GOING_AWAY, NORMAL, TRY_AGAIN_LATER, Outbox
from seating.live.resuming import History, begin
from seating.memo import Memo
from seating.redis_store.event_log import NewEntries
from seating.redis_store.plans import Plans
from seating.redis_store.seat_states import SeatStates
from seating.telemetry import metrics

_WAIT_MS = 100
"""How long a read blocks, and so how long a new event may wait for its first one."""
_PAUSE_S = 0.05
_PAUSES_A_ROUND = 4
"""The pause after a round, as a multiple of its CPU time. Entries that arrive meanwhile share one write.

A feed that is behind pauses less: if it fell behind the trimmed log, all its clients would have to start over.
"""
_AVAILABILITY_EVERY_S = 0.1
_ENTRIES_A_ROUND = 500
_RETRY_S = 0.25
_RETRY_MOST_S = 4.0
_RECHECK_S = 5.0
_FAREWELL_S = 2.0

_log = structlog.get_logger(__name__)


class Hub:
    """Pings clients every `ping_s`. If one of its greenlets dies, which only a bug can cause, so does the process."""

    def __init__(
        self,
        log: NewEntries,
        states: SeatStates,
        plans: Plans,
        history: History,
        *,
        ping_s: float,
    ) -> None:
        self._log = log
        self._states = states
        self._plans = plans
        self._history = history
        self._ping_s = ping_s
        self._feeds: dict[str, Feed] = {}
        self._outboxes: set[Outbox] = set()
        # Keeps nothing: sockets that join at one moment share one look at Redis, also one that fails.
        self._opening = Memo[str, None](max_weight=0)
        self._populated = Event()
        self._closing = False
        for forever in (self._read_forever, self._recheck_forever, self._look_after_forever):
            gevent.spawn(forever).link_exception(self._mourn)

    def serve(
        self, event_id: str, audience: Audience, since: ResumePoint | None, outbox: Outbox, read: Callable[[], object]
    ) -> None:
        """Send one socket its feed until `read`, which reads from it, returns."""
        self._outboxes.add(outbox)
        metrics.LIVE_CLIENTS.inc()
        feed = None
        try:
            if self._closing:
                outbox.close(GOING_AWAY)
            try:
                feed = self._join(event_id)
                begin(feed, audience, since, outbox, self._history)
            except InventoryUnavailable:
                outbox.close(TRY_AGAIN_LATER)
            # Also after a close: the client's answer to the close frame ends the reading.
            read()
        except Exception:
            outbox.close(FAILED)
            raise
        finally:
            self._outboxes.discard(outbox)
            if feed:
                feed.leave(outbox)
            metrics.LIVE_CLIENTS.dec()
            metrics.LIVE_CLOSED.labels(str(outbox.code or NORMAL)).inc()

    def close(self) -> None:
        """Close every socket with GOING_AWAY, including those that still join. Takes `_FAREWELL_S`."""
        self._closing = True
        for outbox in tuple(self._outboxes):
            outbox.close(GOING_AWAY)
        gevent.sleep(_FAREWELL_S)
        for outbox in tuple(self._outboxes):
            outbox.cut()

    def _join(self, event_id: str) -> Feed:
        # A feed that nobody has joined yet may be dropped before a waiting greenlet gets to it: open it again.
        while (feed := self._feeds.get(event_id)) is None:
            self._opening.get(event_id, partial(self._open, event_id))
        feed.joined += 1
        return feed

    def _open(self, event_id: str) -> None:
        states = self._states.of(event_id)
        plan = self._plans.of(event_id) if states.seated else None
        self._feeds[event_id] = Feed(event_id, plan, states)
        self._populated.set()

    def _read_forever(self) -> None:
        retry_s = _RETRY_S
        while True:
            self._populated.wait()
            try:
                found = self._log.after(self._positions(), _ENTRIES_A_ROUND, _WAIT_MS)
            except InventoryUnavailable as error:
                if retry_s == _RETRY_S:
                    _log.warning("live log unavailable", error=str(error.__cause__))
                gevent.sleep(retry_s)
                retry_s = min(2 * retry_s, _RETRY_MOST_S)
                continue
            retry_s = _RETRY_S
            spent_s = self._tell(found)
            self._drop_empty_feeds()
            behind = any(len(entries) == _ENTRIES_A_ROUND for entries in found.values())
            if found:
                gevent.sleep(_PAUSE_S if behind else max(_PAUSE_S, _PAUSES_A_ROUND * spent_s))

    def _tell(self, found: Mapping[str, Sequence[LogEntry]]) -> float:
        """Advance the feeds; return the CPU time spent, in seconds, without that of greenlets that ran in between."""
        begun = time.process_time()
        for event_id, entries in found.items():
            # It is still there after the wait for entries: only this greenlet drops feeds.
            self._feeds[event_id].advance(entries)
        spent_s = time.process_time() - begun
        self._announce()
        # A copy, because a feed may be opened while another one yields.
        return spent_s + sum(feed.flush() for feed in tuple(self._feeds.values()))

    def _positions(self) -> dict[str, Position]:
        return {event_id: feed.position for event_id, feed in self._feeds.items()}

    def _announce(self) -> None:
        for feed in tuple(self._feeds.values()):
            feed.announce_opening()
            due = time.monotonic() - feed.available_since_s >= _AVAILABILITY_EVERY_S
            if feed.plan is None and feed.available_changed and due:
                with suppress(InventoryUnavailable):  # The next round tries again.
                    feed.announce(self._states.of(feed.event_id))

    def _recheck_forever(self) -> None:
        """Compare clocks, and break off feeds that are ahead of their log: a Redis that lost data came back.

        A read from beyond the log's end would block for ever. A missing inventory needs nothing here: it will be
        rebuilt under an epoch higher than any current position.
        """
        while True:
            gevent.sleep(_RECHECK_S)
            for feed in tuple(self._feeds.values()):
                known = feed.checkpoint
                with suppress(InventoryUnavailable):
                    states = self._states.of(feed.event_id)
                    feed.check(states)
                    checkpoint = states.checkpoint
                    # A feed that moved during the look is rightly ahead. One position with two links is two histories.
                    if checkpoint.position <= known.position and known == feed.checkpoint != checkpoint:
                        feed.break_off(checkpoint)
                        feed.flush()

    def _drop_empty_feeds(self) -> None:
        for feed in [feed for feed in self._feeds.values() if not feed.joined]:
            del self._feeds[feed.event_id]
        if not self._feeds:
            self._populated.clear()

    def _look_after_forever(self) -> None:
        pinged = time.monotonic()
        while True:
            gevent.sleep(1.0)
            due = time.monotonic() - pinged >= self._ping_s
            pinged = time.monotonic() if due else pinged
            for outbox in tuple(self._outboxes):
                outbox.cut_if_overdue()
                if due:
                    outbox.ping()

    def _mourn(self, greenlet: "gevent.Greenlet[[], None]") -> None:
        """Stop the process gracefully: it finishes its requests, and gunicorn starts another."""
        _log.critical("live greenlet died", exc_info=greenlet.exception)
        gevent.spawn(self.close)
        # Otherwise a process whose maps stand still would look healthy from outside.
        os.kill(os.getpid(), signal.SIGTERM)
