"""The ends of many logs, waited for on a connection of its own: a blocking read would hold up all other calls."""

from collections.abc import Mapping
from typing import Any

import redis

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys


class LiveLog:
    """A position above a log's end is waited for in silence: the caller has to know that it was there once."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def after(self, positions: Mapping[str, Position], count: int, wait_ms: int) -> dict[str, list[LogEntry]]:
        """By event, at most `count` entries each beyond its position; nothing if none came within `wait_ms`.

        Raises InventoryUnavailable where Redis does not answer, or refuses; the next call connects anew.
        """
        events = {keys.log(event_id).encode(): event_id for event_id in positions}
        streams: Any = {keys.log(event_id): str(position) for event_id, position in positions.items()}
        try:
            found: Any = self._client.xread(streams, count=count, block=wait_ms)
        except redis.RedisError as error:
            self._client.connection_pool.disconnect()
            raise InventoryUnavailable from error
        return {events[name]: [_entry(*reply) for reply in replies] for name, replies in found or ()}


def _entry(position: bytes, fields: dict[bytes, bytes]) -> LogEntry:
    return LogEntry(Position.parse(position.decode()), fields[b"change"].decode(), fields[b"link"].decode())
