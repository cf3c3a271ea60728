"""Upgrades the database's tables to this version. Concurrent deployments wait for each other."""

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from seating.storage import schema_version
from seating.storage.database import Database

_LOCK = 0x5EA7


def upgrade(database: Database) -> None:
    """Upgrade the tables. Raises RecordUnavailable; WrongTables if they are newer than this version."""
    database.write(_upgrade)


def _upgrade(connection: Connection) -> None:
    # SQLite needs no other lock: the transaction begins as a writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    schema_version.check(connection, allow_older=True)
    config = Config()
    config.set_main_option("script_location", str(schema_version.SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
