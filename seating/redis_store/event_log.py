"""The log of each event, a Redis stream whose entry ids are positions, and what waits for new entries of many logs."""

import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

import redis

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.recovery_errors import UnreadableEntry
from seating.redis_store import keys, opening
from seating.redis_store.calls import Calls
from seating.redis_store.event_scripts import EventScripts
from seating.redis_store.plain_client import plain_client
from seating.redis_store.server_address import is_cluster

_LOOK_EVERY_S: Final = 0.025
_REPLY_WITHIN_S: Final = 2.0
"""Feeds of other primaries' events wait no longer for one that hangs."""


class EventLog:
    """Raises InventoryUnavailable if Redis does not answer, UnreadableEntry for an entry that no script wrote."""

    def __init__(self, calls: Calls) -> None:
        self._scripts = EventScripts(calls)

    def entries_from(self, event_id: str, position: Position, count: int) -> list[LogEntry]:
        """Return at most `count` entries from `position` on, inclusive if that entry still exists."""
        return [_entry(reply) for reply in self._range(event_id, str(position), "+", count)]

    def first_after(self, positions: Mapping[str, Position]) -> dict[str, LogEntry]:
        """Return the first entry after the position of each event that has one."""
        return {event_id: entries[0] for event_id, entries in self.after(positions, 1).items()}

    def after(self, positions: Mapping[str, Position], count: int) -> dict[str, list[LogEntry]]:
        """Return at most `count` entries after the position of each event that has any.

        None of those whose server does not answer, while others of a cluster do.
        """
        asking = [
            ("XRANGE", keys.log(event_id), f"({position}", "+", "COUNT", count)
            for event_id, position in positions.items()
        ]
        replies = zip(positions, self._scripts.ask_all(asking), strict=True)
        return {event_id: [_entry(reply) for reply in found] for event_id, found in replies if found}

    def newest(self, event_id: str, last: Position, count: int) -> list[LogEntry]:
        """At most `count` entries up to `last`, newest first."""
        found = self._scripts.ask("XREVRANGE", keys.log(event_id), str(last), "-", "COUNT", count)
        return [_entry(reply) for reply in found]

    def entry_at(self, event_id: str, position: Position) -> LogEntry | None:
        """Return the entry; None if it never existed or was trimmed."""
        found = self._range(event_id, str(position), str(position), 1)
        return _entry(found[0]) if found else None

    def _range(self, event_id: str, first: str, last: str, count: int) -> list[Any]:
        entries: list[Any] = self._scripts.ask("XRANGE", keys.log(event_id), first, last, "COUNT", count)
        return entries


def _entry(reply: list[Any]) -> LogEntry:
    position, fields = reply
    try:
        _, change, _, link, *beside = fields
        entry = _read(position, change, link)
        texts = {name: text.decode() for name, text in zip(beside[::2], beside[1::2], strict=True)}
    except ValueError as error:  # Fields are missing, or one is not UTF-8.
        raise UnreadableEntry(f"{position.decode()}: the entry is garbled") from error
    if not beside:
        return entry
    return entry._replace(private=texts.get(b"private"), traceparent=texts.get(b"traceparent"))


def _read(position: bytes, change: bytes, link: bytes) -> LogEntry:
    """Without what stands beside it."""
    return LogEntry(Position.of_entry(position), change.decode(), link.decode())


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


class LiveLog:
    """Reads from beyond a log's end block silently: the caller must know that its position existed."""

    def __init__(self, client: "redis.Redis") -> None:
        self._client = client

    def after(self, positions: Mapping[str, Position], count: int, wait_ms: int) -> dict[str, list[LogEntry]]:
        """Return at most `count` entries of each event after its position; empty if none came within `wait_ms`.

        Raises InventoryUnavailable if Redis does not answer or refuses; the next call reconnects.
        """
        events = {keys.log(event_id).encode(): event_id for event_id in positions}
        streams: Any = {keys.log(event_id): str(position) for event_id, position in positions.items()}
        try:
            found: Any = self._client.xread(streams, count=count, block=wait_ms)
        except redis.RedisError as error:
            # A demoted server refuses the blocked read; the next connection should find the new primary.
            self._client.connection_pool.disconnect()
            raise InventoryUnavailable from error
        return {
            events[name]: [_read(position, fields[b"change"], fields[b"link"]) for position, fields in replies]
            for name, replies in found or ()
        }


class ClusterLiveLog:
    """Looks again and again: no command of a cluster reads, or waits for, logs in more than one slot."""

    def __init__(self, log: EventLog) -> None:
        self._log = log

    def after(self, positions: Mapping[str, Position], count: int, wait_ms: int) -> dict[str, list[LogEntry]]:
        until_s = time.monotonic() + wait_ms / 1000
        while not (found := self._log.after(positions, count)) and time.monotonic() < until_s:
            time.sleep(_LOOK_EVERY_S)
        return found
