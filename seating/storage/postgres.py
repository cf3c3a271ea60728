"""Connections to Postgres with a limit for every wait, whether the server, the host or the network hangs.

A connection keeps nothing from one transaction to the next, so that PgBouncer may give each another one: no startup
options, no session settings, no prepared statements. Nor does it use what others have set there.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

_CONNECT_WITHIN_S: Final = 2
"""For each address of the host."""
_LOCK_WITHIN_S: Final = 3
_PATIENT_LOCK_WITHIN_S: Final = 5
_STATEMENT_WITHIN_S: Final = 4
_NEXT_STATEMENT_WITHIN_S: Final = 10
"""Within a transaction: one whose machine was cut off keeps its locks no longer."""
# Keepalives do not notice a server that is frozen, as its kernel goes on answering. Longer than a statement may take:
# this limit costs the connection.
_REPLY_WITHIN_S: Final = 5.0
_FREE_CONNECTION_WITHIN_S: Final = 2.0

# Lets the kernel detect a dead host on connections that are idle or wait patiently.
_KEEPALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}
_SERVER_KEEPALIVE: Final = tuple(
    f"tcp_{name} = {value}" for name, value in _KEEPALIVE.items() if name.startswith("keepalives_")
)
"""The same for the server: by default it takes two hours to notice that a client's machine is gone."""


def engine(url: str, *, patient: bool) -> Engine:
    """Return an engine whose statements fail after a few seconds or, if `patient`, have no time limit.

    A connection that times out is closed, and the pool then replaces all connections older than that.
    """
    # pg_dump leaves an empty search path on a connection that PgBouncer then gives to us.
    local = ["search_path = DEFAULT", f"lock_timeout = '{_PATIENT_LOCK_WITHIN_S if patient else _LOCK_WITHIN_S}s'"]
    if patient:
        local += _SERVER_KEEPALIVE
    else:
        local.append(f"statement_timeout = '{_STATEMENT_WITHIN_S}s'")
        local.append(f"idle_in_transaction_session_timeout = '{_NEXT_STATEMENT_WITHIN_S}s'")
    set_local = "".join(f"; SET LOCAL {setting}" for setting in local)
    own = {"connect_timeout": _CONNECT_WITHIN_S, "prepare_threshold": None, "autocommit": True}
    made = create_engine(
        url,
        hide_parameters=True,  # Errors are logged; parameters are personal data.
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=4,
        pool_timeout=_FREE_CONNECTION_WITHIN_S,
        # A connection that the server closed while it was idle must not fail a request.
        pool_pre_ping=True,
        connect_args=own | _KEEPALIVE,
    )
    # Many rows per statement: one by one, a large event would exceed the time for one reply.
    made.dialect.use_insertmanyvalues_wo_returning = True

    # The driver would send a BEGIN of its own, with a round trip for it.
    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"{connection.get_execution_options().get('begin', 'BEGIN')}{set_local}")

    if not patient:

        @event.listens_for(made, "do_connect")
        def connect(_dialect: Any, _record: Any, words: tuple[Any, ...], options: dict[str, Any]) -> Any:
            return _BoundedConnection.connect(*words, **options)

    return made


def copy_in(
    connection: Connection, table: str, names: Sequence[str], rows: Iterable[Sequence[str | int | None]]
) -> None:
    """Insert rows with COPY: half the time of prepared INSERTs. Raises what SQLAlchemy's insert raises."""
    statement = f"COPY {table} ({', '.join(names)}) FROM STDIN"
    driver: Any = connection.connection
    try:
        with driver.cursor().copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # The rest of its text quotes the row, which has personal data.
        bare = type(error)(error.diag.message_primary or str(error))
        dialect = connection.dialect
        raise DBAPIError.instance(statement, None, bare, psycopg.Error, hide_parameters=True, dialect=dialect) from bare


def is_silence(error: BaseException | None) -> bool:
    """Return whether the error means that the server did not respond, rather than that it rejected the statement."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


class _BoundedConnection(psycopg.Connection[Any]):
    """Limits the wait for a server that does not respond; the server's own timeouts only limit its work."""

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = _REPLY_WITHIN_S) -> Any:
        try:
            return super().wait(gen, interval, timeout or _REPLY_WITHIN_S)
        except _WaitTimeout:
            # SQLAlchemy counts only a closed connection as lost; any other would go back to the pool.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no reply within {_REPLY_WITHIN_S:.0f} s") from None
