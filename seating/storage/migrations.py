"""Upgrades the database's tables to this version. Concurrent deployments wait for each other."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from seating.storage import schema_version
from seating.storage.database import Database

# Any number, but the same one in every version.
_LOCK = 0x5EA7
"""Of Postgres, which has no transaction that excludes all others."""


def upgrade(database: Database) -> None:
    """Upgrade the tables. Raises RecordUnavailable; WrongTables if they are newer than this version."""
    database.write(_upgrade)


def _upgrade(connection: Connection) -> None:
    # SQLite needs no other lock: the transaction begins as a writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    # Under the lock: another deployment may have upgraded in the meantime.
    schema_version.check(connection, allow_older=True)
    config = Config()
    config.set_main_option("script_location", str(schema_version.SCRIPTS))
    # Alembic runs in this transaction, so all migrations commit together or none does.
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
