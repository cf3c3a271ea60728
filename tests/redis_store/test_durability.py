"""Promises are made on a durable server alone, whatever it was when the process started."""

from collections.abc import Iterator

import pytest
import redis
import structlog
from redis.exceptions import ReadOnlyError, ResponseError
from structlog.typing import EventDict

from seating.redis_store import durability
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Calls, RedisOutcomeUnknown, RedisUnavailable, Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from tests.servers import RedisServer, wait_until

SCRIPTS = Scripts(replaced={"count": "return redis.call('incr', KEYS[1])"})

WRONG = [
    ("appendonly", "no"),
    ("appendfsync", "everysec"),
    ("no-appendfsync-on-rewrite", "yes"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "allkeys-lru"),
]


@pytest.fixture
def client(own_redis: RedisServer) -> Iterator["redis.Redis"]:
    with own_redis.client() as client:
        yield client


@pytest.fixture(params=[AutoPipeline, DirectCalls])
def calls(request: pytest.FixtureRequest, own_redis: RedisServer) -> Iterator[AutoPipeline | DirectCalls]:
    """Connected to a server that is durable."""
    calls = request.param(ScriptConnection(own_redis.url, SCRIPTS))
    assert promise(calls) == 1
    yield calls
    calls.close()


@pytest.fixture
def logged() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as logs:
        yield logs


def promise(calls: Calls) -> int:
    number: int = calls.script("count", ["promises"], [], promises=True)
    return number


def refused(calls: Calls) -> str:
    """What a refused promise says; it was not sent."""
    with pytest.raises(RedisUnavailable) as refusal:
        promise(calls)
    assert not isinstance(refusal.value, RedisOutcomeUnknown)
    return str(refusal.value)


def break_connections(client: "redis.Redis") -> None:
    client.client_kill_filter(_type="normal", skipme=True)
    wait_until(lambda: len(client.client_list()) == 1, what="the connections to be broken")


@pytest.mark.parametrize(("name", "wrong"), WRONG)
def test_a_reconnection_asks_again(
    name: str,
    wrong: str,
    calls: AutoPipeline | DirectCalls,
    client: "redis.Redis",
    logged: list[EventDict],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(durability, "_ASK_AGAIN_WHILE_MISSING_S", 0.05)
    right = client.config_get(name)[name]
    client.config_set(name, wrong)
    break_connections(client)
    assert name in refused(calls)
    assert name in refused(calls)
    assert calls.script("count", ["others"], []) == 1  # Nobody is promised anything: reading and recording go on.
    client.config_set(name, right)
    wait_until(lambda: mended(calls), what="promises")
    events = [entry["event"] for entry in logged]
    assert events == ["redis not durable", "redis durable again"]
    assert name in logged[0]["missing"]


def mended(calls: Calls) -> bool:
    try:
        return promise(calls) == 2
    except RedisUnavailable:
        return False


def test_a_connection_that_stands_asks_every_minute(
    calls: AutoPipeline | DirectCalls, client: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    client.config_set("appendfsync", "no")
    assert promise(calls) == 2
    monkeypatch.setattr(durability, "_ASK_AGAIN_S", 0.0)
    client.config_set("appendfsync", "always")
    break_connections(client)
    assert promise(calls) == 3
    client.config_set("appendfsync", "no")
    assert "appendfsync always" in refused(calls)


def test_a_server_that_hides_its_settings_promises_nothing(
    calls: AutoPipeline | DirectCalls, client: "redis.Redis"
) -> None:
    client.execute_command("ACL", "SETUSER", "default", "-config|get")
    break_connections(client)
    assert "CONFIG GET" in refused(calls)
    client.execute_command("ACL", "SETUSER", "default", "+@all")


def test_an_append_only_file_counts_from_its_first_rewrite_on(
    calls: AutoPipeline | DirectCalls, client: "redis.Redis"
) -> None:
    client.mset({f"key-{number}": number for number in range(20)})
    client.config_set("rdb-key-save-delay", 50_000)
    client.config_set("appendonly", "no")
    break_connections(client)
    assert "appendonly yes" in refused(calls)
    client.config_set("appendonly", "yes")
    wait_until(lambda: "rewrite" in refused(calls), what="another look")
    wait_until(lambda: mended(calls), what="the end of the rewrite")
    assert client.info("persistence")["aof_rewrite_in_progress"] == 0


def test_a_rewrite_of_a_file_that_was_on_already_stops_nothing(
    calls: AutoPipeline | DirectCalls, client: "redis.Redis"
) -> None:
    client.mset({f"key-{number}": number for number in range(20)})
    client.config_set("rdb-key-save-delay", 50_000)
    break_connections(client)
    client.bgrewriteaof()
    assert promise(calls) == 2
    assert client.info("persistence")["aof_rewrite_in_progress"] == 1


def test_a_server_that_was_demoted_is_left(calls: AutoPipeline | DirectCalls, client: "redis.Redis") -> None:
    """A demotion by hand breaks no connection: the server says READONLY, and there may be a primary now."""
    demote(client)
    with pytest.raises(ReadOnlyError):
        promise(calls)
    assert "replica" in refused(calls)
    client.replicaof("NO", "ONE")
    assert promise(calls) == 2


def test_a_primary_without_replicas_is_asked_for_anew(calls: AutoPipeline | DirectCalls, client: "redis.Redis") -> None:
    """It may be the old one, which nobody has told yet."""
    before = calls.command("CLIENT", "ID")
    client.config_set("min-replicas-to-write", 1)
    with pytest.raises(ResponseError, match="NOREPLICAS"):
        promise(calls)
    assert calls.command("CLIENT", "ID") != before
    client.config_set("min-replicas-to-write", 0)
    assert promise(calls) == 2


def demote(client: "redis.Redis") -> None:
    """To a replica of nobody who answers."""
    client.replicaof("127.0.0.1", "1")


def test_the_server_is_its_process_and_its_replication_id(own_redis: RedisServer, client: "redis.Redis") -> None:
    connection = ScriptConnection(own_redis.url, SCRIPTS)
    connection.connect()
    first = connection.server
    assert first
    assert (first.run_id, first.replication_id) == (
        client.info("server")["run_id"],
        client.info("replication")["master_replid"],
    )
    demote(client)
    client.replicaof("NO", "ONE")
    connection.disconnect()
    assert connection.server is None
    connection.connect()
    assert connection.server
    assert connection.server.run_id == first.run_id == connection.run_id
    assert connection.server.replication_id != first.replication_id
    connection.disconnect()


def test_where_replicas_may_be_promoted_a_write_has_to_reach_one() -> None:
    right = {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "maxmemory-policy": "noeviction",
        "maxmemory": "1",
        "min-replicas-to-write": "1",
        "min-replicas-max-lag": "10",
    }
    assert durability.missing(right, fails_over=True) == ""
    for name in ("min-replicas-to-write", "min-replicas-max-lag"):
        assert durability.missing(right | {name: "0"}, fails_over=True).startswith(name)
        assert durability.missing(right | {name: "0"}, fails_over=False) == ""
