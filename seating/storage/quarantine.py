"""Log entries put aside for the operator: those that SQL refused for good, those of a fork, and what was lost."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from seating.domain.changes import Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.storage import purchases
from seating.storage.database import insert_new
from seating.storage.tables import quarantine

POISON: Final = "poison"
FORK: Final = "fork"
LOST: Final = "lost"
CANCELLED: Final = "cancelled"
REPLAYED: Final = "replayed"
SETTLED: Final = "settled"
FOUND: Final = "found"


class QuarantinedEntry(NamedTuple):
    """`resolution` is None for what still waits.

    `error` opens with one line in words; what follows is the database's own text, which stays in the database.
    """

    event_id: str
    entry: LogEntry
    reason: str
    error: str
    resolution: str | None

    @property
    def purchase_id(self) -> PurchaseId | None:
        """What the buyer was answered with; None if the entry is no purchase."""
        change = self.entry.read()
        if not isinstance(change, Purchased):
            return None
        return PurchaseId(self.event_id, change.original or self.entry.position, change.nonce)

    @property
    def words(self) -> str:
        """Why it is here, without the database's own text."""
        first_line = self.error.partition("\n")[0]
        # Rows of earlier versions begin with the driver's exception, in parentheses.
        return "SQL refuses it" if first_line.startswith("(") else first_line


def put_aside(connection: Connection, asides: Iterable[QuarantinedEntry]) -> None:
    """Entries that are there already stay as they are."""
    insert_new(connection, quarantine, [_row(aside) for aside in asides])


def page(connection: Connection, event_id: str | None, offset: int, count: int) -> list[QuarantinedEntry]:
    """What waits for the operator, newest first."""
    query = select(quarantine).where(quarantine.c.resolution.is_(None))
    if event_id is not None:
        query = query.where(quarantine.c.event_id == event_id)
    ordered = query.order_by(quarantine.c.event_id, quarantine.c.seq.desc(), quarantine.c.epoch.desc())
    return [_aside(row) for row in connection.execute(ordered.offset(offset).limit(count))]


def find(connection: Connection, event_id: str, position: Position) -> QuarantinedEntry | None:
    """Of two entries at one position, the one that still waits."""
    found = connection.execute(
        select(quarantine)
        .where(*_at(event_id, position))
        .order_by(quarantine.c.resolution.is_not(None), quarantine.c.reason.desc())
    ).first()
    return _aside(found) if found else None


def find_purchase(connection: Connection, purchase_id: PurchaseId) -> QuarantinedEntry | None:
    """The entry that this very purchase is, not another one that stands at its position.

    Where it was replayed and has come to quarantine again, the one that still waits.
    """
    event_id, position, nonce = purchase_id
    own = quarantine.c.change.contains(f'"nonce":"{nonce}"')
    waits_first = (quarantine.c.resolution.is_not(None), quarantine.c.resolution.in_((REPLAYED, FOUND)))
    query = select(quarantine).where(_told(event_id, position), own).order_by(*waits_first, quarantine.c.reason == LOST)
    found = connection.execute(query).first()
    return _aside(found) if found else None


def look_again(connection: Connection, event_id: str) -> list[LogEntry]:
    """A term begins, and the record has all that is left of the terms before. Each purchase waits once at most.

    Receipts whose purchases turned up, on record or as entries that are here, are put to rest. What the operator had
    replayed and the end of a log has taken waits once more, and is returned.
    """
    rows = connection.execute(
        select(quarantine)
        .where(quarantine.c.event_id == event_id)
        .order_by(quarantine.c.epoch.desc(), quarantine.c.seq.desc())
    )
    by_purchase: dict[PurchaseId, list[QuarantinedEntry]] = {}
    for aside in map(_aside, rows):
        if aside.purchase_id:
            by_purchase.setdefault(aside.purchase_id, []).append(aside)
    recorded = purchases.recorded(connection, [str(purchase_id) for purchase_id in by_purchase])
    again = []
    for purchase_id, asides in by_purchase.items():
        waiting = [one for one in asides if one.resolution is None and one.reason != POISON]
        others = [one for one in asides if one not in waiting and one.resolution not in (REPLAYED, FOUND)]
        replayed = [one for one in asides if one.resolution == REPLAYED]
        for one in _superfluous(waiting, others, is_recorded=str(purchase_id) in recorded):
            _set_resolution(connection, one, FOUND)
        if replayed and not waiting and not others and str(purchase_id) not in recorded:
            _set_resolution(connection, replayed[0], None)
            again.append(replayed[0].entry)
    return again


