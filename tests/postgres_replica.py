"""A streaming replica of the tests' Postgres."""

import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.servers import PostgresServer, wait_until


class PostgresReplica:
    """Follows the whole server of `database_url`; `url` is the same database on it."""

    def __init__(self, server: PostgresServer, database_url: str) -> None:
        primary = make_url(database_url)
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="seating-replica-"))
        if server.owner:
            shutil.chown(self._folder, server.owner)
        self.url = primary.set(query={**primary.query, "host": str(self._folder)}).render_as_string(hide_password=False)
        where = ["-h", str(primary.query["host"]), "-p", "5432", "-U", "postgres"]
        copied = ["-D", str(self._folder / "data"), "-R", "-c", "fast", "--no-sync"]
        assert self._run("pg_basebackup", *where, *copied).wait() == 0
        self.start()

    def start(self) -> None:
        where = ["-h", "", "-k", str(self._folder), "-p", "5432"]
        self._process = self._run("postgres", "-D", str(self._folder / "data"), *where, "-c", "fsync=off")
        wait_until(lambda: self._answers, 60, "the replica to answer")

    def hold(self) -> None:
        """Apply nothing more, until `go_on`."""
        self._ask("SELECT pg_wal_replay_pause()")
        wait_until(lambda: self._ask("SELECT pg_get_wal_replay_pause_state()") == "paused", what="the replay to pause")

    def go_on(self) -> None:
        self._ask("SELECT pg_wal_replay_resume()")

    def catch_up(self, database_url: str) -> None:
        """Wait until it has what the primary has now."""
        written = _ask(database_url, "SELECT pg_current_wal_lsn() - '0/0'")
        wait_until(lambda: self._ask("SELECT pg_last_wal_replay_lsn() - '0/0'") >= written, 30, "the replica")

    def stop(self) -> None:
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=20)

    def remove(self) -> None:
        if self._process.poll() is None:
            self.stop()
        shutil.rmtree(self._folder)

    @property
    def _answers(self) -> bool:
        try:
            return bool(self._ask("SELECT pg_is_in_recovery()"))
        except OperationalError:
            return False

    def _ask(self, query: str) -> object:
        return _ask(self.url, query)

    def _run(self, name: str, *arguments: str) -> "subprocess.Popen[bytes]":
        command = [self._server.programs / name, *arguments]
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, user=self._server.owner, cwd=self._folder)


def _ask(url: str, query: str) -> object:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.execute(text(query)).scalar()
    finally:
        engine.dispose()
