"""Where Redis, log, ledger and the tables folded from it do not tell the same story."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from seating.domain.changes import Cancelled, Purchased, SeatSet
from seating.domain.hold import without_holders
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId, Receipt, is_purchase_record
from seating.domain.seat_status import BOX_OFFICE
from seating.domain.seating_plan import SeatRange
from seating.redis_store.book_snapshot import BookSnapshot
from seating.services import recorded_state
from seating.storage import answered, ledger, purchases
from seating.storage.merges import LastMerge
from seating.storage.quarantine import QuarantinedEntry

_REBUILD = "run: seating rebuild"
_LOSSES = "see: seating losses; seating quarantine list has the purchases among them whose buyers are known"
_QUARANTINE = "see: seating quarantine list"


class Record(NamedTuple):
    """What SQL has of an event, read in one transaction."""

    entries: list[ledger.Recorded]
    checkpoint: Checkpoint
    archived: bool
    plan: Any
    quarantined: list[QuarantinedEntry]
    seats_taken: dict[str, str]
    purchases: dict[str, bool]
    losses: list[answered.Loss]
    merged: LastMerge | None

    def start(self) -> InventoryState:
        """What the fold of the entries beyond the last merge goes on from."""
        return InventoryState.load(self.merged.state) if self.merged else InventoryState.before_opening(self.plan)

    @property
    def merged_seq(self) -> int:
        return self.merged.seq if self.merged else 0


def merge_advice(event_id: str) -> str:
    return f"restore SQL from a later backup, or run: seating merge {event_id}"


def find(event_id: str, record: Record, snapshot: BookSnapshot | None) -> Iterator[tuple[str, str]]:
    """What differs, and what to do about it."""
    yield from _lost(record)
    yield from _waiting(record)
    yield from _tables(event_id, record)
    yield from _redis(event_id, snapshot, record)


def story_of(record: Record, snapshot: BookSnapshot | None) -> list[LogEntry]:
    """Ledger, poison and Redis's tail in one, up to where Redis was."""
    told = {recorded.entry.position.seq: recorded.entry for recorded in record.entries}
    for entry in snapshot.log if snapshot else ():
        told.setdefault(entry.position.seq, entry)
    end = int(snapshot.inventory["seq"]) if snapshot else record.checkpoint.position.seq
    return [told[seq] for seq in sorted(told) if seq <= end]


def _lost(record: Record) -> Iterator[tuple[str, str]]:
    for loss in record.losses:
        yield (
            f"answered changes from {loss.first} to {loss.last} are lost, {loss.lost} in all",
            _LOSSES,
        )


def _waiting(record: Record) -> Iterator[tuple[str, str]]:
    if record.quarantined:
        yield f"{len(record.quarantined)} entries wait in quarantine", _QUARANTINE


def _tables(event_id: str, record: Record) -> Iterator[tuple[str, str]]:
    """The tables against the ledger that they were folded from."""
    if record.entries and record.entries[-1].entry.position.seq != record.checkpoint.position.seq:
        last = record.entries[-1].entry.position
        yield (
            f"the watermark is at {record.checkpoint.position}, the ledger ends at {last}",
            "restore SQL from a backup",
        )
    standing: dict[str, bool] = {}
    seats: dict[str, str] = {}
    ids: dict[Position, str] = {}
    for receipt, stands in _merged_purchases(event_id, record):
        ids[receipt.id.position] = purchase_id = str(receipt.id)
        standing[purchase_id] = stands
        if stands:
            seats |= dict.fromkeys(_seats(record, receipt.runs), purchase_id)
    seats |= dict.fromkeys(_merged_box_office(record), purchases.AT_BOX_OFFICE)
    for entry, poison in record.entries:
        if entry.position.seq <= record.merged_seq:
            continue
        change = entry.read()
        if isinstance(change, Purchased) and not poison:
            position = change.original or entry.position
            ids[position] = purchase_id = str(PurchaseId(event_id, position, change.nonce))
            standing[purchase_id] = True
            seats |= dict.fromkeys(_seats(record, change.runs), purchase_id)
        elif isinstance(change, Cancelled) and change.purchase in ids:
            purchase_id = ids[change.purchase]
            standing[purchase_id] = False
            seats = {seat: owner for seat, owner in seats.items() if owner != purchase_id}
        elif isinstance(change, SeatSet) and not poison:
            for seat in _seats(record, change.runs):
                if change.was == BOX_OFFICE:
                    seats.pop(seat, None)
                if change.status == BOX_OFFICE:
                    seats[seat] = purchases.AT_BOX_OFFICE
    advice = "the ledger is right; mend the table, or restore SQL from a backup"
    yield from _differences("purchases", standing, record.purchases, advice)
    yield from _differences("sold_seats", seats, record.seats_taken, advice)


def _seats(record: Record, runs: list[SeatRange]) -> list[str]:
    return record.plan.seats_of(runs) if record.plan else []


