"""The SQL database: SQLite or Postgres, reached so that a wait for it never stops the process's other work."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool, QueuePool

from seating.domain.errors import RecordUnavailable
from seating.storage import postgres

_T = TypeVar("_T")
_P = ParamSpec("_P")
Row = tuple[str | int | None, ...]
Offload = Callable[[Callable[[], Any]], Any]

# Locks, lost connections, full disks: trying again later may help. A refused row is none of these.
_PASSING = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)

_LARGE_WAL_BYTES: Final = 4_000_000

_ROWS_AT_ONCE: Final = 1_000
"""Rows that Postgres has to take within the time for one reply."""

LOCK_WAIT_S: Final = 5
"""How long a statement on SQLite waits for another writer before it is given up, to be tried later."""

_SILENCE_S = 1.0
"""An error that took so long is that of a database which hangs, not of one that refuses."""
_SPARED_S = 3.0


def in_this_thread(work: Callable[[], _T]) -> _T:
    return work()


class Database:
    """`offload` runs a blocking function and returns its result; greenlets use a thread pool for it.

    `checkpoints` is for the one process that writes the sale: all others leave SQLite's WAL to its `checkpoint`.
    `patient` is for commands whose statements on Postgres may take minutes; all others are told within 10 s that it
    does not answer.
    """

    def __init__(
        self, url: str, *, offload: Offload = in_this_thread, checkpoints: bool = False, patient: bool = False
    ) -> None:
        self.url: Final = url
        self._offload = offload
        # Threads make the first connection under a lock of SQLAlchemy's, and gevent's locks are for greenlets: threads
        # that met at it would wait for ever.
        self._is_connected = offload is in_this_thread
        self._connecting = threading.Lock()
        sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine: Final = (
            _sqlite_engine(url, checkpoints=checkpoints) if sqlite else postgres.engine(url, patient=patient)
        )
        self._silent_until_s = 0.0
        self._reading = self.engine.execution_options(begin="BEGIN")
        # A transaction of SQLite sees one moment anyway.
        self._snapshot = self._reading if sqlite else self.engine.execution_options(isolation_level="REPEATABLE READ")

    def read(self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """The result of `query` with these arguments. Raises RecordUnavailable where the database does not answer."""
        return self._run(self._reading, query, *args, **kwargs)

    def read_snapshot(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """As `read`, where `query` asks several times and has to see one moment of the database."""
        return self._run(self._snapshot, query, *args, **kwargs)

    def write(self, change: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """`change`'s result, committed. Raises RecordUnavailable, or what the database says against the change."""
        return self._run(self.engine, change, *args, **kwargs)

    def wal_is_large(self) -> bool:
        """Whether SQLite has written so much beside its database that `checkpoint` is due."""
        path = self.engine.url.database
        if self.engine.dialect.name != "sqlite" or path is None:
            return False
        try:
            return Path(f"{path}-wal").stat().st_size > _LARGE_WAL_BYTES
        except FileNotFoundError:
            return False

    def checkpoint(self) -> None:
        """Copies SQLite's WAL into the database and begins it anew, unless somebody still reads from it.

        Nobody writes meanwhile: before SQLite 3.51.3, a writer that begins the WAL anew while another connection copies
        it may damage the database (https://sqlite.org/wal.html#walresetbug). Raises RecordUnavailable.
        """
        self.write(lambda _connection: self._copy_wal())
        # Any change begins the WAL anew, once all of it has been copied.
        self.write(lambda connection: connection.exec_driver_sql("PRAGMA user_version=0"))

    def _copy_wal(self) -> None:
        beside = self.engine.raw_connection()
        try:
            beside.cursor().execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            beside.close()

    def close(self) -> None:
        self.engine.dispose()

    def _run(
        self, engine: Engine, work: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        def in_transaction() -> _T:
            with engine.begin() as connection:
                return work(connection, *args, **kwargs)

        begun_s = monotonic()
        if begun_s < self._silent_until_s:
            raise RecordUnavailable from TimeoutError("the database was silent a moment ago")
        try:
            if not self._is_connected:
                self._connect_first()
            result: _T = self._offload(in_transaction)
        except _PASSING as error:
            self._note_silence(error, monotonic() - begun_s)
            raise RecordUnavailable from error
        return result

    def _note_silence(self, error: Exception, waited_s: float) -> None:
        """Who asks for many events one by one must not wait for each of them."""
        if waited_s >= _SILENCE_S and postgres.is_silence(getattr(error, "orig", None)):
            self._silent_until_s = monotonic() + _SPARED_S

    def _connect_first(self) -> None:
        with self._connecting:
            if not self._is_connected:
                self._offload(lambda: self.engine.connect().close())
                self._is_connected = True


def insert_many(connection: Connection, columns: Sequence[Column[str] | Column[int]], rows: list[Row]) -> None:
    """Insert `rows` in one statement, without what SQLAlchemy does for each row.

    They are texts and numbers, which drivers take as they are, one for each of `columns` of one table. Raises what an
    insert of SQLAlchemy's does.
    """
    placeholder = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    names, values = ", ".join(column.name for column in columns), ", ".join([placeholder] * len(columns))
    statement = f"INSERT INTO {columns[0].table.name} ({names}) VALUES ({values})"
    for first in range(0, len(rows), _ROWS_AT_ONCE):
        connection.exec_driver_sql(statement, rows[first : first + _ROWS_AT_ONCE])


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Insert those of `rows` whose keys are not there yet."""
    if rows:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _sqlite_engine(url: str, *, checkpoints: bool) -> Engine:
    # Greenlets get no pool: its lock would be shared with the threads that their work is offloaded to. The writer keeps
    # its connection open, so that no other process closes the last one, which would make that process checkpoint.
    engine = create_engine(
        url,
        hide_parameters=True,  # Errors go to logs, parameters are data.
        poolclass=QueuePool if checkpoints else NullPool,
        connect_args={"timeout": LOCK_WAIT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # SQLAlchemy says BEGIN below; sqlite3 must not say one of its own, or savepoints break.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        # Whoever begins the WAL anew cuts it to what it needs, so that its size says how much is in it.
        connection.execute("PRAGMA journal_size_limit=0")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))

    return engine
