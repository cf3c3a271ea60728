"""Starts a socket: with a greeting, the entries it missed, or a request to load a snapshot. Then it joins the feed."""

from typing import NamedTuple

from seating.domain.event import DRAFT
from seating.domain.log_entry import Checkpoint, ResumePoint
from seating.live import messages
from seating.live.feed import Audience, Feed
from seating.live.outbox import Outbox, text_frame
from seating.redis_store.event_log import EventLog

_PAGE = 200
_MOVED_WITHIN_S = 1.0


class History(NamedTuple):
    """A client gets at most `max_entries` from `log`: beyond that, a snapshot is shorter."""

    log: EventLog
    max_entries: int


def begin(feed: Feed, audience: Audience, since: ResumePoint | None, outbox: Outbox, history: History) -> None:
    """Bring the socket up to date and attach `outbox` to `feed`. Raises InventoryUnavailable."""
    if not audience.resumes:
        outbox.offer(text_frame(messages.connected(feed.event_id, feed.checkpoint)))
    elif feed.plan is None:
        outbox.offer(text_frame(feed.available))
        # A draft has never had another state, so there is no change to miss.
        if since is not None and since.position != feed.position and feed.state != DRAFT:
            # It may have changed after the client read it and before this socket was attached.
            outbox.offer(text_frame(messages.state(feed.checkpoint, feed.state)))
    elif since is None or not _catch_up(feed, audience, since, outbox, history):
        outbox.offer(text_frame(messages.snapshot_needed(feed.checkpoint)))
    opening = feed.opening() if audience.resumes else None
    if opening:  # One of its times may have come after the client read them.
        outbox.offer(text_frame(opening))
    feed.attach(audience, outbox)
    outbox.flush()


def _catch_up(feed: Feed, audience: Audience, reached: ResumePoint, outbox: Outbox, history: History) -> bool:
    """Write the entries after `reached` until none is missing. Return False if the log has no such entry.

    Writes only as fast as the client reads, so nothing accumulates.
    """
    # `seq` has no gaps, not even between epochs, so the difference counts entries.
    if feed.position.seq - reached.position.seq > history.max_entries:
        return False
    while reached.position != feed.position and outbox.code is None:
        found = history.log.entries_from(feed.event_id, reached.position, _PAGE)
        # Trimmed, or the client comes from a history that was lost: the link tells.
        if not found or not reached.is_at(Checkpoint.of(found[0])):
            return False
        # Entries beyond the feed's position come with the feed, and would otherwise be sent twice.
        missed = [entry for entry in found[1:] if entry.position <= feed.position]
        if missed:
            frames = feed.missed(audience, missed)
            if frames is None:
                return False
            outbox.offer(frames)
            # Before reading on, so that a slow client does not make us hold the log in memory.
            outbox.wait_written()
            reached = ResumePoint.of(Checkpoint.of(missed[-1]))
        else:
            # The client got it from a faster process, and this one will catch up in a moment. Or the log is shorter
            # than the feed, which the hub rechecks every few seconds.
            feed.moved.wait(_MOVED_WITHIN_S)
    return outbox.code is not None or reached.is_at(feed.checkpoint)
