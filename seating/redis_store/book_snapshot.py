"""All that Redis has of one event, as of one moment."""

from typing import Any, NamedTuple

import redis

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys


class BookSnapshot(NamedTuple):
    """As Redis keeps it, decoded; `log` has the entries that are not trimmed, `expiries` when each hold is due.

    `garbled` are the ids of entries that no version of this program wrote; they are not in `log`.
    """

    inventory: dict[str, str]
    log: list[LogEntry]
    garbled: list[str]
    maps: dict[str, str]
    longest_runs: str
    idempotency: dict[str, str]
    holds: dict[str, str]
    expiries: dict[str, int]
    holders: dict[str, str]
    cancelled: set[str]
    quarantined: set[str]
    damaged: dict[str, str]


def take(client: "redis.Redis", event_id: str) -> BookSnapshot | None:
    """None where Redis has no readable inventory. In one transaction: replies to plain commands could be torn."""
    reading = client.pipeline(transaction=True)
    reading.hgetall(keys.inventory(event_id))
    reading.xrange(keys.log(event_id))
    reading.hgetall(keys.seats(event_id))
    reading.get(keys.longest_runs(event_id))
    reading.hgetall(keys.idempotency(event_id))
    reading.hgetall(keys.hold(event_id))
    reading.zrange(keys.holds(event_id), 0, -1, withscores=True)
    reading.hgetall(keys.holders(event_id))
    reading.smembers(keys.cancelled(event_id))
    reading.smembers(keys.quarantined(event_id))
    reading.hgetall(keys.damaged(event_id))
    try:
        inventory, log, maps, longest_runs, idempotency, *rest = reading.execute()
    except redis.RedisError as error:
        raise InventoryUnavailable from error
    holds, expiries, holders, cancelled, quarantined, damaged = rest
    if not all(inventory.get(number, b"").isdigit() for number in (b"epoch", b"seq")):
        return None
    entries = {entry_id: _entry(entry_id, fields) for entry_id, fields in log}
    return BookSnapshot(
        _texts(inventory),
        [entry for entry in entries.values() if entry],
        [_text(entry_id) for entry_id, entry in entries.items() if entry is None],
        _texts(maps),
        _text(longest_runs or b""),
        _texts(idempotency),
        _texts(holds),
        {_text(hold): int(until_ms) for hold, until_ms in expiries},
        _texts(holders),
        set(map(_text, cancelled)),
        set(map(_text, quarantined)),
        _texts(damaged),
    )


def event_ids(client: "redis.Redis") -> set[str]:
    """Of all events with an inventory."""
    try:
        found: Any = client.smembers(keys.OPEN_EVENTS)
    except redis.RedisError as error:
        raise InventoryUnavailable from error
    return {event_id.decode() for event_id in found}


def _texts(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}


def _text(value: bytes) -> str:
    """Of any bytes: what is not ours is to be shown, too."""
    return value.decode(errors="backslashreplace")


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> LogEntry | None:
    try:
        return LogEntry(Position.parse(entry_id.decode()), fields[b"change"].decode(), fields[b"link"].decode())
    except (KeyError, ValueError):  # A field that is not there, an id that is no position, or no UTF-8.
        return None