def _merged_purchases(event_id: str, record: Record) -> Iterator[tuple[Receipt, bool]]:
    """The purchases that the last merge left, and whether each stands."""
    if record.merged:
        state = record.start()
        waiting = {aside.entry.position for aside in record.quarantined}
        for kept in filter(is_purchase_record, state.idempotency.values()):
            receipt = Receipt.parse(event_id, kept)
            if receipt.id.position not in waiting:
                yield receipt, str(receipt.id.position) not in state.cancelled


def _merged_box_office(record: Record) -> list[str]:
    if not record.merged or not record.plan:
        return []
    return _seats(record, record.start().runs_of(BOX_OFFICE))


def _redis(event_id: str, snapshot: BookSnapshot | None, record: Record) -> Iterator[tuple[str, str]]:
    """Redis against the fold of the whole story."""
    if snapshot is None:
        if not record.archived:
            yield "Redis has no inventory of it", f"it is rebuilt by itself while a worker runs, or {_REBUILD}"
        return
    if snapshot.inventory["server"] == "":
        yield "its inventory is closed until it has been compared with SQL", "make sure that a worker runs"
    for what in sorted(snapshot.damaged):
        yield f"{what} could not be read and was put aside, as it began: {snapshot.damaged[what]!r}", _REBUILD
    if snapshot.inventory.get("stopped"):
        yield f"{snapshot.inventory['stopped']}: its sales are not recorded", merge_advice(event_id)
        return
    if snapshot.garbled:
        yield (
            f"the log's entries at {_listed(snapshot.garbled)} cannot be read, so what Redis should have is not known",
            "copy Redis's files, and find out what wrote to them",
        )
        return
    state = record.start()
    story = story_of(record, snapshot)
    later = [entry for entry in story if entry.position.seq > record.merged_seq]
    unread = [entry.position for entry in later if not recorded_state.apply(state, entry)]
    if unread:
        yield (
            f"this version cannot read {_listed(unread)}, so what Redis should have is not known",
            "run the version that wrote them",
        )
        return
    if not story or story[-1].position.seq != int(snapshot.inventory["seq"]):
        yield f"the log ends before the inventory, which is at {snapshot.inventory['seq']}", _REBUILD
    expected = {
        "state": state.state,
        "capacity": state.capacity,
        "sold": state.sold,
        "held": state.held,
        "blocked": state.blocked,
    }
    found = {name: value for name, value in snapshot.inventory.items() if name in expected}
    yield from _differences("inventory", {name: str(value) for name, value in expected.items()}, found, _REBUILD)
    maps = {str(block): seats for block, seats in enumerate(state.maps)}
    yield from _differences("seats of block", maps, snapshot.maps, _REBUILD)
    if state.longest_runs != snapshot.longest_runs:
        yield "the longest runs of its blocks are not those of their seats", _REBUILD
    yield from _differences("idempotency record", state.idempotency, snapshot.idempotency, _REBUILD)
    notes, found_notes = (
        {field: until_ms for field, until_ms in kept.items() if until_ms > snapshot.now_ms}
        for kept in (state.notes, snapshot.notes)
    )
    yield from _differences("note of ended hold", notes, found_notes, _REBUILD)
    yield from _holds(state, snapshot)
    if state.cancelled != snapshot.cancelled:
        yield "Redis does not know the same purchases to be cancelled as the ledger", _REBUILD


def _holds(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
    """Only Redis knows whose holds they are: that is compared with itself."""
    held_by: Counter[str] = Counter()
    found = {}
    for hold, kept in snapshot.holds.items():
        found[hold], holders = without_holders(kept)
        for holder in holders:
            held_by[holder] += _quantity(kept)
    expected = {hold: str(kept) for hold, kept in state.holds.items()}
    yield from _differences("hold", expected, found, _REBUILD)
    due = {hold: kept.until_ms for hold, kept in state.holds.items()}
    yield from _differences("expiry of hold", due, snapshot.expiries, _REBUILD)
    counted = {holder: str(seats) for holder, seats in held_by.items() if seats}
    yield from _differences("seats of holder", counted, snapshot.holders, _REBUILD)


def _quantity(hold: str) -> int:
    """Of a hold as Redis keeps it; 0 for one that is damaged, which differs from the story anyway."""
    _since, _until, quantity, *_rest = [*hold.split("|"), "", "", ""]
    return int(quantity) if quantity.isdecimal() else 0


def _listed(positions: Sequence[object]) -> str:
    """At most five of them in words, and how many more."""
    more = f" and {len(positions) - 5} more" if len(positions) > 5 else ""
    return ", ".join(map(str, positions[:5])) + more


def _differences(
    name: str, expected: Mapping[str, object], found: Mapping[str, object], advice: str
) -> Iterator[tuple[str, str]]:
    """At most five of them in words, and how many more."""
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    for key in wrong[:5]:
        yield f"{name} {key} is {found.get(key)!r}, and should be {expected.get(key)!r}", advice
    if len(wrong) > 5:
        yield f"and {len(wrong) - 5} more of {name}", advice
