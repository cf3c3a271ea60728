"""Find where Redis, log, ledger and the tables folded from it disagree."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from seating.domain.cancellation import Bought
from seating.domain.changes import Cancelled, Purchased, SeatSet
from seating.domain.hold import without_holders
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.offer import Offer
from seating.domain.position import Position
from seating.domain.purchase import PurchaseId
from seating.domain.receipt import Receipt, is_purchase_record
from seating.domain.seat_status import BOX_OFFICE, ORGANISED
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
    """What SQL has about an event, read in one transaction."""

    entries: list[ledger.Recorded]
    checkpoint: Checkpoint
    archived: bool
    plan: Any
    quarantined: list[QuarantinedEntry]
    seats_taken: dict[str, str]
    organiser_seats: dict[str, str]
    purchases: dict[str, int]
    losses: list[answered.Loss]
    merged: LastMerge | None

    def start(self) -> InventoryState:
        """The state from which to fold the entries after the last merge."""
        return InventoryState.load(self.merged.state) if self.merged else InventoryState.before_opening(self.plan)

    @property
    def merged_seq(self) -> int:
        return self.merged.seq if self.merged else 0


def merge_advice(event_id: str) -> str:
    return f"restore SQL from a later backup, or run: seating merge {event_id}"


def find(event_id: str, record: Record, snapshot: BookSnapshot | None) -> Iterator[tuple[str, str]]:
    """Yield each difference, and what to do about it."""
    yield from _lost(record)
    yield from _waiting(record)
    yield from _tables(event_id, record)
    yield from _redis(event_id, snapshot, record)


def story_of(record: Record, snapshot: BookSnapshot | None) -> list[LogEntry]:
    """Return ledger, poison and the tail of Redis's log as one history, up to Redis's position."""
    told = {recorded.entry.position.seq: recorded.entry for recorded in record.entries}
    for entry in snapshot.log if snapshot else ():
        told.setdefault(entry.position.seq, entry)
    end = int(snapshot.inventory["seq"]) if snapshot else record.checkpoint.position.seq
    return [told[seq] for seq in sorted(told) if seq <= end]


def _lost(record: Record) -> Iterator[tuple[str, str]]:
    for loss in record.losses:
        yield (
            f"confirmed changes from {loss.first} to {loss.last} are lost, {loss.lost} in all",
            _LOSSES,
        )


def _waiting(record: Record) -> Iterator[tuple[str, str]]:
    if record.quarantined:
        yield f"{len(record.quarantined)} entries wait in quarantine", _QUARANTINE


def _tables(event_id: str, record: Record) -> Iterator[tuple[str, str]]:
    """Compare the tables with the ledger that they were folded from."""
    if record.entries and record.entries[-1].entry.position.seq != record.checkpoint.position.seq:
        last = record.entries[-1].entry.position
        yield (
            f"the watermark is at {record.checkpoint.position}, the ledger ends at {last}",
            "restore SQL from a backup",
        )
    standing: dict[str, int] = {}
    seats: dict[str, str] = {}
    ids: dict[Position, str] = {}
    for receipt, left in _merged_purchases(event_id, record):
        ids[receipt.id.position] = purchase_id = str(receipt.id)
        standing[purchase_id] = left.quantity
        seats |= dict.fromkeys(_seats(record, left.runs), purchase_id)
    seats |= dict.fromkeys(_merged_seats(record, BOX_OFFICE), purchases.AT_BOX_OFFICE)
    organised = {seat: status for status in ORGANISED for seat in _merged_seats(record, status)}
    for entry, poison in record.entries:
        if entry.position.seq <= record.merged_seq:
            continue
        change = entry.read()
        if isinstance(change, Purchased) and not poison:
            position = change.original or entry.position
            ids[position] = purchase_id = str(PurchaseId(event_id, position, change.nonce))
            standing[purchase_id] = change.quantity
            seats |= dict.fromkeys(_seats(record, change.runs), purchase_id)
        elif isinstance(change, Cancelled) and change.purchase in ids and not poison:
            purchase_id = ids[change.purchase]
            standing[purchase_id] -= change.quantity
            for seat in _seats(record, change.runs):
                if seats.get(seat) == purchase_id:
                    del seats[seat]
        elif isinstance(change, SeatSet) and not poison:
            set_now = dict.fromkeys(_seats(record, change.runs), change.status)
            for seat in set_now:
                if organised.get(seat) == BOX_OFFICE:
                    seats.pop(seat, None)
                if change.status == BOX_OFFICE:
                    seats[seat] = purchases.AT_BOX_OFFICE
            organised |= set_now
    advice = "the ledger is right: correct the table, or restore SQL from a backup"
    yield from _differences("purchases", standing, record.purchases, advice)
    yield from _differences("sold_seats", seats, record.seats_taken, advice)
    organised = {seat: status for seat, status in organised.items() if status in ORGANISED}
    yield from _differences("organiser_seats", organised, record.organiser_seats, advice)


def _seats(record: Record, runs: Sequence[SeatRange]) -> list[str]:
    return record.plan.seats_of(runs) if record.plan else []


def _merged_purchases(event_id: str, record: Record) -> Iterator[tuple[Receipt, Bought]]:
    """Yield the purchases in the last merge's state, and what of each stands."""
    if record.merged:
        state = record.start()
        waiting = {aside.entry.position for aside in record.quarantined}
        for kept in filter(is_purchase_record, state.idempotency.values()):
            receipt = Receipt.parse(event_id, kept)
            if receipt.id.position not in waiting:
                yield receipt, receipt.bought.standing(state.cancellation(str(receipt.id.position)))


