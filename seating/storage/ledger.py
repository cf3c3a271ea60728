"""The ledger: an event's recorded log, each entry verbatim, and its effects folded into the other tables."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, insert, literal, or_, select, union_all
from sqlalchemy.exc import DataError, IntegrityError

from seating.domain.audit import Act, act_of
from seating.domain.change_json import UnknownChange, parse_change
from seating.domain.changes import Cancelled, Change, Merged, OfferSet, Purchased, Rebuilt, SeatSet, StateSet, Trusted
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.recovery_errors import UnreadableEntry
from seating.domain.seating_plan import SeatingPlan, SeatRange
from seating.storage import audit, events, organiser, purchases, quarantine, terms, watermarks
from seating.storage.database import Row, insert_many
from seating.storage.quarantine import QuarantinedEntry
from seating.storage.tables import ledger, merges, sold_seats
from seating.storage.tables import quarantine as quarantine_table

_PAGE = 10_000


class LedgerRow(NamedTuple):
    """An entry and its decoded change."""

    entry: LogEntry
    change: Change


class Written(NamedTuple):
    """The entries that SQL rejected for good, and the ids of the purchases that were cancelled."""

    quarantined: list[LogEntry]
    cancelled: list[str]


class Recorded(NamedTuple):
    """A recorded entry; `poison` if it is in quarantine because the tables rejected it."""

    entry: LogEntry
    poison: bool


class _Refused(Exception):
    """An entry contradicts the record."""


def read_rows(entries: Sequence[LogEntry]) -> list[LedgerRow]:
    """Decode entries up to the first unreadable one. Raises UnreadableEntry if that is the very first."""
    rows: list[LedgerRow] = []
    for entry in entries:
        try:
            rows.append(LedgerRow(entry, parse_change(entry.change)))
        except UnknownChange as error:
            # Not set aside: a later version may have written it, and what follows may depend on it.
            if rows:
                break
            raise UnreadableEntry(f"{entry.position}: {error}") from None
    return rows


def write(connection: Connection, event_id: str, rows: Sequence[LedgerRow], plan: SeatingPlan | None) -> Written:
    """Record `rows`. Those that SQL rejects for good go to quarantine instead."""
    try:
        # A savepoint: the transaction has moved the watermark already, and that must stay.
        with connection.begin_nested():
            return Written([], insert_rows(connection, event_id, rows, plan))
    except REFUSALS as error:
        if len(rows) == 1:
            entry = rows[0].entry
            reason = f"{refusal_in_words(error)}\n{error}"
            quarantine.put_aside(connection, [QuarantinedEntry(event_id, entry, quarantine.POISON, reason, None)])
            return Written([entry], [])
        # Bisect, so that one bad entry does not take the rest of its batch with it.
        middle = len(rows) // 2
        first, second = (write(connection, event_id, part, plan) for part in (rows[:middle], rows[middle:]))
        return Written(first.quarantined + second.quarantined, first.cancelled + second.cancelled)


REFUSALS = (IntegrityError, DataError, _Refused, IndexError, purchases.WrongPersonalData)
"""Errors that mean SQL will never accept a row as it is. IndexError: the plan does not have its seats."""


def refusal_in_words(error: Exception) -> str:
    """Describe one of REFUSALS in one line, without data."""
    match error:
        case _Refused():
            return str(error)
        case purchases.WrongPersonalData():
            return "its personal data is not what was written with it"
        case IndexError():
            return "it names seats that the plan does not have"
        case DataError():
            return "one of its values does not fit its column"
        case IntegrityError() if sold_seats.name in str(error.orig):
            return "one of its seats is already sold in the record"
        case _:
            return "the record has another entry in its place"


def insert_rows(
    connection: Connection,
    event_id: str,
    rows: Sequence[LedgerRow],
    plan: SeatingPlan | None,
    returned: Sequence[SeatRange] = (),
) -> list[str]:
    """Record `rows` and the acts in them; return the ids of the cancelled purchases. Raises one of REFUSALS.

    `returned` is as for `purchases.add`.
    """
    columns = (ledger.c.event_id, ledger.c.epoch, ledger.c.seq, ledger.c.change, ledger.c.link, ledger.c.private)
    written: list[Row] = [(event_id, *entry.position, entry.change, entry.link, entry.private) for entry, _ in rows]
    insert_many(connection, columns, written)
    acts: list[Act | None] = []
    cancelled: list[str] = []
    # Insert purchases in bulk, but never across a change that may free or need their seats.
    for kind, group in groupby(rows, key=lambda row: type(row.change)):
        if kind is Purchased:
            bought = [(row.entry, row.change) for row in group if isinstance(row.change, Purchased)]
            purchases.add(connection, event_id, bought, plan, returned)
            # Only a purchase that an operator sells again says who asked for it; buyers' own are no acts.
            acts += [act_of(event_id, entry.position, change) for entry, change in bought if change.by]
        else:
            for row in group:
                target = _apply(connection, event_id, row, plan)
                acts.append(act_of(event_id, row.entry.position, row.change, target))
                if target and kind is Cancelled:
                    cancelled.append(target)
    audit.add(connection, acts)
    return cancelled


def begin(connection: Connection, event_id: str, first: LogEntry) -> None:
    """Record the first entry of an event's log, and set the watermark to it."""
    append(connection, event_id, first)
    terms.begin(connection, event_id, *first.position)
    watermarks.begin(connection, event_id, Checkpoint.of(first))


