from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.inventory import Inventory
from seating.redis_store.open_events import OpenEvents
from seating.redis_store.persist_queue import PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.redis_store.process_reports import UpkeepReports
from seating.redis_store.write_check import WriteCheck
from seating.services.circuit_breakers import CircuitBreakers
from seating.services.readiness import Readiness
from seating.storage.database import Database, in_this_thread
from tests.one_process import OneProcess
from tests.servers import RedisServer

DEFAULT = "demo"

Watch = Callable[..., Readiness]


def readiness_of(sale: OneProcess, data_dir: Path) -> Readiness:
    """As a web process has them, over connections of their own."""
    own, shared = (DirectCalls(ScriptConnection(sale.redis_url, Scripts(), seen=sale.seen)) for _ in range(2))
    limits = {"backlog_max_entries": 100_000, "backlog_memory_percent": 90}
    return Readiness(
        writes=WriteCheck(own, 90),
        own_inventory=Inventory(own, **limits),
        inventory=Inventory(shared, **limits),
        open_events=OpenEvents(shared),
        reports=UpkeepReports(shared),
        queue=PersistQueue(plain_client(sale.redis_url)),
        breakers=CircuitBreakers([]),
        database=sale.database,
        data_dir=data_dir,
        offload=in_this_thread,
        replica=None,
        default_event=DEFAULT,
    )


@pytest.fixture
def one(own_redis: RedisServer, sqlite_url: str) -> Iterator[OneProcess]:
    """A sale over SQLite and a Redis that the test may break."""
    database = Database(sqlite_url)
    yield OneProcess.build(own_redis.url, database)
    database.close()


@pytest.fixture
def watch(one: OneProcess, tmp_path: Path) -> Iterator[Watch]:
    """Starts to look, as a process that has just begun; some of its sources may be others."""
    started: list[Readiness] = []

    def start(default_event: str = DEFAULT, **others: Any) -> Readiness:
        started.append(replace(readiness_of(one, tmp_path), default_event=default_event, **others))
        started[-1].start()
        return started[-1]

    yield start
    for readiness in started:
        readiness.close()
