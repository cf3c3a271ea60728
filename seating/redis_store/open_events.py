"""Finds the events that have keys in Redis."""

import time
from typing import Final

from seating.domain.errors import InventoryUnavailable
from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts
from seating.redis_store.failures import unavailable

LOOKED_FOR_EVERY_S: Final = 60.0


class OpenEvents:
    """Scans all keys at first use and every minute. Raises InventoryUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._found: list[str] = []
        self._looked_at = float("-inf")

    def ids(self) -> list[str]:
        """Return the event ids of the last scan, including archived events."""
        now = time.monotonic()
        if now - self._looked_at > LOOKED_FOR_EVERY_S:
            self._found = self._look()
            self._looked_at = now
        return self._found

    def _look(self) -> list[str]:
        with unavailable():
            servers = self._calls.primaries()
        found: set[str] = set()
        silent = 0
        for server in servers:
            try:
                found |= _events_on(EventScripts(server))
            except InventoryUnavailable:
                silent += 1
                # All of them: then nothing is known, which is not the same as no events.
                if silent == len(servers):
                    raise
        # The events of a server that does not answer, while others do, are those of the last scan.
        return sorted(found.union(self._found) if silent else found)


def _events_on(server: EventScripts) -> set[str]:
    found: set[str] = set()
    cursor = b"0"
    while True:
        cursor, names = server.ask("SCAN", cursor, "MATCH", keys.INVENTORIES, "COUNT", 1000)
        found |= set(filter(None, map(keys.event_of, map(bytes.decode, names))))
        if cursor == b"0":
            return found
