"""Connections to the shared Redis as several processes have them, and a clock to move."""

from collections.abc import Callable, Iterator

import pytest
import redis

from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import ScriptConnection
from tests.moved_clock import MovedClock
from tests.servers import RedisServer

Process = Callable[..., AutoPipeline]


@pytest.fixture
def client(redis_server: RedisServer, redis_url: str) -> "redis.Redis":
    return redis_server.client()


@pytest.fixture
def clock(client: "redis.Redis") -> MovedClock:
    return MovedClock(client)


@pytest.fixture
def process(redis_url: str) -> Iterator[Process]:
    """Another connection to the same Redis, as another process has; with its own scripts if they are given."""
    opened: list[AutoPipeline] = []

    def connect(scripts: Scripts | None = None) -> AutoPipeline:
        opened.append(AutoPipeline(ScriptConnection(redis_url, scripts or Scripts())))
        return opened[-1]

    yield connect
    for calls in opened:
        calls.close()
