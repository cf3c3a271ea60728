"""SQL's progress with one event, which a round of persistence starts from."""

from typing import Final, NamedTuple

from sqlalchemy import Connection, bindparam, select

from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.storage import ledger, quarantine
from seating.storage.tables import database_identity, events, watermarks

# Built once: building a SQLAlchemy statement costs more than running it.
_QUERY: Final = (
    select(
        *(watermarks.c.epoch, watermarks.c.seq, watermarks.c.link, events.c.archived),
        select(database_identity.c.id).scalar_subquery().label("database"),
    )
    .join(events, events.c.id == watermarks.c.event_id)
    .where(watermarks.c.event_id == bindparam("event_id"))
)


class Progress(NamedTuple):
    """`has_acknowledged`: whether SQL has the entry that Redis knows to be acknowledged. `database`: this SQL's id.

    `quarantined`: the entries waiting in quarantine, oldest first.
    """

    checkpoint: Checkpoint
    archived: bool
    has_acknowledged: bool
    database: str
    quarantined: list[LogEntry]


def read(
    connection: Connection, event_id: str, acknowledged: Checkpoint | None, with_quarantine: bool
) -> Progress | None:
    """Return the progress; None for an unknown event. `quarantined` is empty unless `with_quarantine`."""
    row = connection.execute(_QUERY, {"event_id": event_id}).one_or_none()
    if row is None:
        return None
    checkpoint = Checkpoint(Position(row.epoch, row.seq), row.link)
    has_acknowledged = acknowledged in (None, checkpoint) or ledger.has(connection, event_id, acknowledged)
    waiting = quarantine.waiting(connection, event_id) if with_quarantine else []
    return Progress(checkpoint, row.archived, has_acknowledged, row.database, [aside.entry for aside in waiting])
