"""A machine that is cut off in the middle of a transaction does not keep its locks."""

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, OperationalError

from seating.storage import postgres
from tests.servers import PostgresServer, wait_until

_CHANGE = text("UPDATE alembic_version SET version_num = version_num")


def change(connection: Connection) -> bool:
    connection.execute(_CHANGE)
    return True


def test_its_locks_are_released(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "_NEXT_STATEMENT_WITHIN_S", 1)
    url = postgres_server.new_database()
    cut_off, other = (postgres.engine(url, patient=False) for _ in range(2))
    try:
        silent = cut_off.connect()
        change(silent)  # And then nothing more comes from there.
        with pytest.raises(OperationalError), other.begin() as connection:
            change(connection)

        def is_free() -> bool:
            try:
                with other.begin() as connection:
                    return change(connection)
            except OperationalError:
                return False

        wait_until(is_free, 60)
        with pytest.raises(DBAPIError):
            change(silent)
        silent.invalidate()
    finally:
        cut_off.dispose()
        other.dispose()


def test_the_server_notices_that_a_machine_is_gone(postgres_server: PostgresServer) -> None:
    """As the settings of a session say; over a socket in the file system they have no effect, and do no harm."""
    for patient in (False, True):
        engine = postgres.engine(postgres_server.new_database(), patient=patient)
        with engine.connect() as connection:
            assert connection.execute(text("SELECT 1")).scalar() == 1
        engine.dispose()