def _merged_seats(record: Record, status: str) -> list[str]:
    """The seats that had `status` in the state that the last merge left."""
    if not record.merged or not record.plan:
        return []
    return _seats(record, record.start().runs_of(status))


def _redis(event_id: str, snapshot: BookSnapshot | None, record: Record) -> Iterator[tuple[str, str]]:
    """Compare Redis with the fold of the whole history."""
    if snapshot is None:
        if not record.archived:
            yield "Redis has no inventory for it", f"a running worker rebuilds it automatically, or {_REBUILD}"
        return
    if snapshot.inventory["server"] == "":
        yield "its inventory is closed until it has been compared with SQL", "make sure that a worker is running"
    for what in sorted(snapshot.damaged):
        yield f"{what} was unreadable and set aside; it begins with {snapshot.damaged[what]!r}", _REBUILD
    if snapshot.inventory.get("stopped"):
        yield f"{snapshot.inventory['stopped']}: its sales are not recorded", merge_advice(event_id)
        return
    acknowledged = int(snapshot.inventory["persisted"])
    if acknowledged > record.checkpoint.position.seq:
        yield (
            f"SQL has {record.checkpoint.position}, but has acknowledged entries up to {acknowledged}",
            f"a running cron records them again if the log has them; or {merge_advice(event_id)}",
        )
        return
    if snapshot.garbled:
        yield (
            f"the log's entries at {_listed(snapshot.garbled)} are unreadable, so Redis cannot be checked",
            "copy Redis's files, and find out what wrote to them",
        )
        return
    state = record.start()
    story = story_of(record, snapshot)
    later = [entry for entry in story if entry.position.seq > record.merged_seq]
    unread = [entry.position for entry in later if not recorded_state.apply(state, entry)]
    if unread:
        yield (
            f"this version cannot read {_listed(unread)}, so Redis cannot be checked",
            "run the version that wrote them",
        )
        return
    if not story or story[-1].position.seq != int(snapshot.inventory["seq"]):
        yield f"the log ends before the inventory's position, {snapshot.inventory['seq']}", _REBUILD
    expected = {
        "state": state.state,
        "capacity": state.capacity,
        "sold": state.sold,
        "held": state.held,
        "blocked": state.blocked,
        "organised": state.organised,
        **(state.offer or Offer()).inventory_fields(),
    }
    if state.offer is None:
        expected["offered"] = ""
    found = {name: snapshot.inventory.get(name, "") for name in expected}
    yield from _differences("inventory", {name: str(value) for name, value in expected.items()}, found, _REBUILD)
    maps = {str(block): seats for block, seats in enumerate(state.maps)}
    yield from _differences("seats of block", maps, snapshot.maps, _REBUILD)
    if state.longest_runs != snapshot.longest_runs:
        yield "the longest runs of its blocks do not match their seats", _REBUILD
    yield from _differences("idempotency record", state.idempotency, snapshot.idempotency, _REBUILD)
    notes, found_notes = (
        {field: until_ms for field, until_ms in kept.items() if until_ms > snapshot.now_ms}
        for kept in (state.notes, snapshot.notes)
    )
    yield from _differences("note of ended hold", notes, found_notes, _REBUILD)
    yield from _holds(state, snapshot)
    if state.cancelled != snapshot.cancelled:
        yield "Redis and the ledger disagree about which purchases are cancelled", _REBUILD
    counted = {buyer: str(seats) for buyer, seats in state.buyers.items()}
    yield from _differences("seats of buyer", counted, snapshot.buyers, _REBUILD)


def _holds(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
    """Compare the holds. Their holders are only in Redis, so the counts per holder are checked against the holds."""
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
    """Return a stored hold's quantity; 0 if it is damaged, which shows as a difference anyway."""
    _since, _until, quantity, *_rest = [*hold.split("|"), "", "", ""]
    return int(quantity) if quantity.isdecimal() else 0


def _listed(positions: Sequence[object]) -> str:
    """List at most five positions, and count the rest."""
    more = f" and {len(positions) - 5} more" if len(positions) > 5 else ""
    return ", ".join(map(str, positions[:5])) + more


def _differences(
    name: str, expected: Mapping[str, object], found: Mapping[str, object], advice: str
) -> Iterator[tuple[str, str]]:
    """Yield at most five differences, and count the rest."""
    wrong = sorted(key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key))
    for key in wrong[:5]:
        yield f"{name} {key} is {found.get(key)!r} but should be {expected.get(key)!r}", advice
    if len(wrong) > 5:
        yield f"and {len(wrong) - 5} more of {name}", advice
