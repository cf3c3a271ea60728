"""How far SQL is with one event: what a round of persistence begins with."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.storage import ledger, quarantine
from seating.storage.tables import database_identity, events, watermarks

# Made once: a statement of SQLAlchemy's costs more to make than to run.
_QUERY: Final = (
    select(
        *(watermarks.c.epoch, watermarks.c.seq, watermarks.c.link, events.c.archived),
        select(database_identity.c.id).scalar_subquery().label("database"),
    )
    .join(events, events.c.id == watermarks.c.event_id)
    .where(watermarks.c.event_id == bindparam("event_id"))
)


class Progress(NamedTuple):
    """`has_acknowledged` is whether SQL has what Redis knows to be acknowledged, `database` is the id of this SQL.

    `quarantined` are the entries that wait in quarantine, first to last.
    """

    checkpoint: Checkpoint
    archived: bool
    has_acknowledged: bool
    database: str
    quarantined: list[LogEntry]


def read(
    connection: Connection, event_id: str, acknowledged: Checkpoint | None, with_quarantine: bool
) -> Progress | None:
    """None for an event that is not on record. `quarantined` is empty unless `with_quarantine`."""
    row = connection.execute(_QUERY, {"event_id": event_id}).one_or_none()
    if row is None:
        return None
    checkpoint = Checkpoint(Position(row.epoch, row.seq), row.link)
    has_acknowledged = acknowledged in (None, checkpoint) or ledger.has(connection, event_id, acknowledged)
    waiting = quarantine.waiting(connection, event_id) if with_quarantine else []
    return Progress(checkpoint, row.archived, has_acknowledged, row.database, [aside.entry for aside in waiting])
