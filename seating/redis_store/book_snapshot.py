"""All that Redis has of one event, as of one moment."""

from typing import Any, NamedTuple

import redis

from seating.domain.errors import InventoryUnavailable
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.redis_store import keys


class BookSnapshot(NamedTuple):
    """As Redis keeps it, decoded; `log` has the entries that are not trimmed, `expiries` when each hold is due."""

    inventory: dict[str, str]
    log: list[LogEntry]
    maps: dict[str, str]
    longest_runs: str
    idempotency: dict[str, str]
    holds: dict[str, str]
    expiries: dict[str, int]
    holders: dict[str, str]
    cancelled: set[int]
    quarantined: set[str]


def take(client: "redis.Redis", event_id: str) -> BookSnapshot | None:
    """None where Redis has no inventory. In one transaction: replies to plain commands could be torn."""
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
    try:
        inventory, log, maps, longest_runs, idempotency, holds, expiries, holders, cancelled, quarantined = (
            reading.execute()
        )
    except redis.RedisError as error:
        raise InventoryUnavailable from error
    if b"epoch" not in inventory:
        return None
    return BookSnapshot(
        _texts(inventory),
        [LogEntry(Position.parse(i.decode()), e[b"change"].decode(), e[b"link"].decode()) for i, e in log],
        _texts(maps),
        (longest_runs or b"").decode(),
        _texts(idempotency),
        _texts(holds),
        {hold.decode(): int(until_ms) for hold, until_ms in expiries},
        _texts(holders),
        {int(seq) for seq in cancelled},
        {marker.decode() for marker in quarantined},
    )


def event_ids(client: "redis.Redis") -> set[str]:
    """Of all events with an inventory."""
    try:
        found: Any = client.smembers(keys.OPEN_EVENTS)
    except redis.RedisError as error:
        raise InventoryUnavailable from error
    return {event_id.decode() for event_id in found}


def _texts(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in fields.items()}
