"""When inventories were rebuilt, and which positions buyers had been told of by then."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from seating.domain.position import Position
from seating.storage import quarantine
from seating.storage.tables import answered, rebuilds


class Loss(NamedTuple):
    """Changes from `first` to `last` were answered, and neither ledger nor quarantine has them."""

    event_id: str
    first: Position
    last: Position
    lost: int
    at_ms: int


def add(connection: Connection, event_id: str, epoch: int, after: Position, at_ms: int, reason: str) -> None:
    connection.execute(
        insert(rebuilds).values(
            event_id=event_id,
            epoch=epoch,
            after_epoch=after.epoch,
            after_seq=after.seq,
            at_ms=at_ms,
            reason=reason,
        )
    )


def remember_answered(connection: Connection, highest_seqs: Mapping[tuple[str, int], int]) -> None:
    """The highest seq that was answered, by event and epoch; lower ones than are known already change nothing."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(answered)
    highest = func.greatest if connection.dialect.name == "postgresql" else func.max
    upsert = new.on_conflict_do_update(
        index_elements=["event_id", "epoch"], set_={"seq": highest(answered.c.seq, new.excluded.seq)}
    )
    # In one order, so that no two processes wait for each other's rows.
    in_order = sorted(highest_seqs.items())
    rows = [{"event_id": event_id, "epoch": epoch, "seq": seq} for (event_id, epoch), seq in in_order]
    connection.execute(upsert, rows)


def highest_answered(connection: Connection, event_id: str, epoch: int) -> int:
    """0 where nobody was answered in that epoch, as far as is known."""
    query = select(answered.c.seq).where(answered.c.event_id == event_id, answered.c.epoch == epoch)
    return int(connection.execute(query).scalar_one_or_none() or 0)


def losses(connection: Connection, event_id: str | None = None) -> list[Loss]:
    """What was answered and is gone, a rebuild at a time."""
    query = (
        select(rebuilds, answered.c.seq.label("answered_seq"))
        .join(answered, (answered.c.event_id == rebuilds.c.event_id) & (answered.c.epoch == rebuilds.c.after_epoch))
        .where(answered.c.seq > rebuilds.c.after_seq)
        .order_by(rebuilds.c.event_id, rebuilds.c.epoch)
    )
    if event_id is not None:
        query = query.where(rebuilds.c.event_id == event_id)
    return [loss for row in connection.execute(query) if (loss := _loss(connection, row))]


def _loss(connection: Connection, row: Any) -> Loss | None:
    kept = quarantine.fork_seqs(connection, row.event_id, row.after_epoch, row.after_seq)
    gone = [seq for seq in range(row.after_seq + 1, row.answered_seq + 1) if seq not in kept]
    if not gone:
        return None
    first, last = Position(row.after_epoch, gone[0]), Position(row.after_epoch, gone[-1])
    return Loss(row.event_id, first, last, len(gone), row.at_ms)
