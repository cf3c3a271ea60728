"""The product as real processes, over stores that can be broken: what the faults of a chaos run act on."""

import http.client
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import ClassVar, Final, Literal

import psutil
import pytest
import redis
from sqlalchemy import text

from seating.redis_store import opening
from seating.redis_store.plain_client import plain_client
from seating.services.answered import Answered
from seating.services.books import Books
from seating.storage.database import Database
from tests.clusters import Cluster
from tests.launched import Launched
from tests.one_process import SHORT_LOGS, OneProcess
from tests.proof.proxy import Proxy
from tests.proof.stepped_clock import SteppedClock, SteppedRedis
from tests.servers import PostgresServer, RedisServer, wait_until

DatabaseKind = Literal["sqlite", "postgres"]

_DISK_MB: Final = 1024
_REDIS_MB: Final = 384
_NODE_TIMEOUT_MS: Final = 4000
"""Longer than a fault that no replica shall notice, on a slow machine too."""
_SETTINGS: Final = {
    "WEB_WORKERS": "2",
    "HOLD_TTL_S": "4",
    "HOLD_MAX_S": "12",
    "HOLD_EXTEND_STEP_S": "1",
    "HOLD_MAX_SEATS": "100000",
    "RATE_LIMIT_SALE": "off",
    "RATE_LIMIT_HOLDS": "off",
    "WEBHOOK_ALLOW_PRIVATE": "true",
    "LOG_LEVEL": "warning",
    "LIVE_QUEUE_KB": "64",
}


class Disk:
    """A folder on a tmpfs of its own, which can be filled; an ordinary folder where mounting is not allowed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "seating-proof", str(folder)]
        self.is_own = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0

    @contextmanager
    def full(self) -> Iterator[None]:
        """Leave hardly a byte, as if others had taken the rest."""
        # While we look, somebody writes: then it has more than the size we want.
        wait_until(lambda: self._resize(shutil.disk_usage(self.folder).used // 1024 + 4), what="a full disk")
        try:
            yield
        finally:
            assert self._resize(_DISK_MB * 1024)

    def remove(self) -> None:
        if self.is_own:
            subprocess.run(["umount", "--lazy", str(self.folder)], capture_output=True, check=False)

    def _resize(self, size_kb: int) -> bool:
        mount = ["mount", "-o", f"remount,size={size_kb}k", str(self.folder)]
        return subprocess.run(mount, capture_output=True, check=False).returncode == 0


class ChaosStage:
    """Redis behind a proxy, a database, and `seating up` over them. All of it in one folder but for Postgres."""

    cluster: Cluster | None = None
    _more_settings: ClassVar[dict[str, str]] = {}

    def __init__(self, folder: Path, kind: DatabaseKind, *, has_clock: bool = False) -> None:
        self.kind = kind
        self.folder = folder
        self.clock = SteppedClock(folder / "clock") if has_clock else None
        self.redis_disk = Disk(folder / "redis")
        self.data_disk = Disk(folder / "data")
        self._numbers = iter(range(1, 1_000_000))
        redis_url = self._start_redis()
        self.postgres: PostgresServer | None = None
        self._postgres_folder: tempfile.TemporaryDirectory[str] | None = None
        self.sqlite_file = self.data_disk.folder / "seating.db"
        self.database_url = f"sqlite:///{self.sqlite_file}"
        if kind == "postgres":
            self._postgres_folder = tempfile.TemporaryDirectory(prefix="seating-postgres-")
            self.postgres = PostgresServer(Path(self._postgres_folder.name))
            self.database_url = self.postgres.new_database_without_tables()
        settings = _SETTINGS | self._more_settings
        self.running = Launched(self.data_disk.folder, REDIS_URL=redis_url, DATABASE_URL=self.database_url, **settings)
        self.running.launch()
        self.running.wait_ready(180)

    def _start_redis(self) -> str:
        """Return the URL for the product."""
        self.redis = self.new_redis()
        self.redis.start()
        self.proxy = Proxy(self.redis.socket)
        return self.proxy.url

    def _stop_redis(self) -> None:
        self.redis.stop()
        self.proxy.close()

    def new_redis(self) -> RedisServer:
        """Not started yet."""
        folder = self.redis_disk.folder / str(next(self._numbers))
        return SteppedRedis(folder, _REDIS_MB, self.clock) if self.clock else RedisServer(folder, _REDIS_MB)

    def copy_path(self, name: str) -> Path:
        """Return a path at which nothing is yet, on a disk that is never full."""
        return self.folder / f"{name}-{next(self._numbers)}"

    def replace_redis(self, server: RedisServer) -> None:
        """Lead the product to another server, and end its connections to the one before."""
        self.redis = server
        self.proxy.lead_to(server.socket)

    @contextmanager
    def locked_sql(self) -> Iterator[None]:
        """Whoever wants to record waits."""
        database = Database(self.database_url, patient=True)
        try:
            with database.engine.begin() as connection:  # In SQLite that is the lock already.
                if self.kind == "postgres":
                    connection.execute(text("LOCK TABLE watermarks IN EXCLUSIVE MODE"))
                yield
        finally:
            database.close()

    def client(self, event_id: str = "") -> "redis.Redis":
        """Of the server that has the event, past the proxy."""
        return self.redis.client()

    def await_whole(self) -> None:
        """Wait until each server of Redis has the replica that it should have."""

    @contextmanager
    def books(self) -> Iterator[Books]:
        database = Database(self.database_url)
        yield OneProcess.build(self.redis.url, database).books
        database.close()

    def web_processes(self) -> list[psutil.Process]:
        return self.running.part("web").children()

    def wait_web(self) -> None:
        """Until a web process answers, whatever it says of the stores."""
        wait_until(self._answers, 90, "a web process to answer")

    def _answers(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self.running.get("/health").status == 200
        return False

    def close(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self.running.stop()
        self._stop_redis()
        if self.postgres and self._postgres_folder:
            self.postgres.stop()
            self._postgres_folder.cleanup()
        self.redis_disk.remove()
        self.data_disk.remove()


class ClusterStage(ChaosStage):
    """The same over a Redis Cluster, without a proxy: its servers tell their own addresses."""

    # RQ's keys need one slot.
    _more_settings: ClassVar = {"RQ_KEY_PREFIX": "{rq}"}

    def _start_redis(self) -> str:
        self.cluster = Cluster(self.redis_disk.folder, _NODE_TIMEOUT_MS, maxmemory_mb=_REDIS_MB)
        self.cluster.start()
        return self.cluster.url

    def _stop_redis(self) -> None:
        if self.cluster:
            self.cluster.stop()

    def client(self, event_id: str = "") -> "redis.Redis":
        assert self.cluster
        client: redis.Redis = self.cluster.client(self.cluster.primary_of(event_id))
        return client

    def await_whole(self) -> None:
        assert self.cluster
        self.cluster.await_whole()

    @contextmanager
    def books(self) -> Iterator[Books]:
        assert self.cluster
        url, database = self.cluster.url, Database(self.database_url)
        with pytest.MonkeyPatch.context() as patch, closing(opening.direct(url)) as calls:
            patch.setattr("rq.defaults.RQ_KEY_PREFIX", self._more_settings["RQ_KEY_PREFIX"])
            answered = Answered(database, calls.seen)
            yield OneProcess(url, database, calls, SHORT_LOGS, answered, plain_client(url)).books
        database.close()
