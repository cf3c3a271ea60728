"""What the copies that Redis has of quarantine are compared with."""

from collections.abc import Collection

from sqlalchemy import Connection, func, select

from seating.domain.position import Position
from seating.storage.tables import ledger, quarantine


def waiting(connection: Connection) -> dict[str, int]:
    """Return at how many positions entries wait, for each event that has any."""
    columns = (quarantine.c.event_id, quarantine.c.epoch, quarantine.c.seq)
    places = select(*columns).where(quarantine.c.resolution.is_(None)).distinct().subquery()
    counted = select(places.c.event_id, func.count().label("positions")).group_by(places.c.event_id)
    return {row.event_id: row.positions for row in connection.execute(counted)}


def settled(connection: Connection, event_id: str, positions: Collection[Position]) -> list[Position]:
    """Return those of the positions where an entry waited and no longer does, at most a thousand.

    One that this record knows nothing of may still wait: a restored database lacks what happened since its backup.
    """
    seqs = [position.seq for position in positions]
    here = (quarantine.c.event_id == event_id, quarantine.c.seq.in_(seqs))
    columns = (quarantine.c.epoch, quarantine.c.seq, quarantine.c.resolution)
    asides = connection.execute(select(*columns).where(*here)).all()
    recorded = select(ledger.c.epoch, ledger.c.seq).where(ledger.c.event_id == event_id, ledger.c.seq.in_(seqs))
    known = {Position(row.epoch, row.seq) for row in (*asides, *connection.execute(recorded))}
    waiting = {Position(row.epoch, row.seq) for row in asides if row.resolution is None}
    return [position for position in positions if position in known - waiting]
