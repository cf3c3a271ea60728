"""SQL's watermarks: how far each event's log is recorded."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, insert, select, update

from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position
from seating.storage.database import batches
from seating.storage.tables import watermarks


def read(connection: Connection, event_id: str) -> Checkpoint | None:
    """Return the watermark; None for an unknown event."""
    row = connection.execute(
        select(watermarks.c.epoch, watermarks.c.seq, watermarks.c.link).where(watermarks.c.event_id == event_id)
    ).one_or_none()
    return Checkpoint(Position(row.epoch, row.seq), row.link) if row else None


def read_all(connection: Connection, event_ids: Sequence[str]) -> dict[str, Checkpoint]:
    """Return the watermarks of the events that SQL knows."""
    found: dict[str, Checkpoint] = {}
    for some in batches(event_ids):
        query = select(watermarks).where(watermarks.c.event_id.in_(some))
        found |= {row.event_id: Checkpoint(Position(row.epoch, row.seq), row.link) for row in connection.execute(query)}
    return found


def lock(connection: Connection, event_id: str) -> int:
    """Let nobody else record or note anything of the event until the transaction ends; return the seq reached.

    Call it first, as persistence does by `advance`, or two may deadlock. SQLite has one writer anyway.
    """
    query = select(watermarks.c.seq).where(watermarks.c.event_id == event_id).with_for_update()
    return connection.execute(query).scalar() or 0


def begin(connection: Connection, event_id: str, checkpoint: Checkpoint) -> None:
    epoch, seq = checkpoint.position
    connection.execute(insert(watermarks).values(event_id=event_id, epoch=epoch, seq=seq, link=checkpoint.link))


def advance(connection: Connection, event_id: str, old: Checkpoint, new: Checkpoint) -> bool:
    """Move the watermark from `old` to `new`; return False if another writer has moved it."""
    known = {"old_epoch": old.position.epoch, "old_seq": old.position.seq, "old_link": old.link}
    moved = {"new_epoch": new.position.epoch, "new_seq": new.position.seq, "new_link": new.link}
    return connection.execute(_ADVANCE, {"event": event_id} | known | moved).rowcount == 1


# Built once: building a SQLAlchemy statement costs more than running it.
_ADVANCE: Final = (
    update(watermarks)
    .where(
        watermarks.c.event_id == bindparam("event"),
        watermarks.c.epoch == bindparam("old_epoch"),
        watermarks.c.seq == bindparam("old_seq"),
        watermarks.c.link == bindparam("old_link"),
    )
    .values(epoch=bindparam("new_epoch"), seq=bindparam("new_seq"), link=bindparam("new_link"))
)
