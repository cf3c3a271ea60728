"""Log entries set aside for an operator: rejected by SQL for good, left over from a fork, or lost."""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from seating.domain.changes import Cancelled, Purchased
from seating.domain.log_entry import LogEntry
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.replay_decision import Outcome
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
STANDS: Final = (REPLAYED, FOUND, Outcome.OBSOLETE)
"""The record has the purchase, or the log has it again."""
_GIVEN_UP: Final = (SETTLED, Outcome.SUPERSEDED)
"""Its buyer may still be refunded, so it can be cancelled like one that waits."""
_DECISIVE_FIRST: Final = (
    quarantine.c.resolution.is_not(None),
    quarantine.c.resolution.in_(_GIVEN_UP),
    quarantine.c.resolution.in_(STANDS),
    quarantine.c.reason == LOST,
)
"""Of several entries of one purchase: the one that waits, or else what was decided; given up is the last."""


class QuarantinedEntry(NamedTuple):
    """`resolution` is None while the entry waits.

    The first line of `error` is ours. The rest is the database's own text, which may contain data: do not show it.
    """

    event_id: str
    entry: LogEntry
    reason: str
    error: str
    resolution: str | None

    @property
    def purchase_id(self) -> PurchaseId | None:
        """The purchase id that the buyer got; None if the entry is not a purchase."""
        change = self.entry.read()
        if not isinstance(change, Purchased):
            return None
        return PurchaseId(self.event_id, change.original or self.entry.position, change.nonce)

    @property
    def words(self) -> str:
        """Why it is in quarantine, without the database's own text."""
        first_line = self.error.partition("\n")[0]
        # Rows of earlier versions begin with the driver's exception, in parentheses.
        return "SQL refuses it" if first_line.startswith("(") else first_line


def put_aside(connection: Connection, asides: Iterable[QuarantinedEntry]) -> None:
    """Add entries to quarantine. Those already there stay unchanged."""
    insert_new(connection, quarantine, [_row(aside) for aside in asides])


def page(connection: Connection, event_id: str | None, offset: int, count: int) -> list[QuarantinedEntry]:
    """Return a page of the waiting entries, newest first."""
    query = select(quarantine).where(quarantine.c.resolution.is_(None))
    if event_id is not None:
        query = query.where(quarantine.c.event_id == event_id)
    ordered = query.order_by(quarantine.c.event_id, quarantine.c.seq.desc(), quarantine.c.epoch.desc())
    return [_aside(row) for row in connection.execute(ordered.offset(offset).limit(count))]


def find(connection: Connection, event_id: str, position: Position) -> QuarantinedEntry | None:
    """Return the entry at `position`; of two, the one that still waits."""
    found = connection.execute(
        select(quarantine)
        .where(*_at(event_id, position))
        .order_by(quarantine.c.resolution.is_not(None), quarantine.c.reason.desc())
    ).first()
    return _aside(found) if found else None


def find_purchase(connection: Connection, purchase_id: PurchaseId) -> QuarantinedEntry | None:
    """Return the entry of exactly this purchase, not another one at its position.

    If it was replayed and quarantined again, return the one that still waits.
    """
    event_id, position, nonce = purchase_id
    own = quarantine.c.change.contains(f'"nonce":"{nonce}"')
    query = select(quarantine).where(_told(event_id, position), own)
    found = connection.execute(query.order_by(*_DECISIVE_FIRST)).first()
    return _aside(found) if found else None


def with_reference(connection: Connection, event_id: str, reference: str, count: int) -> list[QuarantinedEntry]:
    """Return purchases with this order number of a shop that the record need not have, at most `count`.

    Of two entries of one purchase, the one that `find_purchase` returns is first.
    """
    # Escaped as `PersonalData.to_text` does it: the texts are searched as they were written.
    member = f'"reference":{json.dumps(reference)}'
    texts = (quarantine.c.private, quarantine.c.change)  # Versions before personal data had a text wrote it in there.
    query = select(quarantine).where(
        quarantine.c.event_id == event_id,
        or_(quarantine.c.resolution.is_(None), quarantine.c.resolution.in_((CANCELLED, *_GIVEN_UP))),
        or_(*(text.contains(member, autoescape=True) for text in texts)),
    )
    first = query.order_by(*_DECISIVE_FIRST, quarantine.c.seq.desc(), quarantine.c.epoch.desc()).limit(count)
    return [_aside(row) for row in connection.execute(first)]


def by_purchase(connection: Connection, event_id: str) -> dict[PurchaseId, list[QuarantinedEntry]]:
    """Return the entries of each purchase, waiting or not, newest first."""
    newest = (quarantine.c.epoch.desc(), quarantine.c.seq.desc())
    found: dict[PurchaseId, list[QuarantinedEntry]] = {}
    for row in connection.execute(select(quarantine).where(quarantine.c.event_id == event_id).order_by(*newest)):
        aside = _aside(row)
        if aside.purchase_id:
            found.setdefault(aside.purchase_id, []).append(aside)
    return found


