"""Backups of SQL, and what else goes wrong with the two stores of one sale."""

from sqlalchemy import Connection, Table, delete, insert, select

from seating.redis_store import keys
from seating.storage.database import Database
from seating.storage.tables import metadata
from tests.one_process import OneProcess

_TABLES = [table for table in metadata.sorted_tables if table.name not in ("users", "database_identity")]

Backup = dict[Table, list[dict[str, object]]]


def backup(database: Database) -> Backup:
    """All that SQL has of the sale."""

    def read(connection: Connection) -> Backup:
        return {table: [dict(row._mapping) for row in connection.execute(select(table))] for table in _TABLES}

    return database.read(read)


def restore(database: Database, kept: Backup) -> None:
    """Put SQL back to `kept`, as an administrator does; {} is a new database."""

    def write(connection: Connection) -> None:
        for table in reversed(_TABLES):
            connection.execute(delete(table))
        for table in _TABLES:
            if kept.get(table):
                connection.execute(insert(table), kept[table])

    database.write(write)


def distrust(sale: OneProcess, event: str) -> None:
    """As after a restart of Redis."""
    sale.calls.command("HSET", keys.inventory(event), "server", "another")


def trim(sale: OneProcess, event: str) -> None:
    """Keep only the log's end."""
    sale.calls.command("XTRIM", keys.log(event), "MAXLEN", 1)


def set_private(sale: OneProcess, event: str, text: str | None) -> None:
    """Replace the personal data beside the log's last entry.

    The log is written anew: a stream refuses ids below its highest deleted one.
    """
    log = keys.log(event)
    *before, (position, fields) = sale.calls.command("XRANGE", log, "-", "+")
    at = fields.index(b"private")
    fields[at : at + 2] = (b"private", text) if text else ()
    sale.calls.command("DEL", log)
    for entry_id, values in (*before, (position, fields)):
        sale.calls.command("XADD", log, entry_id, *values)
