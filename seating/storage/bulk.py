"""Inserting many rows in one statement, without what SQLAlchemy does for each row."""

from collections.abc import Sequence

from sqlalchemy import Column, Connection

Row = tuple[str | int | None, ...]


def insert(connection: Connection, columns: Sequence[Column[str] | Column[int]], rows: list[Row]) -> None:
    """Insert `rows`: texts and numbers, which drivers take as they are, one for each of `columns` of one table.

    Raises what an insert of SQLAlchemy's does.
    """
    checkpoint = "?" if connection.dialect.paramstyle == "qmark" else "%s"
    names, checkpoints = ", ".join(column.name for column in columns), ", ".join([checkpoint] * len(columns))
    connection.exec_driver_sql(f"INSERT INTO {columns[0].table.name} ({names}) VALUES ({checkpoints})", rows)
