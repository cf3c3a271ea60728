from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from seating.domain.breaker import BreakerPolicy
from seating.redis_store.auto_pipeline import AutoPipeline
from seating.redis_store.breaker import Breaker
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import ScriptConnection
from seating.services import catalogue
from seating.services.catalogue import Catalogue
from seating.services.circuit_breakers import CircuitBreakers
from seating.upstream.partner_client import PartnerClient, PartnerLimits
from tests.catalogue.partner import Partner, fares_well
from tests.servers import RedisServer
from tests.system import System, running_system

DEADLINE_S = 15.0


@pytest.fixture
def partner() -> Iterator[Partner]:
    made = Partner(fares_well)
    yield made
    made.stop()


@pytest.fixture
def calls(redis_url: str) -> Iterator[AutoPipeline]:
    pipeline = AutoPipeline(ScriptConnection(redis_url, Scripts()))
    yield pipeline
    pipeline.close()


@pytest.fixture
def make(calls: AutoPipeline, partner: Partner) -> Iterator[Callable[..., Catalogue]]:
    """A catalogue of `partner`, whose breakers hardly ever open unless `threshold` says so."""
    clients: list[PartnerClient] = []

    def make_one(
        *,
        at_once: int = 64,
        threshold: int = 1000,
        deadline_s: float = DEADLINE_S,
        read_timeout_s: float = DEADLINE_S,
        reset_timeout_ms: int = 10_000,
    ) -> Catalogue:
        policy = BreakerPolicy(
            failure_threshold=threshold,
            failure_window_ms=30_000,
            reset_timeout_ms=reset_timeout_ms,
            max_reset_timeout_ms=60_000,
            probe_lease_ms=6_000,
        )
        guards = CircuitBreakers([Breaker(calls, kind, policy) for kind in catalogue.KINDS])
        client = PartnerClient(
            partner.url, PartnerLimits(connect_timeout_s=0.3, read_timeout_s=read_timeout_s, at_once=at_once)
        )
        clients.append(client)
        return Catalogue(client, guards, deadline_s)

    yield make_one
    for client in clients:
        client.close()


@contextmanager
def web_over(folder: Path, partner_url: str, **settings: str) -> Iterator[System]:
    """Web processes over a Redis and a database of their own."""
    with running_system(folder, "web", EVENT_API_BASE_URL=partner_url, **settings) as running:
        yield running


@pytest.fixture
def start(redis_server: RedisServer, tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Web processes over one Redis and one database; the first one started migrates."""
    redis_server.client().flushall()
    started: list[System] = []

    def start_one(base_url: str, **settings: str) -> System:
        folder = tmp_path / f"data-{len(started)}"
        database = f"sqlite:///{tmp_path / 'seating.db'}"
        system = System(folder, redis_server, database, EVENT_API_BASE_URL=base_url, **settings)
        started.append(system)
        return system.start("web")

    yield start_one
    for system in started:
        system.stop()
