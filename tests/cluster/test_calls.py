"""Where a call goes, what is sent again, and what is not: on a real cluster."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gevent
import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import ResponseError
from redis.retry import Retry

from seating.config import InvalidSettings
from seating.domain.position import Position
from seating.redis_store import keys, opening
from seating.redis_store.calls import Calls, RedisOutcomeUnknown
from seating.redis_store.event_log import open_log
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.plain_client import clients_of_primaries, plain_client
from seating.redis_store.server_figures import read
from seating.redis_store.write_check import RedisState, WriteCheck
from tests.clusters import Cluster, running_cluster
from tests.servers import wait_until

_EVENTS = [f"event-{number}" for number in range(40)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """No replica takes over while a test stops a primary."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), node_timeout_ms=600_000) as started:
        yield started


@pytest.fixture(params=[opening.pipelined, opening.direct])
def calls(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[Any]:
    for port in cluster.primaries():
        cluster.client(port).flushall()
    with closing(request.param(cluster.url)) as calls:
        yield calls


def count(calls: Calls, event: str) -> Any:
    return calls.command("HINCRBY", keys.retry(event), "counted", 1)


def count_by_script(calls: Calls, event: str) -> Any:
    """With two keys, as most scripts have."""
    return calls.script("count", (keys.retry(event), keys.retry_wait(event)), ("", "counted", 1))


def counted(calls: Calls, event: str) -> int:
    return int(calls.command("HGET", keys.retry(event), "counted"))


def test_each_call_goes_to_the_server_of_its_key(calls: Calls, cluster: Cluster) -> None:
    counts = [("HINCRBY", keys.retry(event), "counted", number) for number, event in enumerate(_EVENTS)]
    assert calls.commands(counts) == list(range(len(_EVENTS)))
    assert [counted(calls, event) for event in _EVENTS] == list(range(len(_EVENTS)))
    sizes = [cluster.client(port).dbsize() for port in cluster.primaries()]
    assert min(sizes) > 0
    assert sum(sizes) == len(_EVENTS)


def test_an_error_is_that_of_its_call(calls: Calls) -> None:
    with pytest.raises(ResponseError, match="unknown command"):
        calls.commands([("HINCRBY", keys.retry(_EVENTS[0]), "counted", 1), ("NONSENSE", keys.retry(_EVENTS[1]))])
    assert counted(calls, _EVENTS[0]) == 1


def test_a_call_follows_its_slot(calls: Calls, cluster: Cluster) -> None:
    """MOVED: each of the calls has run once."""
    for number in range(1, 4):
        assert count(calls, "moving") == number
        cluster.move("moving")
    assert counted(calls, "moving") == 3
    assert calls.scripts("look", [(keys.inventory(event),) for event in ("moving", *_EVENTS)], ("x",)) == [[]] * 41


def test_a_call_finds_its_key_on_the_way(calls: Calls, cluster: Cluster) -> None:
    """ASK: the key is there, its slot is not yet. A call with another key waits until it is (TRYAGAIN)."""
    count(calls, "on-its-way")
    with closing(opening.direct(cluster.url)) as others:
        waiting = []

        def meanwhile() -> None:
            assert count(calls, "on-its-way") == 2
            waiting.append(gevent.spawn(count_by_script, others, "on-its-way"))
            gevent.idle()

        cluster.move("on-its-way", meanwhile)
        assert waiting[0].get(timeout=30) == 1
    assert counted(calls, "on-its-way") == 3


def test_what_may_have_run_is_not_sent_again(cluster: Cluster) -> None:
    with closing(opening.direct(cluster.url, reply_within_s=0.5)) as calls:
        assert count(calls, "unanswered") == 1
        with cluster.paused(cluster.primary_of("unanswered")), pytest.raises(RedisOutcomeUnknown):
            count(calls, "unanswered")
        wait_until(lambda: counted(calls, "unanswered") == 2, what="the server to do it")
        assert count(calls, "unanswered") == 3


def test_a_doubt_reconnects_one_server(calls: Calls, cluster: Cluster) -> None:
    """Its connections are those of all events there."""
    key, mine = keys.inventory("doubted"), cluster.primary_of("doubted")

    def connections() -> dict[int, int]:
        """By port."""
        servers = zip(sorted(cluster.primaries()), calls.primaries(), strict=True)
        return {port: server.command("CLIENT", "ID") for port, server in servers}

    before = connections()

    def is_new() -> bool:
        calls.doubt(key, b"another server")
        return connections()[mine] != before[mine]

    wait_until(is_new, 60, "a new connection")
    after = connections()
    assert {port for port in before if after[port] != before[port]} == {mine}


def test_its_own_client_sends_it_again(cluster: Cluster) -> None:
    """The twin: why redis-py's cluster client is asked for slots only."""
    host, port = "127.0.0.1", cluster.servers[0]
    client = redis.RedisCluster(host, port, socket_timeout=0.5, retry=Retry(NoBackoff(), 20))  # type: ignore[abstract]
    name = keys.retry("twice")
    client.hincrby(name, "counted", 1)
    refreshed = client.nodes_manager._epoch
    with cluster.paused(cluster.primary_of("twice")):
        asking = gevent.spawn(client.hincrby, name, "counted", 1)
        wait_until(lambda: client.nodes_manager._epoch > refreshed, 60, "its first attempt to end")
    asking.get(timeout=60)
    wait_until(lambda: int(client.hget(name, "counted") or 0) > 2, what="a second increment")


def test_what_is_of_no_event_asks_every_primary(calls: Calls, cluster: Cluster) -> None:
    for event in _EVENTS:
        calls.command("HSET", keys.inventory(event), "epoch", "1")
    assert set(_EVENTS) <= set(OpenEvents(calls).ids())
    assert WriteCheck(calls, 75).run() == (RedisState.UP, "")
    figures = read(calls)
    assert figures.durable
    assert figures.memory_limit_bytes == 64 << 20
    first, *_ = cluster.primaries()
    cluster.client(first).config_set("min-replicas-to-write", 6)
    try:
        verdict = WriteCheck(calls, 75).run()
        assert verdict.state is RedisState.UP
        assert verdict.reason.startswith("1 of 3 primaries: refuses writes: NOREPLICAS")
    finally:
        cluster.client(first).config_set("min-replicas-to-write", 1)
    assert len(clients_of_primaries(cluster.url)) == 3


def test_new_entries_of_logs_in_many_slots(cluster: Cluster, calls: Calls) -> None:
    log = open_log(cluster.url)
    since = {event: Position(1, 1) for event in _EVENTS}
    assert log.after(since, 10, 0) == {}
    for event in _EVENTS[:7]:
        calls.command("XADD", keys.log(event), "1-2", "change", "{}", "link", "l")
    found = log.after(since, 10, 5000)
    assert {event: [entry.position for entry in entries] for event, entries in found.items()} == {
        event: [Position(1, 2)] for event in _EVENTS[:7]
    }


def test_a_queue_without_a_hash_tag_is_refused(cluster: Cluster) -> None:
    """This process has RQ's own prefix."""
    with pytest.raises(InvalidSettings, match="RQ_KEY_PREFIX"):
        plain_client(cluster.url)
