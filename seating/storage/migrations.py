"""Upgrades the database's tables to this version. Concurrent deployments wait for each other."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from seating.storage.database import Database

SCRIPTS = Path(__file__).parents[2] / "migrations"
_LOCK = 0x5EA7


def upgrade(database: Database) -> None:
    """Upgrade the tables. Raises RecordUnavailable."""
    database.write(_upgrade)


def _upgrade(connection: Connection) -> None:
    # SQLite needs no other lock: the transaction begins as a writer.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
