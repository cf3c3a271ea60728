from collections.abc import Callable, Iterator
from importlib import resources

import pytest

from seating.domain.breaker import BreakerPolicy
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.breaker import Breaker
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import ScriptConnection
from tests.servers import RedisServer

POLICY = BreakerPolicy(
    failure_threshold=3,
    failure_window_ms=30_000,
    reset_timeout_ms=10_000,
    max_reset_timeout_ms=60_000,
    probe_lease_ms=6_000,
)


class Bench:
    """Breakers over one Redis whose scripts read a clock that the test moves."""

    CLOCK = "local function now_ms() return tonumber(redis.call('GET', 'test:now')) end\n"

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self._redis = server.client()
        self._redis.flushall()
        self._pipelines: list[AutoPipeline] = []
        self.now_ms = 1_700_000_000_000
        self.advance(0)

    def advance(self, ms: int) -> None:
        self.now_ms += ms
        self._redis.set("test:now", self.now_ms)

    def breaker(
        self,
        name: str = "guarded",
        jitter: Callable[[], float] = lambda: 0.0,
        policy: BreakerPolicy = POLICY,
        **replaced: str,
    ) -> Breaker:
        """One more holder of the breaker `name`, over a connection of its own, as another process would have."""
        calls = AutoPipeline(ScriptConnection(self._server.url, Scripts(replaced={"clock": self.CLOCK, **replaced})))
        self._pipelines.append(calls)
        return Breaker(calls, name, policy, jitter, clock_ms=lambda: self.now_ms)

    def close(self) -> None:
        for calls in self._pipelines:
            calls.close()


@pytest.fixture
def bench(redis_server: RedisServer) -> Iterator[Bench]:
    made = Bench(redis_server)
    yield made
    made.close()


def script_without(name: str, guard: str, instead: str = "") -> str:
    """The script's own text with `guard` taken out."""
    source = (resources.files("seating.redis_store") / "lua" / f"{name}.lua").read_text()
    assert guard in source
    return source.replace(guard, instead)