def _superfluous(
    waiting: Sequence[QuarantinedEntry], others: Sequence[QuarantinedEntry], *, is_recorded: bool
) -> Sequence[QuarantinedEntry]:
    """Which of those that wait for one purchase, newest first, stand for what is elsewhere."""
    if is_recorded:
        return waiting
    entries = [one for one in waiting if one.reason != LOST]
    receipts = [one for one in waiting if one.reason == LOST]
    return [*entries[1:], *(receipts if entries or others else ())]


def waiting(connection: Connection, event_id: str) -> list[QuarantinedEntry]:
    """What waits for the operator, first to last."""
    here = (quarantine.c.event_id == event_id, quarantine.c.resolution.is_(None))
    rows = connection.execute(select(quarantine).where(*here).order_by(quarantine.c.epoch, quarantine.c.seq))
    return [_aside(row) for row in rows]


def cancel(connection: Connection, event_id: str, position: Position) -> PurchaseId | None:
    """Marks a poisoned purchase as cancelled; None if there is none. `position` is what its buyer was told."""
    poison = (quarantine.c.reason == POISON, quarantine.c.resolution.is_(None))
    row = connection.execute(select(quarantine).where(_told(event_id, position), *poison)).first()
    if row is None:
        return None
    aside = _aside(row)
    return aside.purchase_id if resolve(connection, aside, CANCELLED) else None


def resolve(connection: Connection, aside: QuarantinedEntry, resolution: str) -> bool:
    """Marks an entry as dealt with; False if that was done before."""
    changed = connection.execute(
        update(quarantine).where(*_here(aside), quarantine.c.resolution.is_(None)).values(resolution=resolution)
    )
    return changed.rowcount == 1


def take_out(connection: Connection, aside: QuarantinedEntry) -> bool:
    """Removes a poisoned entry, to be recorded after all; False if somebody else did."""
    gone = connection.execute(delete(quarantine).where(*_here(aside), quarantine.c.resolution.is_(None)))
    return gone.rowcount == 1


def _set_resolution(connection: Connection, aside: QuarantinedEntry, resolution: str | None) -> None:
    connection.execute(update(quarantine).where(*_here(aside)).values(resolution=resolution))


def _here(aside: QuarantinedEntry) -> tuple[Any, ...]:
    """Two forks may have left entries at one position; their links differ."""
    return (*_at(aside.event_id, aside.entry.position), quarantine.c.link == aside.entry.link)


def _told(event_id: str, position: Position) -> ColumnElement[bool]:
    """Entries of the purchase that was answered with `position`. One that was replayed stands elsewhere."""
    replayed = quarantine.c.change.contains(f'"original":"{position}"')
    return and_(quarantine.c.event_id == event_id, or_(and_(*_at(event_id, position)), replayed))


def _at(event_id: str, position: Position) -> tuple[Any, ...]:
    return (
        quarantine.c.event_id == event_id,
        quarantine.c.epoch == position.epoch,
        quarantine.c.seq == position.seq,
    )


def _row(aside: QuarantinedEntry) -> dict[str, object]:
    epoch, seq = aside.entry.position
    row = {"event_id": aside.event_id, "epoch": epoch, "seq": seq, "change": aside.entry.change}
    said = {"link": aside.entry.link, "reason": aside.reason, "error": aside.error[:2000]}
    return row | said | {"private": aside.entry.private, "resolution": aside.resolution}


def _aside(row: Any) -> QuarantinedEntry:
    entry = LogEntry(Position(row.epoch, row.seq), row.change, row.link, row.private)
    return QuarantinedEntry(row.event_id, entry, row.reason, row.error, row.resolution)
