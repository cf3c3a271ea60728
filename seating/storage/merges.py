"""The merges of each event: the state that folds start from, and the entries that a merge stands for."""

import zlib
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import Connection, insert, select, update

from seating.domain.log_entry import Checkpoint
from seating.storage.tables import merges


class MergeRow(NamedTuple):
    """`seq` is that of the ledger's entry `merged`; `state` is InventoryState.dump()."""

    seq: int
    acknowledged: Checkpoint
    tail: Checkpoint
    state: bytes


def add(connection: Connection, event_id: str, merge: MergeRow) -> None:
    (known, known_link), (tail, tail_link) = merge.acknowledged, merge.tail
    connection.execute(
        insert(merges).values(
            event_id=event_id,
            seq=merge.seq,
            acknowledged_epoch=known.epoch,
            acknowledged_seq=known.seq,
            acknowledged_link=known_link,
            tail_epoch=tail.epoch,
            tail_seq=tail.seq,
            tail_link=tail_link,
            state=zlib.compress(merge.state),
        )
    )


def rewrite_states(connection: Connection, event_id: str, rewrite: Callable[[bytes], bytes]) -> None:
    """Replace the state of each of the event's merges."""
    here = merges.c.event_id == event_id
    for row in connection.execute(select(merges.c.seq, merges.c.state).where(here)).all():
        state = zlib.compress(rewrite(zlib.decompress(row.state)))
        connection.execute(update(merges).where(here, merges.c.seq == row.seq).values(state=state))


class LastMerge(NamedTuple):
    """The latest merge of an event."""

    seq: int
    state: bytes


def last(connection: Connection, event_id: str) -> LastMerge | None:
    query = select(merges.c.seq, merges.c.state).where(merges.c.event_id == event_id)
    row = connection.execute(query.order_by(merges.c.seq.desc()).limit(1)).one_or_none()
    return LastMerge(row.seq, zlib.decompress(row.state)) if row else None
