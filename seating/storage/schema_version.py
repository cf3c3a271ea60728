"""Which version of the tables a database has, and whether this code can use it."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DatabaseError, OperationalError

from seating.domain.errors import WrongTables

SCRIPTS: Final = Path(__file__).parents[2] / "migrations"

# sqlite3 reports missing tables with the class of a locked database.
_MISSING_ON_SQLITE: Final = ("no such table", "no such column", "has no column named")


def check(connection: Connection, *, allow_older: bool = False, allow_newer: bool = False) -> None:
    """Raises WrongTables unless the tables are those of this version, or of another version that is allowed.

    An empty database counts as older.
    """
    found = _version_of(connection)
    known = sorted(path.name.partition("_")[0] for path in (SCRIPTS / "versions").glob("[0-9]*.py"))
    here = known[-1]
    if found is None and not allow_older:
        raise _wrong("it has no tables; run `seating migrate`")
    if found in known[:-1] and not allow_older:
        raise _wrong(f"its tables are of version {found}, older than {here}; run `seating migrate`")
    if found is not None and found not in known and not allow_newer:
        raise _wrong(f"its tables are of version {found}, newer than {here}; run the newer version of seating")


def may_explain(error: Exception) -> bool:
    """Return whether `error` may come from tables of another version."""
    if isinstance(error, OperationalError):
        return any(words in str(error.orig) for words in _MISSING_ON_SQLITE)
    return isinstance(error, DatabaseError)


def _version_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _wrong(reason: str) -> WrongTables:
    error = WrongTables(f"The database cannot be used: {reason}")
    error.__cause__ = ValueError(reason)  # Log lines show the cause of a RecordUnavailable.
    return error