def look_again(connection: Connection, event_id: str) -> list[LogEntry]:
    """Review quarantine when a term begins: the record now has all that is left of earlier terms.

    Resolve receipts whose purchases turned up, in the record or as entries here. Reopen and return entries that an
    operator had replayed, if the lost end of a log took them along. Afterwards, each purchase waits at most once.
    """
    known = by_purchase(connection, event_id)
    recorded = purchases.recorded(connection, [str(purchase_id) for purchase_id in known])
    again = []
    for purchase_id, asides in known.items():
        waiting = [one for one in asides if one.resolution is None and one.reason != POISON]
        others = [one for one in asides if one not in waiting and one.resolution not in (REPLAYED, FOUND)]
        replayed = [one for one in asides if one.resolution == REPLAYED]
        for one in _superfluous(waiting, others, is_recorded=str(purchase_id) in recorded):
            _set_resolution(connection, one, FOUND)
        # The replay was in the end of a log that was lost; its seats have to be sold again, or given up.
        if replayed and not waiting and not others and str(purchase_id) not in recorded:
            _set_resolution(connection, replayed[0], None)
            again.append(replayed[0].entry)
    return again


def _superfluous(
    waiting: Sequence[QuarantinedEntry], others: Sequence[QuarantinedEntry], *, is_recorded: bool
) -> Sequence[QuarantinedEntry]:
    """Return those of one purchase's waiting entries, newest first, that duplicate something stored elsewhere."""
    if is_recorded:
        return waiting
    entries = [one for one in waiting if one.reason != LOST]
    receipts = [one for one in waiting if one.reason == LOST]
    return [*entries[1:], *(receipts if entries or others else ())]


def waiting(connection: Connection, event_id: str) -> list[QuarantinedEntry]:
    """Return the waiting entries, oldest first."""
    here = (quarantine.c.event_id == event_id, quarantine.c.resolution.is_(None))
    rows = connection.execute(select(quarantine).where(*here).order_by(quarantine.c.epoch, quarantine.c.seq))
    return [_aside(row) for row in rows]


def lost(connection: Connection, event_id: str, epoch: int) -> list[QuarantinedEntry]:
    """Return the waiting purchases of an epoch that are known from a receipt alone."""
    known = (quarantine.c.reason == LOST, quarantine.c.resolution.is_(None))
    here = (quarantine.c.event_id == event_id, quarantine.c.epoch == epoch)
    return [_aside(row) for row in connection.execute(select(quarantine).where(*here, *known))]


def cancel(connection: Connection, event_id: str, position: Position) -> PurchaseId | None:
    """Mark a poisoned purchase as cancelled; None if there is none. `position` is the one its buyer got."""
    # Poison alone has its seats in the inventory; what is cancelled of a fork or a loss makes no log entry.
    poison = (quarantine.c.reason == POISON, quarantine.c.resolution.is_(None))
    row = connection.execute(select(quarantine).where(_told(event_id, position), *poison)).first()
    if row is None:
        return None
    aside = _aside(row)
    return aside.purchase_id if resolve(connection, aside, CANCELLED) else None


def take_out_parts(connection: Connection, aside: QuarantinedEntry) -> list[LogEntry]:
    """Remove the partial cancellations of a poisoned purchase, dismissed ones too, to record them with it.

    They could not be recorded without it, nor it without them: the seats that they returned may have been sold since.
    """
    if aside.purchase_id is None:
        return []
    here = (quarantine.c.event_id == aside.event_id, quarantine.c.reason == POISON)
    of_it = quarantine.c.change.contains(f'"purchase":"{aside.purchase_id.position}"')
    rows = connection.execute(select(quarantine).where(*here, of_it).order_by(quarantine.c.seq)).all()
    parts = [part for part in map(_aside, rows) if isinstance(part.entry.read(), Cancelled)]
    for part in parts:
        connection.execute(delete(quarantine).where(*_here(part)))
    return [part.entry for part in parts]


def resolve(connection: Connection, aside: QuarantinedEntry, resolution: str) -> bool:
    """Mark an entry as resolved; return False if it was already, unless it was only given up."""
    unresolved = or_(quarantine.c.resolution.is_(None), quarantine.c.resolution.in_(_GIVEN_UP))
    changed = connection.execute(update(quarantine).where(*_here(aside), unresolved).values(resolution=resolution))
    return changed.rowcount == 1


def take_out(connection: Connection, aside: QuarantinedEntry) -> bool:
    """Remove a poisoned entry, to record it after all; return False if it was already removed."""
    gone = connection.execute(delete(quarantine).where(*_here(aside), quarantine.c.resolution.is_(None)))
    return gone.rowcount == 1


def _set_resolution(connection: Connection, aside: QuarantinedEntry, resolution: str | None) -> None:
    connection.execute(update(quarantine).where(*_here(aside)).values(resolution=resolution))


def _here(aside: QuarantinedEntry) -> tuple[Any, ...]:
    """Return the entry's key. Two forks may have left entries at one position; their links differ."""
    return (*_at(aside.event_id, aside.entry.position), quarantine.c.link == aside.entry.link)


def _told(event_id: str, position: Position) -> ColumnElement[bool]:
    """Match the entries of the purchase confirmed with `position`. A replayed one is stored at another position."""
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
