"""Upgrades the database's tables to this version. Concurrent deployments wait for each other."""

from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from seating.domain.errors import RecordUnavailable
from seating.storage import schema_version
from seating.storage.database import PASSING, Database

# Any number, but the same one in every version.
_LOCK: Final = 0x5EA7
"""Of Postgres, which has no transaction that excludes all others."""

_WAIT_S: Final = 600
"""For another deployment, which may be copying tables with millions of rows."""


def upgrade(database: Database) -> None:
    """Upgrade the tables. Waits for up to ten minutes while another process upgrades them.

    Raises RecordUnavailable; WrongTables if they are newer than this version; the database's error if it rejects it.
    """
    # Not by `write`, which would explain any error of a migration by the old tables and advise to migrate.
    try:
        with database.engine.connect() as connection:
            if connection.dialect.name == "sqlite":
                _prepare_sqlite(connection)
            with connection.begin():
                _upgrade(connection)
    except PASSING as error:
        raise RecordUnavailable from error


def _prepare_sqlite(connection: Connection) -> None:
    # The pool must not pass it on as it is then.
    connection.detach()
    # Past SQLAlchemy, which would begin the transaction; foreign keys cannot be switched off within one.
    driver = connection.connection.cursor()
    # SQLite changes a table by dropping it when it has been copied, while other tables refer to it.
    driver.execute("PRAGMA foreign_keys=OFF")
    driver.execute(f"PRAGMA busy_timeout={_WAIT_S * 1000}")


def _upgrade(connection: Connection) -> None:
    is_postgres = connection.dialect.name == "postgresql"
    # SQLite needs no other lock: the transaction begins as a writer.
    if is_postgres:
        _lock_postgres(connection)
    # Under the lock: another deployment may have upgraded in the meantime.
    schema_version.check(connection, allow_older=True)
    config = Config()
    config.set_main_option("script_location", str(schema_version.SCRIPTS))
    # Alembic runs in this transaction, so all migrations commit together or none does.
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    if not is_postgres and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all()):
        tables = ", ".join(sorted({row[0] for row in broken}))
        raise RecordUnavailable from ValueError(f"not upgraded: rows of {tables} refer to rows that do not exist")


def _lock_postgres(connection: Connection) -> None:
    # Only for this lock: to wait for one of a table would keep a running sale waiting behind it.
    set_bound = text("SELECT set_config('lock_timeout', :bound, true)")
    bound = connection.execute(text("SELECT current_setting('lock_timeout')")).scalar_one()
    connection.execute(set_bound, {"bound": f"{_WAIT_S}s"})
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    connection.execute(set_bound, {"bound": bound})
