from collections.abc import Iterator

import pytest
import redis

from tests.redis_store.tcp_proxy import TcpProxy
from tests.servers import RedisServer


@pytest.fixture
def proxy(redis_url: str) -> Iterator[TcpProxy]:
    proxy = TcpProxy(redis_url.removeprefix("unix://"))
    yield proxy
    proxy.refuse()


@pytest.fixture
def direct(redis_server: RedisServer) -> Iterator["redis.Redis"]:
    """Past the proxy, to Redis as it is."""
    with redis_server.client() as client:
        yield client
