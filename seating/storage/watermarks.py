"""How far each event's log is in SQL."""

from sqlalchemy import Connection, insert, select, update

from seating.domain.log_entry import Mark
from seating.domain.position import Position
from seating.storage.tables import watermarks


def read(connection: Connection, event_id: str) -> Mark | None:
    """None for an event that is not on record."""
    row = connection.execute(
        select(watermarks.c.epoch, watermarks.c.seq, watermarks.c.link).where(watermarks.c.event_id == event_id)
    ).one_or_none()
    return Mark(Position(row.epoch, row.seq), row.link) if row else None


def begin(connection: Connection, event_id: str, mark: Mark) -> None:
    epoch, seq = mark.position
    connection.execute(insert(watermarks).values(event_id=event_id, epoch=epoch, seq=seq, link=mark.link))


def advance(connection: Connection, event_id: str, old: Mark, new: Mark) -> bool:
    """Moves the watermark from `old` to `new`; False if it is no longer at `old`, because another writer moved it."""
    moved = connection.execute(
        update(watermarks)
        .where(
            watermarks.c.event_id == event_id,
            watermarks.c.epoch == old.position.epoch,
            watermarks.c.seq == old.position.seq,
        )
        .values(epoch=new.position.epoch, seq=new.position.seq, link=new.link)
    )
    return moved.rowcount == 1
