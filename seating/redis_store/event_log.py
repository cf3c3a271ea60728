"""The log of each event: a Redis stream whose entry ids are positions."""

from typing import Any

from redis.exceptions import ResponseError

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.calls import Calls, RedisUnavailable


class EventLog:
    """Raises InventoryUnavailable where Redis does not answer."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def entries_from(self, event_id: str, position: Position, count: int) -> list[LogEntry]:
        """At most `count` entries from `position` on, that one included if it is still there."""
        return [_entry(reply) for reply in self._range(event_id, str(position), "+", count)]

    def entry_at(self, event_id: str, position: Position) -> LogEntry | None:
        """None where the log never had it, or has been trimmed beyond it."""
        found = self._range(event_id, str(position), str(position), 1)
        return _entry(found[0]) if found else None

    def _range(self, event_id: str, first: str, last: str, count: int) -> list[Any]:
        try:
            entries: list[Any] = self._calls.command("XRANGE", keys.log(event_id), first, last, "COUNT", count)
        except (RedisUnavailable, ResponseError) as error:
            raise InventoryUnavailable from error
        return entries


def _entry(reply: list[Any]) -> LogEntry:
    position, (_, change, _, link) = reply
    return LogEntry(Position.of_entry(position), change.decode(), link.decode())
