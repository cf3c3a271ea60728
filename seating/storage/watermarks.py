"""How far each event's log is in SQL."""

from collections.abc import Sequence

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


def read_all(connection: Connection, event_ids: Sequence[str]) -> dict[str, Mark]:
    """Of those of the events that are on record."""
    found: dict[str, Mark] = {}
    for first in range(0, len(event_ids), 500):
        query = select(watermarks).where(watermarks.c.event_id.in_(event_ids[first : first + 500]))
        found |= {row.event_id: Mark(Position(row.epoch, row.seq), row.link) for row in connection.execute(query)}
    return found


def epochs(connection: Connection, event_ids: Sequence[str]) -> dict[str, int]:
    """The running term of each of the events that is on record."""
    query = select(watermarks.c.event_id, watermarks.c.epoch).where(watermarks.c.event_id.in_(event_ids))
    return {row.event_id: row.epoch for row in connection.execute(query)}


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
            watermarks.c.link == old.link,
        )
        .values(epoch=new.position.epoch, seq=new.position.seq, link=new.link)
    )
    return moved.rowcount == 1
