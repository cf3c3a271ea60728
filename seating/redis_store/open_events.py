"""Finds the events that have keys in Redis."""

import time
from typing import Final

from seating.redis_store import keys
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts

LOOKED_FOR_EVERY_S: Final = 60.0


class OpenEvents:
    """Scans all keys at first use and every minute. Raises InventoryUnavailable."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)
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
        found: set[str] = set()
        cursor = b"0"
        while True:
            cursor, names = self._scripts.ask("SCAN", cursor, "MATCH", keys.INVENTORIES, "COUNT", 1000)
            found |= set(filter(None, map(keys.event_of, map(bytes.decode, names))))
            if cursor == b"0":
                return sorted(found)
