"""A reader of the logs whose server is demoted while it waits."""

from collections.abc import Iterator

import gevent
import pytest
import redis

from seating.domain.errors import InventoryUnavailable
from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.event_log import LiveLog
from seating.redis_store.plain_client import plain_client
from tests.servers import RedisServer, wait_until

EVENT = "demo"


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator["redis.Redis"]:
    with own_redis.client() as client:
        yield client


def test_a_blocked_read_ends_in_an_error_that_the_reader_knows(own_redis: RedisServer, client: "redis.Redis") -> None:
    log = LiveLog(plain_client(own_redis.url))
    client.xadd(keys.log(EVENT), {"change": "{}", "link": "a"}, "1-1")
    reading = gevent.spawn(log.after, {EVENT: Position(1, 1)}, 10, 60_000)
    wait_until(lambda: client.info("clients")["blocked_clients"] == 1, what="the read to block")
    client.replicaof("127.0.0.1", "1")
    with pytest.raises(InventoryUnavailable) as told:
        reading.get(timeout=10)
    assert "UNBLOCKED" in str(told.value.__cause__)
    client.replicaof("NO", "ONE")
    client.xadd(keys.log(EVENT), {"change": "{}", "link": "b"}, "1-2")
    found = log.after({EVENT: Position(1, 1)}, 10, 100)
    assert [entry.position for entry in found[EVENT]] == [Position(1, 2)]


def test_a_refusal_is_no_end_either(own_redis: RedisServer, client: "redis.Redis") -> None:
    log = LiveLog(plain_client(own_redis.url))
    client.set(keys.log(EVENT), "no stream")
    with pytest.raises(InventoryUnavailable):
        log.after({EVENT: Position(1, 1)}, 10, 100)
