"""The SQL database, SQLite or Postgres. Waiting for it never blocks the process's other work."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Column, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool, QueuePool

from seating.domain.errors import RecordUnavailable
from seating.storage import postgres, schema_version

_T = TypeVar("_T")
_P = ParamSpec("_P")
Row = tuple[str | int | None, ...]
Offload = Callable[[Callable[[], Any]], Any]

# Locks, lost connections, full disks: a later retry may succeed. A rejected row is never one of these.
PASSING: Final = (OperationalError, InterfaceError, InternalError, PoolTimeoutError)

# About the 1,000 pages at which SQLite would checkpoint by itself.
_LARGE_WAL_BYTES: Final = 4_000_000

_VALUES_AT_ONCE: Final = 1_000
"""Per statement: Postgres must insert so many rows within its statement timeout."""

LOCK_WAIT_S: Final = 5
"""How long a statement on SQLite waits for another writer before it fails, to be retried later."""

_SILENCE_S = 1.0
"""An error that took this long means a database that hangs, not one that refuses."""
_SPARED_S = 3.0
"""How long callers fail at once after a silence."""


def in_this_thread(work: Callable[[], _T]) -> _T:
    return work()


class Database:
    """`offload` runs a blocking function and returns its result; greenlets pass a thread pool's.

    Set `checkpoints` only in the process that records the sale: it alone checkpoints SQLite's WAL.
    Set `patient` for commands whose Postgres statements may take minutes; otherwise they fail after 10 s.
    """

    def __init__(
        self, url: str, *, offload: Offload = in_this_thread, checkpoints: bool = False, patient: bool = False
    ) -> None:
        self.url: Final = url
        self._offload = offload
        # SQLAlchemy takes a lock for the first connection. gevent has patched that lock for greenlets, so offloaded
        # threads that contend for it would deadlock.
        self._is_connected = offload is in_this_thread
        self._connecting = threading.Lock()
        sqlite = make_url(url).get_backend_name() == "sqlite"
        self.engine: Final = (
            _sqlite_engine(url, checkpoints=checkpoints) if sqlite else postgres.engine(url, patient=patient)
        )
        self._silent_until_s = 0.0
        # By default, a transaction on SQLite begins as a writer, of which there is one at a time.
        self._reading = self.engine.execution_options(begin="BEGIN")
        # Every SQLite transaction is a snapshot already.
        snapshot = "BEGIN" if sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ"
        self._snapshot = self.engine.execution_options(begin=snapshot)

    def read(self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return the result of `query`, called with these arguments.

        Raises RecordUnavailable; WrongTables, which is one, if the tables are of another version.
        """
        return self._run(self._reading, query, *args, **kwargs)

    def read_snapshot(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """Like `read`, but all statements of `query` see the same snapshot of the database."""
        return self._run(self._snapshot, query, *args, **kwargs)

    def write(self, change: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Commit `change` and return its result. Raises RecordUnavailable, or the database's error if it rejects it."""
        return self._run(self.engine, change, *args, **kwargs)

    def wal_is_large(self) -> bool:
        """Return whether SQLite's WAL is so large that `checkpoint` is due."""
        path = self.engine.url.database
        if self.engine.dialect.name != "sqlite" or path is None:
            return False
        try:
            return Path(f"{path}-wal").stat().st_size > _LARGE_WAL_BYTES
        except FileNotFoundError:
            return False

    def checkpoint(self) -> None:
        """Copies SQLite's WAL into the database and begins it anew, unless somebody still reads from it.

        Writers are locked out meanwhile: before SQLite 3.51.3, a writer that resets the WAL while another connection
        copies it may corrupt the database (https://sqlite.org/wal.html#walresetbug). Raises RecordUnavailable.
        """
        self.write(lambda _connection: self._copy_wal())
        # Once the whole WAL has been copied, any write resets it.
        self.write(lambda connection: connection.exec_driver_sql("PRAGMA user_version=0"))

    def _copy_wal(self) -> None:
        # No connection can checkpoint within its own transaction. PASSIVE, as FULL, RESTART and TRUNCATE wait for the
        # writer's lock, which `checkpoint` holds.
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
            raise RecordUnavailable from TimeoutError("the database timed out a moment ago")
        try:
            if not self._is_connected:
                self._connect_first()
            result: _T = self._offload(in_transaction)
        except PASSING as error:
            self._note_silence(error, monotonic() - begun_s)
            self._check_tables_after(error)
            raise RecordUnavailable from error
        except DatabaseError as error:
            self._check_tables_after(error)
            raise
        return result

    def _check_tables_after(self, error: Exception) -> None:
        """Raises WrongTables if that explains `error`."""

        def check() -> None:
            with self._reading.begin() as connection:
                schema_version.check(connection)

        if schema_version.may_explain(error):
            with suppress(SQLAlchemyError):
                self._offload(check)

    def _note_silence(self, error: Exception, waited_s: float) -> None:
        """After a silence, fail at once for a while: a caller that reads many events must not wait for each of them."""
        if waited_s >= _SILENCE_S and postgres.is_silence(getattr(error, "orig", None)):
            self._silent_until_s = monotonic() + _SPARED_S

    def _connect_first(self) -> None:
        with self._connecting:
            if not self._is_connected:
                self._offload(lambda: self.engine.connect().close())
                self._is_connected = True


def batches(values: Sequence[_T]) -> Iterator[list[_T]]:
    """The values in parts that one statement can carry."""
    for first in range(0, len(values), _VALUES_AT_ONCE):
        yield list(values[first : first + _VALUES_AT_ONCE])


def insert_many(connection: Connection, columns: Sequence[Column[str] | Column[int]], rows: list[Row]) -> None:
    """Insert `rows`, one value for each of `columns`, without SQLAlchemy's cost per row.

    Values are strings and numbers, which drivers take as they are. All columns belong to one table. Raises what
    SQLAlchemy's insert raises.
    """
    names = [column.name for column in columns]
    statement = f"INSERT INTO {columns[0].table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    for part in batches(rows):
        if connection.dialect.name == "postgresql":
            postgres.copy_in(connection, columns[0].table.name, names, part)
        else:
            connection.exec_driver_sql(statement, part)


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    """Insert the rows whose keys do not exist yet."""
    if rows:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), rows)


def _sqlite_engine(url: str, *, checkpoints: bool) -> Engine:
    # No pool for greenlets: they would share its lock with the threads that run their queries. The writer keeps its
    # connection open, because the process that closes the last connection checkpoints.
    engine = create_engine(
        url,
        hide_parameters=True,  # Errors are logged; parameters are personal data.
        poolclass=QueuePool if checkpoints else NullPool,
        connect_args={"timeout": LOCK_WAIT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        # The listener below sends BEGIN. If sqlite3 sent its own, savepoints would break.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        # NORMAL does not sync the WAL at a commit: a power cut could undo what Redis was told is recorded.
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # The automatic checkpoint locks no writer out, as `checkpoint` has to.
        connection.execute("PRAGMA wal_autocheckpoint=0")
        # A reset truncates the file, so its size is the amount of data in it.
        connection.execute("PRAGMA journal_size_limit=0")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # As a writer: one that reads first cannot write once another has, however long it waits.
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN IMMEDIATE"))

    return engine
