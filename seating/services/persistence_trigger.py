"""Nudges persistence from a web process, outside the requests and at a limited rate."""

import gevent
import structlog
from gevent.event import Event

from seating.domain.errors import InventoryUnavailable
from seating.redis_store.persist_queue import PersistQueue

_EVERY_S = 0.1

_log = structlog.get_logger(__name__)


class PersistenceTrigger:
    """Sends at most one nudge every `_EVERY_S`, for all changed events, so that batches gather."""

    def __init__(self, queue: PersistQueue) -> None:
        self._queue = queue
        self._lagging: set[str] = set()
        self._wake = Event()
        self._greenlet = gevent.spawn(self._nudge_forever)

    def nudge(self, event_id: str) -> None:
        """Mark the event for the next nudge. Never blocks."""
        self._lagging.add(event_id)
        self._wake.set()

    def close(self) -> None:
        self._greenlet.kill()

    def _nudge_forever(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            # Taken before the call, because other greenlets mark events while it waits.
            events, self._lagging = self._lagging, set()
            try:
                if not self._queue.nudge(*events):
                    # The waiting jobs may be for other events: try these again.
                    self._lagging |= events
                    self._wake.set()
            except InventoryUnavailable as error:
                # The cron nudges for lagging events every second.
                _log.warning("nudge failed", events=len(events), error=str(error.__cause__))
            gevent.sleep(_EVERY_S)
