"""Queries that may be answered by a read replica of the database, as long as it is not far behind."""

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import Concatenate, Final, NamedTuple, ParamSpec, TypeVar

import structlog
from sqlalchemy import Connection, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from seating.domain.errors import RecordUnavailable, SeatingError
from seating.storage.database import Database

_T = TypeVar("_T")
_P = ParamSpec("_P")

_HOLDS_S: Final = 3.0
"""How long a look at the replica counts."""
_REMEMBERED: Final = 3_600
"""How many of the primary's positions are remembered, one a look."""

_NOT_KNOWN: Final = "how far it is behind is not known yet"

_WRITTEN: Final = text("SELECT pg_current_wal_lsn() - '0/0'")
# A replica that was promoted replays nothing any more.
_APPLIED: Final = text(
    "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'"
)
_IDENTITY: Final = text(
    "SELECT concat(system_identifier, '/', oid) FROM pg_control_system(), pg_database "
    "WHERE datname = current_database()"
)
"""Of the server and of the database on it: a streaming replica has the same, a copy restored from a dump has not.

A physical copy has the same, too: who restores one unsets DATABASE_READ_URL.
"""

_log = structlog.get_logger(__name__)


class ReplicaSight(NamedTuple):
    """`lag_s` is how far the replica was behind, at most, when looked at; None if unknown.

    `failure` is why it is not used, or "".
    """

    lag_s: float | None
    failure: str


class Replica:
    """A streaming replica of the database, on connections of its own.

    Its lag is how long ago, at most, the primary was where the replica is now. Their clocks are not compared, and a
    primary that writes nothing does not make it look old, as long as it answers.
    """

    def __init__(self, primary: Database, database: Database, max_lag_s: float) -> None:
        self.database: Final = database
        self._primary = primary
        self._max_lag_s = max_lag_s
        self._written: deque[tuple[float, int]] = deque(maxlen=_REMEMBERED)
        self._sight = ReplicaSight(None, _NOT_KNOWN)
        self._looked_s = float("-inf")
        self._looking = Lock()
        self._logged: bool | None = None

    def is_fresh(self) -> bool:
        """Return whether it is to be used; whoever finds that the last look is old looks again, alone."""
        if monotonic() - self._looked_s > _HOLDS_S:
            self.look()
        return not self._sight.failure

    def look(self) -> ReplicaSight:
        """Compare it with the primary. A look that another caller has begun is not repeated."""
        if self._looking.acquire(blocking=False):
            try:
                self._note(self._compare())
                self._looked_s = monotonic()
            finally:
                self._looking.release()
        return self._sight

    def failed(self) -> None:
        """Note that it did not answer."""
        self._note(ReplicaSight(None, "it does not answer"))

    def _compare(self) -> ReplicaSight:
        asked_s = monotonic()
        identity = ""
        try:
            written, identity = self._primary.read(_position_and_identity, _WRITTEN)
            self._written.append((asked_s, written))
        except RecordUnavailable:
            pass  # It may be cut off from this process alone: what it writes meanwhile is not known.
        try:
            applied, own_identity = self.database.read(_position_and_identity, _APPLIED)
        except (RecordUnavailable, SQLAlchemyError):
            return ReplicaSight(None, "it does not answer")
        if identity and own_identity != identity:
            return ReplicaSight(None, "it is of another database")
        return self._judge(asked_s, applied)

    def _judge(self, now_s: float, applied: int) -> ReplicaSight:
        if not self._written:
            return ReplicaSight(None, "the primary does not answer")
        had_s = next((at_s for at_s, written in reversed(self._written) if written <= applied), None)
        if had_s is None:
            return ReplicaSight(None, _NOT_KNOWN)
        lag_s = now_s - had_s
        return ReplicaSight(lag_s, f"it may be {lag_s:.0f} s behind" if lag_s > self._max_lag_s else "")

    def _note(self, sight: ReplicaSight) -> None:
        is_used = not sight.failure
        if is_used != self._logged and sight.failure != _NOT_KNOWN:
            self._logged = is_used
            if is_used:
                _log.info("replica used", lag_s=sight.lag_s)
            else:
                _log.warning("replica not used", reason=sight.failure)
        self._sight = sight


class LaggingReads:
    """Reads whose answers may be some seconds old: by the replica, or the primary if that is not fresh or fails.

    Not for what a caller must find right after writing it, nor for anything that is written according to it.
    """

    def __init__(self, primary: Database, replica: Replica | None = None) -> None:
        self.replica: Final = replica
        self._primary = primary

    def read(self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """As `Database.read`."""
        return self._first(lambda database: database.read(query, *args, **kwargs))

    def read_snapshot(
        self, query: Callable[Concatenate[Connection, _P], _T], *args: _P.args, **kwargs: _P.kwargs
    ) -> _T:
        """As `Database.read_snapshot`."""
        return self._first(lambda database: database.read_snapshot(query, *args, **kwargs))

    def _first(self, ask: Callable[[Database], _T]) -> _T:
        if self.replica and self.replica.is_fresh():
            try:
                return ask(self.replica.database)
            except (RecordUnavailable, SQLAlchemyError):
                self.replica.failed()
            except SeatingError:
                pass  # An event that the replica does not know yet, for one: the primary has the last word.
        return ask(self._primary)


def _position_and_identity(connection: Connection, position: TextClause) -> tuple[int, str]:
    return int(connection.execute(position).scalar_one()), str(connection.execute(_IDENTITY).scalar_one())
