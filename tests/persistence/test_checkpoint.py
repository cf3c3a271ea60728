"""SQLite's WAL stays small, whoever writes it, and nobody begins it anew while it is copied."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gevent import get_hub
from sqlalchemy import Connection

from seating.domain.errors import RecordUnavailable
from seating.domain.user import User
from seating.redis_store.persist_queue import CHECKPOINT_JOB, PersistQueue
from seating.redis_store.plain_client import plain_client
from seating.storage import users
from seating.storage.database import Database
from tests.one_process import OneProcess, on_sqlite
from tests.servers import wait_until
from tests.system import PROJECT

pytestmark = on_sqlite  # Postgres has no such file.

SMALL = 1_000_000


@pytest.fixture
def web(sale: OneProcess) -> Iterator[Database]:
    """As a web process has it: greenlets wait for threads. The worker has a connection, so no other is the last one."""
    sale.database.write(lambda _connection: None)
    opened = Database(sale.database.url, offload=get_hub().threadpool.apply)
    yield opened
    opened.close()


def create_users(web: Database, first: int, count: int) -> None:
    def create(connection: Connection) -> None:
        for number in range(first, first + count):
            users.add(connection, User(f"user-{number}", "N" * 500, f"{number}@example.com", "free", True, 0))

    web.write(create)


def fill(web: Database) -> int:
    """Creates users until the WAL is large, and says how many."""
    created = 0
    while not web.wal_is_large():
        create_users(web, created, 1000)
        created += 1000
    return created


def wal_bytes(database: Database) -> int:
    return Path(f"{database.engine.url.database}-wal").stat().st_size


def test_where_only_users_are_created_the_worker_is_asked(sale: OneProcess, web: Database) -> None:
    created = fill(web)
    queue = PersistQueue(plain_client(sale.redis_url))
    sale.upkeep(queue).tick()
    assert [job.func_name for job in queue.queue.jobs] == [CHECKPOINT_JOB]
    settings = {"REDIS_URL": sale.redis_url, "DATABASE_URL": sale.database.url, "SEATING_DEVELOPMENT": "true"}
    worker = subprocess.Popen([sys.executable, "-m", "seating", "worker"], cwd=PROJECT, env=os.environ | settings)
    try:
        wait_until(lambda: wal_bytes(web) < SMALL)
    finally:
        worker.terminate()
        worker.wait()
    assert web.read(lambda connection: users.find(connection, f"user-{created - 1}"))


def test_nobody_writes_meanwhile(sale: OneProcess, web: Database) -> None:
    fill(web)
    with sale.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout=50")  # It is the one that the pool gives out again.
    with web.engine.begin():
        with pytest.raises(RecordUnavailable):
            sale.database.checkpoint()
        assert web.wal_is_large()
    sale.database.checkpoint()
    assert wal_bytes(web) < SMALL


def test_a_plain_checkpoint_waits_for_no_writer(sale: OneProcess, web: Database) -> None:
    """The twin of the test above."""
    fill(web)
    with web.engine.begin():
        sale.database._copy_wal()
    create_users(web, 10_000_000, 1)
    assert wal_bytes(web) < SMALL
