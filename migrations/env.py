"""Runs the migrations, on the connection that the product hands in or, for `alembic revision`, on DATABASE_URL."""

from alembic import context
from sqlalchemy import Connection

from seating.config import load_settings
from seating.storage.database import Database
from seating.storage.tables import metadata


def run_migrations(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


handed_in = context.config.attributes.get("connection")
if handed_in is not None:
    run_migrations(handed_in)
else:
    Database(load_settings().effective_database_url).write(run_migrations)
