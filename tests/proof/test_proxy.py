"""The proxy breaks connections as it says."""

from collections.abc import Iterator

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.proof.proxy import Disturbance, Proxy
from tests.servers import RedisServer


@pytest.fixture
def proxy(redis_server: RedisServer, redis_url: str) -> Iterator[Proxy]:
    assert redis_url
    proxy = Proxy(redis_server.socket)
    yield proxy
    proxy.close()


@pytest.fixture
def client(proxy: Proxy) -> "redis.Redis":
    """It sends each command once."""
    return redis.Redis.from_url(proxy.url, retry=Retry(NoBackoff(), 0), decode_responses=True)


def test_undisturbed(client: "redis.Redis") -> None:
    value = "x" * 1_000_000
    assert client.set("key", value)
    assert client.get("key") == value


@pytest.mark.parametrize(
    ("disturbance", "ran"),
    [(Disturbance.RESET_BEFORE, 0), (Disturbance.RESET_AFTER, 1), (Disturbance.HALF_REPLY, 1)],
)
def test_a_connection_breaks(
    proxy: Proxy, client: "redis.Redis", redis_server: RedisServer, disturbance: Disturbance, ran: int
) -> None:
    client.ping()
    with proxy.disturbed(disturbance, 1.0), pytest.raises(redis.ConnectionError):
        client.incr("counter")
    assert int(redis_server.client().get("counter") or 0) == ran
    assert client.incr("counter") == ran + 1


def test_latency_keeps_the_order(proxy: Proxy, client: "redis.Redis") -> None:
    with proxy.disturbed(Disturbance.LATENCY, 0.5, latency_s=0.01):
        assert [client.incr("counter") for _ in range(50)] == list(range(1, 51))


def test_connections_are_cut_and_new_ones_lead_to_another_server(
    proxy: Proxy, client: "redis.Redis", own_redis: RedisServer
) -> None:
    feed = client.pubsub()
    feed.subscribe("channel")
    assert feed.get_message(timeout=10)
    client.set("key", "before")
    proxy.lead_to(own_redis.socket)
    with pytest.raises(redis.ConnectionError):
        feed.connection.read_response()
    assert redis.Redis.from_url(proxy.url).get("key") is None
