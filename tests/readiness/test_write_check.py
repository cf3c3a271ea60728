"""Redis refuses the check where it would refuse a buyer's change, and the check leaves no trace."""

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
import redis

from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.write_check import RedisState, WriteCheck, WriteVerdict
from tests.servers import RedisServer

Client = redis.Redis
Break = Callable[[Client], object]

WITHOUT_FLAGS = Scripts({"can_write": "return 1"})


def check(server: RedisServer, scripts: Scripts | None = None) -> WriteVerdict:
    with closing(DirectCalls(ScriptConnection(server.url, scripts or Scripts()))) as calls:
        return WriteCheck(calls, most_percent=75).run()


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator[Client]:
    with closing(own_redis.client()) as client:
        yield client


def lacks_replicas(client: Client) -> None:
    client.config_set("min-replicas-to-write", 1)


def has_no_memory(client: Client) -> None:
    client.config_set("maxmemory", client.info("memory")["used_memory"] // 2)


@pytest.mark.parametrize(
    ("spoil", "state", "word"),
    [(lacks_replicas, RedisState.REFUSES, "NOREPLICAS"), (has_no_memory, RedisState.FULL, "maxmemory")],
)
def test_what_refuses_writes(
    own_redis: RedisServer, client: Client, spoil: Break, state: RedisState, word: str
) -> None:
    assert check(own_redis) == (RedisState.UP, "")
    spoil(client)
    verdict = check(own_redis)
    assert verdict.state is state
    assert word in verdict.reason
    with pytest.raises(redis.ResponseError):
        client.set("a", "b")


def test_a_script_without_flags_is_not_refused(own_redis: RedisServer, client: Client) -> None:
    """The twin: it would be ready where nothing can be sold."""
    lacks_replicas(client)
    assert check(own_redis, WITHOUT_FLAGS).state is RedisState.UP


def test_a_replica(own_redis: RedisServer, client: Client) -> None:
    """As the connection finds it when it is made, and when it had been made before."""
    with closing(DirectCalls(ScriptConnection(own_redis.url, Scripts()))) as calls:
        checking = WriteCheck(calls, most_percent=75)
        assert checking.run().state is RedisState.UP
        client.replicaof("127.0.0.1", "1")
        before = checking.run()
        assert before.state is RedisState.REFUSES
        assert "read only replica" in before.reason
        assert checking.run() == (RedisState.DOWN, "it does not answer")
        client.replicaof("NO", "ONE")  # type: ignore[no-untyped-call]
        assert checking.run().state is RedisState.UP


def test_full_is_where_purchases_are_refused(own_redis: RedisServer, client: Client) -> None:
    """Below its maxmemory, Redis takes writes that the sale refuses already."""
    client.config_set("maxmemory", 16 << 20)
    while client.info("memory")["used_memory"] < 0.8 * (16 << 20):
        client.append("ballast", b"x" * (1 << 18))
    verdict = check(own_redis)
    assert verdict.state is RedisState.FULL
    assert "% of maxmemory" in verdict.reason
    client.delete("ballast")
    assert check(own_redis).state is RedisState.UP


def test_a_redis_that_could_lose_sales(own_redis: RedisServer, client: Client) -> None:
    client.config_set("appendfsync", "everysec")
    assert check(own_redis) == (RedisState.NOT_DURABLE, "appendfsync always")


def test_no_redis(own_redis: RedisServer) -> None:
    own_redis.kill()
    assert check(own_redis).state is RedisState.DOWN


def test_nothing_is_written(own_redis: RedisServer, client: Client) -> None:
    """So a check costs no fsync, and replicas hear nothing of it."""
    check(own_redis)
    before = client.info("replication")["master_repl_offset"], client.info("persistence")["aof_current_size"]
    for _ in range(20):
        check(own_redis)
    assert (client.info("replication")["master_repl_offset"], client.info("persistence")["aof_current_size"]) == before
    assert client.dbsize() == 0
