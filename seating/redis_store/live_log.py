"""Opens what waits for new entries of many logs at once."""

import time
from collections.abc import Mapping
from typing import Final, Protocol

from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import opening
from seating.redis_store.event_log import EventLog, LiveLog
from seating.redis_store.plain_client import plain_client
from seating.redis_store.server_address import is_cluster

_LOOK_EVERY_S: Final = 0.025
_REPLY_WITHIN_S: Final = 2.0
"""Feeds of other primaries' events wait no longer for one that hangs."""


class NewEntries(Protocol):
    def after(self, positions: Mapping[str, Position], count: int, wait_ms: int) -> dict[str, list[LogEntry]]:
        """Return at most `count` entries of each event after its position; empty if none came within `wait_ms`.

        Raises InventoryUnavailable if Redis does not answer or refuses; the next call reconnects.
        """
        ...


def open_log(url: str) -> NewEntries:
    """Open the logs of the server or the cluster at `url`, with a connection of their own."""
    if not is_cluster(url):
        return LiveLog(plain_client(url))
    return ClusterLiveLog(EventLog(opening.pipelined(url, reply_within_s=_REPLY_WITHIN_S)))


class ClusterLiveLog:
    """Looks again and again: no command of a cluster reads, or waits for, logs in more than one slot."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def after(self, positions: Mapping[str, Position], count: int, wait_ms: int) -> dict[str, list[LogEntry]]:
        until_s = time.monotonic() + wait_ms / 1000
        while not (found := self._log.after(positions, count)) and time.monotonic() < until_s:
            time.sleep(_LOOK_EVERY_S)
        return found
