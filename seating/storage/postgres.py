"""Connections to Postgres that nobody waits for without end, whatever hangs: server, host or network."""

from typing import Any, Final

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import QueuePool

_CONNECT_WITHIN_S: Final = 2
"""To each address of the host."""
_LOCK_WITHIN_S: Final = 3
_PATIENT_LOCK_WITHIN_S: Final = 5
_STATEMENT_WITHIN_S: Final = 4
_REPLY_WITHIN_S: Final = 5.0
_FREE_CONNECTION_WITHIN_S: Final = 2.0

# What the kernel does about a host that is gone while nobody, or somebody who is patient, waits for it.
_KEEPALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
}


def engine(url: str, *, patient: bool) -> Engine:
    """Return an engine whose statements fail after a few seconds, or, if `patient`, take as long as they take.

    A connection that was given up is closed, and the pool leaves all those that are older than its loss.
    """
    options = f"-c lock_timeout={_LOCK_WITHIN_S}s -c statement_timeout={_STATEMENT_WITHIN_S}s"
    if patient:
        options = f"-c lock_timeout={_PATIENT_LOCK_WITHIN_S}s"
    made = create_engine(
        url,
        hide_parameters=True,  # Errors go to logs, parameters are data.
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=4,
        pool_timeout=_FREE_CONNECTION_WITHIN_S,
        pool_pre_ping=True,
        connect_args={"connect_timeout": _CONNECT_WITHIN_S, "options": options, **_KEEPALIVE},
    )
    # Many rows a statement: one by one, a large event's would not be in within the time for one reply.
    made.dialect.use_insertmanyvalues_wo_returning = True
    if not patient:

        @event.listens_for(made, "do_connect")
        def connect(_dialect: Any, _record: Any, words: tuple[Any, ...], options: dict[str, Any]) -> Any:
            return _BoundedConnection.connect(*words, **options)

    return made


def is_silence(error: BaseException | None) -> bool:
    """Whether the server said nothing at all, rather than something against the statement."""
    return isinstance(error, psycopg.OperationalError) and error.sqlstate is None


class _BoundedConnection(psycopg.Connection[Any]):
    """The server's own timeouts end its work; this ends the wait for a server that cannot be heard."""

    def wait(self, gen: PQGen[Any], interval: float = 0.1, timeout: float | None = _REPLY_WITHIN_S) -> Any:
        try:
            return super().wait(gen, interval, timeout or _REPLY_WITHIN_S)
        except _WaitTimeout:
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no reply within {_REPLY_WITHIN_S:.0f} s") from None
