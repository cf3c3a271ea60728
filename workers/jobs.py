"""The RQ jobs. Each takes ids, calls one service, and may run twice, even at the same time."""

import time
from functools import cache

import structlog

from seating.config import load_settings
from seating.domain.errors import RecordUnavailable
from seating.runtime import BackgroundServices

_log = structlog.get_logger(__name__)


@cache
def services() -> BackgroundServices:
    return BackgroundServices(load_settings(), writes_the_sale=True)


def persist(*event_ids: str) -> None:
    """Record the events' logs in SQL."""
    began_s = time.monotonic()
    recorded = services().persistence.run_all(event_ids, services().queue.take)
    services().counts.add_run(recorded.entries, recorded.batches, time.monotonic() - began_s)
    checkpoint()


def checkpoint() -> None:
    """Checkpoint SQLite's WAL, to keep it small."""
    database = services().persistence.database
    if database.wal_is_large():
        try:
            database.checkpoint()
        except RecordUnavailable as error:
            # The next job tries again, or the cron asks for it.
            _log.warning("checkpoint failed", error=str(error.__cause__))
