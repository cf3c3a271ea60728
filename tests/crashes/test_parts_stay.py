"""Worker and cron say that they began, and stay when Redis is killed: idle, and in the middle of a job."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from seating.domain.purchase import Order
from seating.redis_store.calls import Scripts
from seating.redis_store.connection import DirectCalls, ScriptConnection
from seating.redis_store.inventory import Inventory
from tests.servers import RedisServer, new_sqlite, wait_until
from tests.system import Part, System


@pytest.fixture
def background(own_redis: RedisServer, tmp_path: Path) -> Iterator[System]:
    """Without web."""
    running = System(tmp_path / "data", own_redis, new_sqlite(tmp_path / "seating.db"))
    yield running.start("worker", "cron")
    running.stop()


def _logged(part: Part, event: str) -> int:
    """How many lines tell of `event`, the one that is being written aside."""
    whole, _, _ = part.log.read_text().rpartition("\n")
    return sum(json.loads(line)["event"] == event for line in whole.splitlines())


def _buy(system: System, key: str) -> None:
    calls = DirectCalls(ScriptConnection(system.redis.url, Scripts()))
    Inventory(calls, backlog_max_entries=1000, backlog_memory_percent=95).purchase("demo", "anonymous", key, Order(1))
    calls.close()


def test_parts_stay_when_redis_is_killed(background: System, own_redis: RedisServer, tmp_path: Path) -> None:
    worker, cron = (background.parts[name] for name in ("worker", "cron"))
    wait_until(lambda: (_logged(worker, "worker began"), _logged(cron, "cron began")) == (1, 1), 30, "both to begin")
    with closing(sqlite3.connect(tmp_path / "seating.db", isolation_level=None)) as sql:
        sql.execute("BEGIN IMMEDIATE")
        _buy(background, "in-a-job")
        wait_until(lambda: own_redis.client().keys("rq:execution:*"), 30, "a job that waits for SQL")
        own_redis.kill()
        sql.execute("ROLLBACK")
        wait_until(lambda: _logged(worker, "worker stopped") >= 1, 30, "the worker to miss Redis")
        own_redis.start()
        wait_until(lambda: _logged(worker, "worker began") == 2, 30, "the worker to begin again")
        recorded = "SELECT count(*) FROM purchases"
        wait_until(lambda: sql.execute(recorded).fetchone() == (1,), 30, "the purchase to be recorded")
    assert [part.process.poll() for part in (worker, cron)] == [None, None]
    assert [part.stop() for part in (worker, cron)] == [0, 0]
