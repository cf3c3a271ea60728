"""Hands out the epochs of each event: each number once, and higher than any known one."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from seating.storage.tables import answered, database_identity, terms

_FLOOR: Final = int(datetime(2020, 1, 1, tzinfo=UTC).timestamp())


def first_epoch(now_s: float) -> int:
    """Return the epoch in which the log of a new event begins."""
    return int(now_s) - _FLOOR


def allocate(connection: Connection, event_id: str, now_s: float, *known: int) -> int:
    """Return an epoch above all that SQL or the caller knows; at least the number of seconds since 2020.

    Raises SQLAlchemy's IntegrityError if another writer takes the same one.
    """
    highest = [
        connection.execute(select(func.max(table.c.epoch)).where(table.c.event_id == event_id)).scalar() or 0
        # A restored SQL may not have the epochs of the positions that buyers got, while processes noted them again.
        for table in (terms, answered)
    ]
    # The time is a floor for an SQL that was recreated and remembers nothing.
    epoch = max(*highest, *known, first_epoch(now_s) - 1) + 1
    connection.execute(insert(terms).values(event_id=event_id, epoch=epoch))
    return epoch


def begin(connection: Connection, event_id: str, epoch: int, first_seq: int) -> None:
    """Store where an epoch begins in the ledger. Idempotent."""
    here = (terms.c.event_id == event_id, terms.c.epoch == epoch)
    # Not handed out by `allocate`: an event's first epoch, and those that a restored SQL records from the log.
    if not connection.execute(update(terms).where(*here).values(first_seq=first_seq)).rowcount:
        connection.execute(insert(terms).values(event_id=event_id, epoch=epoch, first_seq=first_seq))


def first_seqs(connection: Connection, event_id: str) -> dict[int, int]:
    """Return the first seq of each recorded epoch."""
    query = select(terms.c.epoch, terms.c.first_seq).where(terms.c.event_id == event_id, terms.c.first_seq.is_not(None))
    return {row.epoch: row.first_seq for row in connection.execute(query)}


def end(connection: Connection, event_id: str, last_seqs: Mapping[int, int]) -> None:
    """Store where recorded epochs ended, once for each."""
    for epoch, last_seq in last_seqs.items():
        here = (terms.c.event_id == event_id, terms.c.epoch == epoch, terms.c.last_seq.is_(None))
        connection.execute(update(terms).where(*here).values(last_seq=last_seq))


def database_id(connection: Connection) -> str:
    found: str = connection.execute(select(database_identity.c.id)).scalar_one()
    return found
