"""While SQL is locked by another writer, who writes waits, and nobody else does."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from tests.servers import RedisServer, wait_until
from tests.system import System

NEW_USER = b'{"name":"A","email":"a@example.com"}'
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def system(own_redis: RedisServer, tmp_path: Path) -> Iterator[System]:
    """One web process over SQLite."""
    database = f"sqlite:///{tmp_path / 'seating.db'}"
    running = System(tmp_path / "data", own_redis, database, RATE_LIMIT_USERS="off")
    yield running.start("web")
    running.stop()


def test_a_user_who_cannot_be_written_yet_holds_nobody_up(system: System, tmp_path: Path) -> None:
    assert system.get("/users/1").status == 200
    lock = sqlite3.connect(tmp_path / "seating.db", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    creating = gevent.spawn(system.request, "POST", "/users", NEW_USER, JSON)
    answered_s = []
    locked_at = time.monotonic()
    while time.monotonic() - locked_at < 2:
        started = time.monotonic()
        assert [system.get(path).status for path in ("/health", "/users/1", "/users/2")] == [200] * 3
        assert system.buy(1).status == 200
        answered_s.append(time.monotonic() - started)
    assert not creating.ready()
    lock.execute("ROLLBACK")
    lock.close()
    assert creating.get(timeout=20).status == 201
    # A lock is waited for in steps; in the hub's thread, the very first of these would have waited until it was gone.
    assert len(answered_s) > 2
    assert max(answered_s) < 1.5
    wait_until(lambda: len(system.get("/users").json) == 6)
