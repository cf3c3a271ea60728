"""Log entries put aside for the operator: those that SQL refused for good, and those of a fork."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.storage.tables import quarantine

POISON: Final = "poison"
FORK: Final = "fork"
CANCELLED: Final = "cancelled"
HONOURED: Final = "honoured"


class Aside(NamedTuple):
    """`resolution` is None for what still waits; `honoured_as` the purchase that a fork's entry became.

    `error` opens with one line in words; what follows is the database's own text, which stays in the database.
    """

    event_id: str
    entry: LogEntry
    reason: str
    error: str
    resolution: str | None
    honoured_as: str | None

    @property
    def words(self) -> str:
        """Why it is here, without the database's own text."""
        first_line = self.error.partition("\n")[0]
        # Rows of earlier versions begin with the driver's exception, in parentheses.
        return "SQL refuses it" if first_line.startswith("(") else first_line


def put_aside(connection: Connection, event_id: str, entries: Sequence[LogEntry], reason: str, error: str) -> None:
    if entries:
        connection.execute(insert(quarantine), [_row(event_id, entry, reason, error) for entry in entries])


def page(connection: Connection, event_id: str | None, offset: int, count: int) -> list[Aside]:
    """What waits for the operator, newest first."""
    query = select(quarantine).where(quarantine.c.resolution.is_(None))
    if event_id is not None:
        query = query.where(quarantine.c.event_id == event_id)
    ordered = query.order_by(quarantine.c.event_id, quarantine.c.seq.desc(), quarantine.c.epoch.desc())
    return [_aside(row) for row in connection.execute(ordered.offset(offset).limit(count))]


def find(connection: Connection, event_id: str, position: Position) -> Aside | None:
    """Of two entries at one position, the one that still waits."""
    found = connection.execute(
        select(quarantine)
        .where(*_at(event_id, position))
        .order_by(quarantine.c.resolution.is_not(None), quarantine.c.reason.desc())
    ).first()
    return _aside(found) if found else None


def find_purchase(connection: Connection, purchase_id: PurchaseId) -> Aside | None:
    """The entry that this very purchase is, not another one that stands at its position."""
    event_id, position, nonce = purchase_id
    own = quarantine.c.change.contains(f'"nonce":"{nonce}"')
    found = connection.execute(select(quarantine).where(*_at(event_id, position), own)).first()
    return _aside(found) if found else None


def waiting(connection: Connection, event_id: str) -> list[str]:
    """What still waits, as `quarantined:{e}` names it: poison by seq, a fork's entries by position and link."""
    rows = connection.execute(
        select(quarantine)
        .where(quarantine.c.event_id == event_id, quarantine.c.resolution.is_(None))
        .order_by(quarantine.c.seq)
    )
    return [marker(_aside(row)) for row in rows]


def waiting_poison(connection: Connection, event_id: str) -> list[int]:
    """The seqs of what SQL refused and the operator has not dealt with."""
    here = (quarantine.c.event_id == event_id, quarantine.c.reason == POISON, quarantine.c.resolution.is_(None))
    return list(connection.execute(select(quarantine.c.seq).where(*here)).scalars())


def marker(aside: Aside) -> str:
    """Of one entry in `quarantined:{e}`."""
    position = aside.entry.position
    return str(position.seq) if aside.reason == POISON else f"{position}.{aside.entry.link[:12]}"


def fork_seqs(connection: Connection, event_id: str, epoch: int, above_seq: int) -> set[int]:
    query = select(quarantine.c.seq).where(
        quarantine.c.event_id == event_id,
        quarantine.c.epoch == epoch,
        quarantine.c.seq > above_seq,
        quarantine.c.reason == FORK,
    )
    return set(connection.execute(query).scalars())


def cancel(connection: Connection, event_id: str, position: Position) -> bool:
    """Marks a poisoned purchase as taken back; False if there is none."""
    changed = connection.execute(
        update(quarantine).where(*_at(event_id, position), quarantine.c.reason == POISON).values(resolution=CANCELLED)
    )
    return changed.rowcount == 1


def resolve(connection: Connection, aside: Aside, resolution: str, honoured_as: str | None = None) -> bool:
    """Marks an entry as dealt with; False if that was done before."""
    changed = connection.execute(
        update(quarantine)
        .where(*_here(aside), quarantine.c.resolution.is_(None))
        .values(resolution=resolution, honoured_as=honoured_as)
    )
    return changed.rowcount == 1


def take_out(connection: Connection, aside: Aside) -> bool:
    """Removes a poisoned entry, to be recorded after all; False if somebody else did."""
    gone = connection.execute(delete(quarantine).where(*_here(aside), quarantine.c.resolution.is_(None)))
    return gone.rowcount == 1


def _here(aside: Aside) -> tuple[Any, ...]:
    """Two forks may have left entries at one position; their links differ."""
    return (*_at(aside.event_id, aside.entry.position), quarantine.c.link == aside.entry.link)


def _at(event_id: str, position: Position) -> tuple[Any, ...]:
    return (
        quarantine.c.event_id == event_id,
        quarantine.c.epoch == position.epoch,
        quarantine.c.seq == position.seq,
    )


def _row(event_id: str, entry: LogEntry, reason: str, error: str) -> dict[str, object]:
    epoch, seq = entry.position
    row = {"event_id": event_id, "epoch": epoch, "seq": seq, "change": entry.change, "link": entry.link}
    return row | {"reason": reason, "error": error[:2000]}


def _aside(row: Any) -> Aside:
    entry = LogEntry(Position(row.epoch, row.seq), row.change, row.link)
    return Aside(row.event_id, entry, row.reason, row.error, row.resolution, row.honoured_as)
