"""Find where Redis, log, ledger and the tables folded from it disagree."""

from collections import Counter
from collections.abc import Iterator, Sequence

from seating.domain.hold import without_holders
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import LogEntry
from seating.domain.offer import Offer
from seating.redis_store.book_snapshot import BookSnapshot
from seating.services import record_differences as recorded
from seating.services import recorded_state
from seating.services.record_differences import Record, differences

_REBUILD = "run: seating rebuild"
_LOSSES = "see: seating losses; seating quarantine list has the purchases among them whose buyers are known"
_QUARANTINE = "see: seating quarantine list"


def merge_advice(event_id: str) -> str:
    return f"restore SQL from a later backup, or run: seating merge {event_id}"


def find(event_id: str, record: Record, snapshot: BookSnapshot | None) -> Iterator[tuple[str, str]]:
    """Yield each difference, and what to do about it."""
    yield from _lost(record)
    yield from _waiting(record)
    yield from recorded.of_tables(event_id, record)
    yield from _redis(event_id, snapshot, record)


def whole_story(record: Record, snapshot: BookSnapshot | None) -> list[LogEntry]:
    """Return ledger, poison and the tail of Redis's log as one history."""
    told = {one.entry.position.seq: one.entry for one in record.entries}
    for entry in snapshot.log if snapshot else ():
        told.setdefault(entry.position.seq, entry)
    return [told[seq] for seq in sorted(told)]


def story_of(record: Record, snapshot: BookSnapshot | None) -> list[LogEntry]:
    """Return the history up to Redis's position."""
    end = int(snapshot.inventory["seq"]) if snapshot else record.checkpoint.position.seq
    return [entry for entry in whole_story(record, snapshot) if entry.position.seq <= end]


def went_back(last_seq: int, record: Record) -> tuple[str, str]:
    """Return what is wrong if Redis ends at `last_seq` after SQL was read, and what to do about it."""
    return (
        f"Redis ends at {last_seq}, but SQL has {record.checkpoint.position}: it went back",
        f"a running worker rebuilds it automatically, or {_REBUILD}",
    )


def _lost(record: Record) -> Iterator[tuple[str, str]]:
    for loss in record.losses:
        yield (
            f"confirmed changes from {loss.first} to {loss.last} are lost, {loss.lost} in all",
            _LOSSES,
        )


def _waiting(record: Record) -> Iterator[tuple[str, str]]:
    if record.quarantined:
        yield f"{len(record.quarantined)} entries wait in quarantine", _QUARANTINE


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
    obstacle = _obstacle(event_id, snapshot, record)
    if obstacle:
        yield obstacle
        return
    if snapshot.last_id > snapshot.checkpoint.position:
        yield f"its log once had an entry at {snapshot.last_id}, so Redis refuses all further ones", _REBUILD
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
    yield from _inventory(state, snapshot)
    yield from _seats(state, snapshot)
    yield from _receipts(state, snapshot)
    yield from _holds(state, snapshot)
    yield from _purchases(state, snapshot)


def _obstacle(event_id: str, snapshot: BookSnapshot, record: Record) -> tuple[str, str] | None:
    """Return why Redis's history cannot be folded, and what to do about it; None if it can."""
    if snapshot.inventory.get("stopped"):
        return f"{snapshot.inventory['stopped']}: its sales are not recorded", merge_advice(event_id)
    acknowledged = int(snapshot.inventory["persisted"])
    if acknowledged > record.checkpoint.position.seq:
        return (
            f"SQL has {record.checkpoint.position}, but has acknowledged entries up to {acknowledged}",
            f"a running cron records them again if the log has them; or {merge_advice(event_id)}",
        )
    if snapshot.garbled:
        return (
            f"the log's entries at {_listed(snapshot.garbled)} are unreadable, so Redis cannot be checked",
            "copy Redis's files, and find out what wrote to them",
        )
    return None


def _inventory(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
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
    yield from differences("inventory", {name: str(value) for name, value in expected.items()}, found, _REBUILD)


def _seats(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
    maps = {str(block): seats for block, seats in enumerate(state.maps)}
    yield from differences("seats of block", maps, snapshot.maps, _REBUILD)
    if state.longest_runs != snapshot.longest_runs:
        yield "the longest runs of its blocks do not match their seats", _REBUILD


def _receipts(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
    """Compare what requests that are repeated get: the receipts of purchases, the notes of ended holds."""
    yield from differences("idempotency record", state.idempotency, snapshot.idempotency, _REBUILD)
    # Notes that are over may have been swept from Redis, or not yet.
    notes, found_notes = (
        {field: until_ms for field, until_ms in kept.items() if until_ms > snapshot.now_ms}
        for kept in (state.notes, snapshot.notes)
    )
    yield from differences("note of ended hold", notes, found_notes, _REBUILD)


def _purchases(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
    if state.cancelled != snapshot.cancelled:
        yield "Redis and the ledger disagree about which purchases are cancelled", _REBUILD
    counted = {buyer: str(seats) for buyer, seats in state.buyers.items()}
    yield from differences("seats of buyer", counted, snapshot.buyers, _REBUILD)


def _holds(state: InventoryState, snapshot: BookSnapshot) -> Iterator[tuple[str, str]]:
    """Compare the holds. Their holders are only in Redis, so the counts per holder are checked against the holds."""
    held_by: Counter[str] = Counter()
    found = {}
    for hold, kept in snapshot.holds.items():
        found[hold], holders = without_holders(kept)
        for holder in holders:
            held_by[holder] += _quantity(kept)
    expected = {hold: str(kept) for hold, kept in state.holds.items()}
    yield from differences("hold", expected, found, _REBUILD)
    due = {hold: kept.until_ms for hold, kept in state.holds.items()}
    yield from differences("expiry of hold", due, snapshot.expiries, _REBUILD)
    counted = {holder: str(seats) for holder, seats in held_by.items() if seats}
    yield from differences("seats of holder", counted, snapshot.holders, _REBUILD)


def _quantity(hold: str) -> int:
    """Return a stored hold's quantity; 0 if it is damaged, which shows as a difference anyway."""
    _since, _until, quantity, *_rest = [*hold.split("|"), "", "", ""]
    return int(quantity) if quantity.isdecimal() else 0


def _listed(positions: Sequence[object]) -> str:
    """List at most five positions, and count the rest."""
    more = f" and {len(positions) - 5} more" if len(positions) > 5 else ""
    return ", ".join(map(str, positions[:5])) + more
