"""How a socket begins: greeted, or given what it missed, or told to take a snapshot; from there on the feed goes on."""

from typing import NamedTuple

from seating.domain.log_entry import Checkpoint, ResumePoint
from seating.live import messages
from seating.live.feed import Audience, Feed
from seating.live.outbox import Outbox, text_frame
from seating.redis_store.event_log import EventLog

_PAGE = 200
_MOVED_WITHIN_S = 1.0


class History(NamedTuple):
    """Nobody is given more than `max_entries` of `log`: a snapshot is shorter than that."""

    log: EventLog
    max_entries: int


def begin(feed: Feed, audience: Audience, since: ResumePoint | None, outbox: Outbox, history: History) -> None:
    """Attaches `outbox` to `feed`. Raises InventoryUnavailable."""
    if not audience.resumes:
        outbox.offer(text_frame(messages.connected(feed.event_id, feed.checkpoint)))
    elif feed.plan is None:
        outbox.offer(text_frame(feed.available))
    elif since is None or not _catch_up(feed, audience, since, outbox, history):
        outbox.offer(text_frame(messages.snapshot_needed(feed.checkpoint)))
    feed.attach(audience, outbox)
    outbox.flush()


def _catch_up(feed: Feed, audience: Audience, reached: ResumePoint, outbox: Outbox, history: History) -> bool:
    """Write what came after `reached` until nothing is missing. False if the log has no such entry.

    As fast as the client takes it, so nothing piles up here.
    """
    if feed.position.seq - reached.position.seq > history.max_entries:
        return False
    while reached.position != feed.position and outbox.code is None:
        found = history.log.entries_from(feed.event_id, reached.position, _PAGE)
        if not found or not reached.is_at(Checkpoint.of(found[0])):
            return False
        missed = [entry for entry in found[1:] if entry.position <= feed.position]
        if missed:
            frames = feed.missed(audience, missed)
            if frames is None:
                return False
            outbox.offer(frames)
            outbox.wait_written()
            reached = ResumePoint.of(Checkpoint.of(missed[-1]))
        else:
            # The client had it from a faster process, which this one follows at any moment; or the log is shorter than
            # the feed, which is looked after every few seconds.
            feed.moved.wait(_MOVED_WITHIN_S)
    return outbox.code is not None or reached.is_at(feed.checkpoint)
