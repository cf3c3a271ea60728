"""One event in one process: how far its log has been read, and the sockets that receive it."""

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import gevent
from gevent.event import Event

from seating.domain.changes import Change, OfferSet, StateSet
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.seat_changes import needs_snapshot
from seating.domain.seating_plan import SeatingPlan
from seating.live import messages
from seating.live.outbox import TRY_AGAIN_LATER, Outbox, text_frame, text_frames
from seating.redis_store.seat_states import States


class Audience(NamedTuple):
    """How a kind of socket gets entries: `render` makes the messages of one.

    Clients whose audience `resumes` keep a position, and start over from a snapshot.
    """

    render: Callable[[str, SeatingPlan, LogEntry, Change], list[str]]
    resumes: bool


POSITIONED: Final = Audience(messages.seats, resumes=True)
PLAIN: Final = Audience(messages.seat_updates, resumes=False)

_WRITES_AT_ONCE = 100
_MOST_SEATS = 500
"""A change of more seats is sent as a snapshot, which is shorter, and is rendered once for all clients."""


class Feed:
    """`plan` is None in general admission; `available` is then the latest message. `state` is that at `checkpoint`.

    `times` are when the sale opens and closes, None for an event without an offer. `joined` counts the sockets served,
    including those about to be attached. Do not switch greenlets between reading `checkpoint` and calling `attach`: the
    socket must get each later entry exactly once.
    """

    def __init__(self, event_id: str, plan: SeatingPlan | None, states: States) -> None:
        self.event_id = event_id
        self.plan = plan
        self.checkpoint = states.checkpoint
        self.joined = 0
        self.moved = Event()
        self.state = states.state
        self.times = states.times
        self._redis_ahead_ms = 0.0
        self.check(states)
        self._announced_opening = (self.times, self._is_open())
        self.available = messages.availability(self.checkpoint, self.position, states.remaining)
        self.available_since_s = 0.0
        self.available_changed = False
        self._state_in_doubt = False
        self._sockets: dict[Audience, set[Outbox]] = {POSITIONED: set(), PLAIN: set()}
        self._offered = False

    @property
    def position(self) -> Position:
        return self.checkpoint.position

    def attach(self, audience: Audience, outbox: Outbox) -> None:
        self._sockets[audience].add(outbox)

    def leave(self, outbox: Outbox) -> None:
        self.joined -= 1
        for outboxes in self._sockets.values():
            outboxes.discard(outbox)

    def advance(self, entries: Sequence[LogEntry]) -> None:
        """Offer `entries` to all sockets. Break off where they do not continue the feed, or cannot be rendered."""
        readable: list[tuple[LogEntry, Change]] = []
        for entry in entries:
            change = entry.read() if entry.follows(self.checkpoint) else None
            # Move on even over a gap: clients start over from a snapshot, which is at least as new as this entry.
            self.checkpoint = Checkpoint.of(entry)
            if isinstance(change, StateSet):
                self.state = change.state
            if isinstance(change, OfferSet):
                self.times = change.offer.times
            if change is None or not self._shows(change):
                # First, so that positions only grow: the message of the break has the position of this entry.
                self._send(readable)
                readable.clear()
                self.break_off()
            else:
                readable.append((entry, change))
        self._send(readable)
        self.available_changed = True
        # Wake those that wait now. Left set, it would let later waiters pass at once.
        self.moved.set()
        self.moved.clear()

    def break_off(self, checkpoint: Checkpoint | None = None) -> None:
        """Make all clients start over, because of a gap before `checkpoint`, by default the feed's own."""
        self.checkpoint = checkpoint or self.checkpoint
        self.available_changed = True
        # In general admission there is no snapshot to ask for: `announce` has all that may have changed.
        self._state_in_doubt = True
        if self.plan:
            self._offer(POSITIONED, text_frame(messages.snapshot_needed(self.checkpoint)))
        # Such clients cannot start over within a connection: they have to reconnect.
        for outbox in tuple(self._sockets[PLAIN]):
            outbox.close(TRY_AGAIN_LATER)

    def check(self, states: States) -> None:
        """Take Redis's clock from `states`, and when the sale opens and closes unless the feed is beyond them.

        What is reckoned from that clock is late by the time of the reply, and never early.
        """
        # The monotonic clock, because this machine's time of day may be set in the meantime.
        self._redis_ahead_ms = states.now_ms - 1000 * time.monotonic()
        if states.checkpoint.position >= self.position:
            self.times = states.times

    def opening(self) -> str | None:
        """Return the message that tells when the sale opens and closes; None for an event without an offer."""
        return messages.opening(self.checkpoint, self.times, is_open=self._is_open()) if self.times else None

    def announce_opening(self) -> None:
        """Offer that message if the times have changed, or one of them has come, since it was last offered."""
        now = (self.times, self._is_open())
        if now != self._announced_opening:
            self._announced_opening = now
            if opening := self.opening():
                self._offer(POSITIONED, text_frame(opening))

    def announce(self, states: States) -> None:
        """In general admission, offer the number of seats left as of `states`; after a gap, also a new state."""
        # Without a gap, the entry that changed it tells it in its turn.
        if self._state_in_doubt and states.state != self.state:
            self.state = states.state
            self._offer(POSITIONED, text_frame(messages.state(self.checkpoint, self.state)))
        self._state_in_doubt = False
        self.available = messages.availability(self.checkpoint, states.checkpoint.position, states.remaining)
        self.available_since_s = time.monotonic()
        self.available_changed = False
        self._offer(POSITIONED, text_frame(self.available))

    def flush(self) -> float:
        """Write what was offered, as far as clients take it; return the CPU time spent, in seconds.

        This is most of a feed's work, so it yields to other greenlets every 100 sockets.
        """
        if not self._offered:
            return 0.0
        self._offered = False
        # CPU time, because waiting for a core is no work that a longer pause has to make up for.
        spent_s, begun = 0.0, time.process_time()
        # A copy, because sockets come and go while this yields.
        for number, outbox in enumerate([outbox for outboxes in self._sockets.values() for outbox in outboxes], 1):
            outbox.flush()
            if number % _WRITES_AT_ONCE == 0:
                # Stop the clock, which is the process's: what buyers use while this yields is not the feed's.
                spent_s += time.process_time() - begun
                gevent.sleep(0)
                begun = time.process_time()
        return spent_s + time.process_time() - begun

    def encode(self, audience: Audience, entries: Sequence[tuple[LogEntry, Change]]) -> bytes:
        if self.plan is not None:
            rendered = [audience.render(self.event_id, self.plan, entry, change) for entry, change in entries]
        elif audience.resumes:
            rendered = [messages.state_changes(entry, change) for entry, change in entries]
        else:
            rendered = []
        return text_frames(text for texts in rendered for text in texts)

    def _is_open(self) -> bool:
        return self.times is None or self.times.is_open(int(1000 * time.monotonic() + self._redis_ahead_ms))

    def missed(self, audience: Audience, entries: Sequence[LogEntry]) -> bytes | None:
        """Encode the entries that a client missed as frames; None if a snapshot has to take their place."""
        changes = [(entry, entry.read()) for entry in entries]
        readable = [(entry, change) for entry, change in changes if change and self._shows(change)]
        return self.encode(audience, readable) if len(readable) == len(changes) else None

    def _shows(self, change: Change) -> bool:
        """Return whether its messages say all that a change did."""
        seats = sum(run.length for run in getattr(change, "runs", ()))
        return self.plan is None or (seats <= _MOST_SEATS and not needs_snapshot(change))

    def _send(self, entries: Sequence[tuple[LogEntry, Change]]) -> None:
        for audience, outboxes in self._sockets.items():
            if outboxes and entries:
                self._offer(audience, self.encode(audience, entries))

    def _offer(self, audience: Audience, frames: bytes) -> None:
        if frames:
            self._offered = True
            for outbox in self._sockets[audience]:
                outbox.offer(frames)
