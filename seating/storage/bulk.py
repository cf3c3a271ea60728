"""Inserting many rows in one statement, without what SQLAlchemy does for each row."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Column, Connection

_AT_ONCE: Final = 1_000
"""Rows that Postgres has to take within the time for one reply."""

Row = tuple[str | int | None, ...]


def insert(connection: Connection, columns: Sequence[Column[str] | Column[int]], rows: list[Row]) -> None:
    """Insert `rows`: texts and numbers, which drivers take as they are, one for each of `columns` of one table.

    Raises what an insert of SQLAlchemy's does.
    """
    placeholder = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    names, values = ", ".join(column.name for column in columns), ", ".join([placeholder] * len(columns))
    statement = f"INSERT INTO {columns[0].table.name} ({names}) VALUES ({values})"
    for first in range(0, len(rows), _AT_ONCE):
        connection.exec_driver_sql(statement, rows[first : first + _AT_ONCE])
