"""The positions that were confirmed to buyers, and those among them that no table has."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from seating.domain.position import Position
from seating.storage.quarantine import LOST, SETTLED
from seating.storage.tables import answered, quarantine, terms, watermarks


class Loss(NamedTuple):
    """`lost` changes from `first` to `last`, in one epoch, were confirmed but are in neither ledger nor quarantine."""

    event_id: str
    first: Position
    last: Position
    lost: int


class ConfirmedRange(NamedTuple):
    """The lowest and the highest seq of an epoch that were confirmed to buyers."""

    lowest: int
    highest: int

    def with_seq(self, seq: int) -> "ConfirmedRange":
        return ConfirmedRange(min(self.lowest, seq), max(self.highest, seq))


def remember(connection: Connection, confirmed: Mapping[tuple[str, int], ConfirmedRange]) -> None:
    """Store the confirmed range of each event and epoch. A stored range only ever widens."""
    is_postgres = connection.dialect.name == "postgresql"
    dialect: Any = postgresql if is_postgres else sqlite
    least, greatest = (func.least, func.greatest) if is_postgres else (func.min, func.max)
    new = dialect.insert(answered)
    upsert = new.on_conflict_do_update(
        index_elements=["event_id", "epoch"],
        set_={
            # Versions that noted only the highest position left none.
            "lowest_seq": least(func.coalesce(answered.c.lowest_seq, new.excluded.lowest_seq), new.excluded.lowest_seq),
            "seq": greatest(answered.c.seq, new.excluded.seq),
        },
    )
    # Sorted, so that two processes cannot deadlock on each other's rows.
    rows = [
        {"event_id": event_id, "epoch": epoch, "lowest_seq": lowest, "seq": highest}
        for (event_id, epoch), (lowest, highest) in sorted(confirmed.items())
    ]
    connection.execute(upsert, rows)


def forget(connection: Connection, event_ids: Collection[str]) -> None:
    """Delete what is stored of events that have been deleted."""
    connection.execute(delete(answered).where(answered.c.event_id.in_(event_ids)))


def losses(connection: Connection, event_id: str | None = None) -> list[Loss]:
    """Return the unsettled losses of past terms: confirmed changes that SQL never got. At most one per term."""
    end = _end_of_term()
    query = (
        select(answered, end.label("end"))
        .join(watermarks, watermarks.c.event_id == answered.c.event_id)
        # Of past terms alone: what a running one has confirmed SQL may still get from the log.
        .where(answered.c.epoch < watermarks.c.epoch)
        .where(answered.c.seq > end)
        .where(or_(answered.c.settled_seq.is_(None), answered.c.settled_seq < answered.c.seq))
        .order_by(answered.c.event_id, answered.c.epoch)
    )
    if event_id is not None:
        query = query.where(answered.c.event_id == event_id)
    return [loss for row in connection.execute(query) if (loss := _loss(connection, row))]


def settle(connection: Connection, event_id: str, epoch: int, at_ms: int, by: str, why: str) -> Loss | None:
    """Settle the loss of a term and return it; None if there is none.

    Another process may note or put aside more of it at the same time. That stays lost: nobody has decided on it.
    """
    loss = next((loss for loss in losses(connection, event_id) if loss.first.epoch == epoch), None)
    if loss is None:
        return None
    connection.execute(
        update(answered)
        .where(answered.c.event_id == event_id, answered.c.epoch == epoch)
        .values(settled_seq=loss.last.seq, settled_ms=at_ms, settled_by=by, settled_why=why)
    )
    connection.execute(
        update(quarantine)
        .where(quarantine.c.event_id == event_id, quarantine.c.epoch == epoch, quarantine.c.seq <= loss.last.seq)
        .where(quarantine.c.reason == LOST, quarantine.c.resolution.is_(None))
        .values(resolution=SETTLED)
    )
    return loss


def _end_of_term() -> ColumnElement[int]:
    """The last recorded seq of a confirmed epoch. If none of its entries is recorded, all confirmed ones are lost."""
    own, later = terms.alias(), terms.alias()
    next_first = (
        select(func.min(later.c.first_seq))
        .where(later.c.event_id == own.c.event_id, later.c.epoch > own.c.epoch)
        .scalar_subquery()
    )
    end = (
        select(func.coalesce(own.c.last_seq, next_first - 1))
        .where(own.c.event_id == answered.c.event_id, own.c.epoch == answered.c.epoch, own.c.first_seq.is_not(None))
        .scalar_subquery()
    )
    return func.coalesce(end, answered.c.lowest_seq - 1, answered.c.seq - 1)


def _loss(connection: Connection, row: Any) -> Loss | None:
    # A process may note a higher position after a loss was settled: only what is beyond is new.
    end = max(row.end, row.settled_seq or 0)
    kept = _quarantined(connection, row.event_id, row.epoch, quarantine.c.seq.between(end + 1, row.seq))
    first = end + 1
    while first in kept:
        first += 1
    last = row.seq
    while last in kept:
        last -= 1
    lost = row.seq - end - len(kept)
    return Loss(row.event_id, Position(row.epoch, first), Position(row.epoch, last), lost) if lost else None


def _quarantined(connection: Connection, event_id: str, epoch: int, which: ColumnElement[bool]) -> set[int]:
    """Return the seqs of an epoch that are in quarantine.

    Undecided purchases known only from a receipt are left out: they count as lost.
    """
    known = or_(quarantine.c.reason != LOST, quarantine.c.resolution.is_not(None))
    query = select(quarantine.c.seq).where(quarantine.c.event_id == event_id, quarantine.c.epoch == epoch, known, which)
    return set(connection.execute(query).scalars())
