"""A machine that is cut off in the middle of a transaction does not keep its locks."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from seating.storage import postgres
from tests.servers import PostgresServer, wait_until

_CHANGE = text("UPDATE alembic_version SET version_num = version_num")


def test_its_locks_are_released(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_NEXT_STATEMENT_WITHIN_S", 1)
    with cut_off(postgres_server.new_database()) as (silent, other):
        wait_until(lambda: succeeds(other), 60)
        with pytest.raises(DBAPIError):
            change(silent)


def test_without_that_bound_they_would_stay(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_NEXT_STATEMENT_WITHIN_S", 0)
    with cut_off(postgres_server.new_database()) as (silent, other):
        assert not succeeds(other)
        assert change(silent)


@contextmanager
def cut_off(url: str) -> Iterator[tuple[Connection, Engine]]:
    """A connection that has changed a row and then says nothing, and what the other machine has."""
    gone, other = (postgres.engine(url, patient=False) for _ in range(2))
    try:
        silent = gone.connect()
        change(silent)
        yield silent, other
        silent.invalidate()
    finally:
        gone.dispose()
        other.dispose()


def change(connection: Connection) -> bool:
    connection.execute(_CHANGE)
    return True


def succeeds(engine: Engine) -> bool:
    try:
        with engine.begin() as connection:
            return change(connection)
    except OperationalError:  # It has waited for the lock for three seconds.
        return False


def test_the_server_notices_that_a_machine_is_gone(postgres_server: PostgresServer) -> None:
    """As the settings of a session say; over a socket in the file system they have no effect, and do no harm."""
    for patient in (False, True):
        engine = postgres.engine(postgres_server.new_database(), patient=patient)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        engine.dispose()
