"""What the tests share: their own Redis and Postgres, on sockets and ports of their own, in temporary folders."""

from gevent import monkey

# Sockets and sleeps wait as greenlets do, as in the product's web processes. Threads stay: pytest's plugins use them.
monkey.patch_all(thread=False, queue=False, subprocess=False, signal=False, os=False)

import gc  # noqa: E402
import os  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from functools import cache  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
import structlog  # noqa: E402
from xdist.scheduler import LoadScopeScheduling  # noqa: E402

from seating.storage.database import Database  # noqa: E402
from tests import frozen_clock  # noqa: E402
from tests.one_process import OneProcess  # noqa: E402
from tests.servers import PostgresServer, RedisServer, new_sqlite  # noqa: E402
from tests.system import System, running_system  # noqa: E402

# Rich draws a traceback in seconds.
_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 6_000_000_000


def _is_fit() -> bool:
    """Containers have little of it, and none for programs."""
    return (
        _MEMORY.is_dir()
        and not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
        and shutil.disk_usage(_MEMORY).free > _ENOUGH_BYTES
    )


if "TMPDIR" not in os.environ and _is_fit():
    # Stores sync every change, which takes a disk milliseconds, thousands of times. No test pulls its plug.
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


class _Scheduling(LoadScopeScheduling):
    """Runs a file with fixtures for the whole file in one process: both would start its servers otherwise."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, _ = nodeid.partition("::")
        return file if _has_shared_fixtures(self.config.rootpath / file) else nodeid


@cache
def _has_shared_fixtures(file: Path) -> bool:
    return 'scope="module"' in file.read_text()


def pytest_collection_finish() -> None:
    """Exclude permanent objects, libraries and tests, from garbage collection: to look at them all takes long."""
    gc.collect()
    gc.freeze()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling:
    return _Scheduling(config, log)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for the tests that do not break it."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """An empty Redis."""
    redis_server.client().flushall()
    return redis_server.url


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A server for one test alone, which may kill it."""
    server = RedisServer(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Not in pytest's folders: it may run as another user, and pytest closes those to all others when it starts."""
    with tempfile.TemporaryDirectory(prefix="seating-postgres-") as folder:
        server = PostgresServer(Path(folder), "autovacuum=off")
        yield server
        server.stop()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return new_sqlite(tmp_path / "seating.db")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of each kind."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database()


@pytest.fixture(params=["sqlite", "postgres"])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of each kind without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'bare.db'}"
    server: PostgresServer = request.getfixturevalue("postgres_server")
    return server.new_database_without_tables()


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole product over SQLite, for the tests that leave it as it is but for seats sold on events of their own."""
    folder = tmp_path_factory.mktemp("system")
    with running_system(folder, WEB_WORKERS="2", RATE_LIMIT_USERS="1000/1s") as running:
        yield running


@pytest.fixture
def sale(redis_url: str, database_url: str) -> Iterator[OneProcess]:
    """Over each kind of database."""
    database = Database(database_url, checkpoints=True)
    yield OneProcess.build(redis_url, database)
    database.close()


@pytest.fixture
def moved(redis_url: str, database_url: str) -> Iterator[OneProcess]:
    """As `sale`, by a clock that stands still until it is moved."""
    database = Database(database_url, checkpoints=True)
    one = OneProcess.build(redis_url, database, frozen_clock.scripts())
    one.calls.command("SET", frozen_clock.CLOCK, frozen_clock.NOON_MS)
    yield one
    database.close()