def append(connection: Connection, event_id: str, entry: LogEntry) -> None:
    """Record an entry that changes no other table, and the act in it."""
    epoch, seq = entry.position
    row = {"event_id": event_id, "epoch": epoch, "seq": seq, "change": entry.change, "link": entry.link}
    connection.execute(insert(ledger).values(row))
    change = entry.read()
    audit.add(connection, [act_of(event_id, entry.position, change) if change else None])


def entries(connection: Connection, event_id: str, after_seq: int = 0) -> Iterator[list[Recorded]]:
    """Yield the recorded log after `after_seq` in pages: ledger and poison, in order of seq."""
    poison = and_(
        quarantine_table.c.reason == quarantine.POISON,
        or_(quarantine_table.c.resolution.is_(None), quarantine_table.c.resolution == quarantine.CANCELLED),
    )
    while True:
        both = union_all(
            *(
                select(
                    *(table.c.epoch, table.c.seq, table.c.change, table.c.link, table.c.private),
                    literal(is_poison).label("poison"),
                )
                .where(table.c.event_id == event_id, table.c.seq > after_seq)
                .where(poison if is_poison else literal(True))
                for table, is_poison in ((ledger, False), (quarantine_table, True))
            )
        ).subquery()
        page = [
            Recorded(_entry(row), bool(row.poison))
            for row in connection.execute(select(both).order_by(both.c.seq).limit(_PAGE))
        ]
        if not page:
            return
        yield page
        after_seq = page[-1].entry.position.seq


def after(connection: Connection, event_id: str, seq: int, count: int) -> list[LogEntry]:
    """Return at most `count` recorded entries behind `seq`, without those in quarantine."""
    query = select(ledger).where(ledger.c.event_id == event_id, ledger.c.seq > seq).order_by(ledger.c.seq).limit(count)
    return [_entry(row) for row in connection.execute(query)]


def cancellations(
    connection: Connection, event_id: str, purchase: Position, after_seq: int, to_seq: int
) -> list[Cancelled]:
    """Return what was cancelled of a purchase behind `after_seq`, up to `to_seq`. Reads all entries between these."""
    here = (ledger.c.event_id == event_id, ledger.c.seq > after_seq, ledger.c.seq <= to_seq)
    query = select(ledger).where(*here, ledger.c.change.contains(f'"purchase":"{purchase}"')).order_by(ledger.c.seq)
    found = [_entry(row).read() for row in connection.execute(query)]
    return [change for change in found if isinstance(change, Cancelled)]


def known_links(connection: Connection, event_id: str, links: Sequence[str]) -> set[str]:
    """Return those of the links that are in ledger or quarantine, or that a merge stands for."""
    tables = ((ledger, ledger.c.link), (quarantine_table, quarantine_table.c.link))
    merged = ((merges, merges.c.acknowledged_link), (merges, merges.c.tail_link))
    found = connection.execute(
        union_all(
            *(select(link).where(table.c.event_id == event_id, link.in_(links)) for table, link in (*tables, *merged))
        )
    )
    return set(found.scalars())


def has(connection: Connection, event_id: str, checkpoint: Checkpoint) -> bool:
    """Return whether exactly this entry is in ledger or quarantine, or a merge stands for it."""
    epoch, seq = checkpoint.position
    for row in (ledger.c, quarantine_table.c):
        here = (row.event_id == event_id, row.seq == seq, row.epoch == epoch, row.link == checkpoint.link)
        if connection.execute(select(row.seq).where(*here)).first():
            return True
    merged = (merges.c.event_id == event_id, merges.c.acknowledged_link == checkpoint.link)
    return connection.execute(select(merges.c.seq).where(*merged)).first() is not None


def _entry(row: Any) -> LogEntry:
    return LogEntry(Position(row.epoch, row.seq), row.change, row.link, row.private)


def _apply(connection: Connection, event_id: str, row: LedgerRow, plan: SeatingPlan | None) -> str | None:
    """Apply the change to the tables. Return the id of the cancelled purchase, or the seats set; else None."""
    change = row.change
    if isinstance(change, Cancelled):
        return _cancel(connection, event_id, change, plan)
    if isinstance(change, Trusted | Rebuilt | Merged):
        terms.begin(connection, event_id, *row.entry.position)
    elif isinstance(change, StateSet):
        events.set_state(connection, event_id, change.state)
    elif isinstance(change, OfferSet):
        events.set_offer(connection, event_id, change.offer)
    elif isinstance(change, SeatSet) and plan is None:
        return organiser.places_shown(connection, event_id, change)
    elif isinstance(change, SeatSet) and plan:
        organiser.set_seats(connection, event_id, row.entry.position.seq, change, plan)
        return plan.shown(change.runs)
    return None


def _cancel(connection: Connection, event_id: str, change: Cancelled, plan: SeatingPlan | None) -> str:
    """Cancel the purchase and return its id."""
    seats = plan.seats_of(change.runs) if plan else []
    purchase_id = (
        purchases.cancel(connection, event_id, change, seats)
        # A part of what waits in quarantine waits with it.
        or (not change.remaining and quarantine.cancel(connection, event_id, change.purchase))
        # While we waited for an operator's replay to commit, the purchase moved from quarantine to its table.
        or purchases.cancel(connection, event_id, change, seats)
    )
    if purchase_id is None:
        raise _Refused(f"there is no purchase at {change.purchase}")
    return str(purchase_id)
