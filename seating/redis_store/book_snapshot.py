"""A consistent snapshot of everything in Redis about one event."""

from collections import OrderedDict
from typing import NamedTuple

import redis

from seating.domain.hold import Hold, unpack_notes
from seating.domain.inventory_state import InventoryState
from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.offer import Offer
from seating.domain.position import Position
from seating.domain.receipt import Receipt
from seating.domain.seating_plan import SeatingPlan
from seating.redis_store import keys
from seating.redis_store.failures import unavailable
from seating.redis_store.plain_client import client_of


class BookSnapshot(NamedTuple):
    """The keys of one event, decoded. `log` is the untrimmed part; `expiries` is each hold's expiry in ms, and `notes`
    until when the key of each ended hold is refused. `now_ms` is by Redis's clock.

    `garbled` are the ids of entries that no version of this program can have written; `log` leaves them out. `last_id`
    is the highest id that the log has seen, of a removed entry too: only higher ones can be appended.
    """

    inventory: dict[str, str]
    log: list[LogEntry]
    garbled: list[str]
    last_id: Position
    maps: dict[str, str]
    longest_runs: str
    idempotency: dict[str, str]
    holds: dict[str, str]
    expiries: dict[str, int]
    holders: dict[str, str]
    notes: dict[str, int]
    cancelled: dict[str, str]
    buyers: dict[str, str]
    quarantined: dict[str, str]
    damaged: dict[str, str]
    terms: dict[str, str]
    plan: bytes | None
    now_ms: int

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the log ends."""
        return Checkpoint(Position(int(self.inventory["epoch"]), int(self.inventory["seq"])), self.inventory["chain"])

    @property
    def acknowledged(self) -> Checkpoint | None:
        """The last entry that SQL is known to have."""
        return Checkpoint.parse(self.inventory.get("acknowledged", ""))

    @property
    def seen_epoch(self) -> int:
        """The highest epoch that a refused caller had seen; 0 if there was none."""
        return int(self.inventory.get("seen", 0))

    def term_starts(self) -> dict[int, int]:
        """The first seq of each epoch."""
        return {int(epoch): int(seq) for epoch, seq in self.terms.items()}

    def seating_plan(self) -> SeatingPlan | None:
        return SeatingPlan.unpack(self.plan) if self.plan else None

    def state(self) -> InventoryState:
        counted = {name: int(self.inventory[name]) for name in ("capacity", "sold", "held", "blocked")}
        return InventoryState(
            [self.maps[block] for block in sorted(self.maps, key=int)],
            state=self.inventory["state"],
            updated_ms=int(self.inventory["updated"]),
            idempotency=dict(self.idempotency),
            holds={hold: Hold.parse(kept) for hold, kept in self.holds.items()},
            notes=OrderedDict(self.notes),
            cancelled=dict(self.cancelled),
            offer=Offer.from_json(self.inventory["offered"]) if "offered" in self.inventory else None,
            organised=self.inventory.get("organised", ""),
            **counted,
        )

    def is_quarantined(self, receipt: Receipt) -> bool:
        return str(receipt.id.position) in self.quarantined

    def quarantined_entries(self) -> list[LogEntry]:
        return [read_aside(Position.parse(position), text) for position, text in self.quarantined.items()]


def aside_text(entry: LogEntry) -> str:
    """How Redis keeps an entry that waits in quarantine: link|change, and its personal data in a line of its own."""
    return f"{entry.link}|{entry.change}" + (f"\n{entry.private}" if entry.private else "")


def read_aside(position: Position, text: str) -> LogEntry:
    link, _, told = text.partition("|")
    change, _, private = told.partition("\n")
    return LogEntry(position, change, link, private or None)


def take(client: "redis.Redis", event_id: str) -> BookSnapshot | None:
    """Read the snapshot in one transaction, so that it is not torn. None if there is no readable inventory."""
    with unavailable():
        last_id = _last_id(client, event_id)
    reading = client_of(client, keys.inventory(event_id)).pipeline(transaction=True)
    reading.hgetall(keys.inventory(event_id))
    reading.xrange(keys.log(event_id))
    reading.hgetall(keys.seats(event_id))
    reading.get(keys.longest_runs(event_id))
    reading.hgetall(keys.idempotency(event_id))
    reading.hgetall(keys.hold(event_id))
    reading.zrange(keys.holds(event_id), 0, -1, withscores=True)
    reading.hgetall(keys.holders(event_id))
    reading.hgetall(keys.notes(event_id))
    reading.hgetall(keys.cancelled(event_id))
    reading.hgetall(keys.buyers(event_id))
    reading.hgetall(keys.quarantine(event_id))
    reading.hgetall(keys.damaged(event_id))
    reading.hgetall(keys.terms(event_id))
    reading.get(keys.plan(event_id))
    # Notes of ended holds expire by Redis's clock.
    reading.time()
    with unavailable():
        inventory, log, maps, longest_runs, idempotency, *rest = reading.execute()
    holds, expiries, holders, notes, cancelled, buyers, quarantined, damaged, terms, plan, (now_s, us) = rest
    if not all(inventory.get(number, b"").isdigit() for number in (b"epoch", b"seq")):
        return None
    entries = {entry_id: _entry(entry_id, fields) for entry_id, fields in log}
    return BookSnapshot(
        _texts(inventory),
        [entry for entry in entries.values() if entry],
        [_text(entry_id) for entry_id, entry in entries.items() if entry is None],
        last_id,
        _texts(maps),
        _text(longest_runs or b""),
        _texts(idempotency),
        _texts(holds),
        {_text(hold): int(until_ms) for hold, until_ms in expiries},
        _texts(holders),
        unpack_notes(_texts(notes)),
        _texts(cancelled),
        _texts(buyers),
        _texts(quarantined),
        _texts(damaged),
        _texts(terms),
        plan,
        now_s * 1000 + us // 1000,
    )


def _last_id(client: "redis.Redis", event_id: str) -> Position:
    """Return the log's highest id; 0-0 without a log, which would fail a transaction.

    It only grows, so one above the position of a later snapshot is above it for good.
    """
    try:
        stream = client_of(client, keys.log(event_id)).xinfo_stream(keys.log(event_id))
    except redis.ResponseError as error:
        if str(error) != "no such key":
            raise
        return Position(0, 0)
    return Position.of_entry(stream["last-generated-id"])


def last_seq(client: "redis.Redis", event_id: str) -> int:
    """Return the seq of the last change that Redis has by now; 0 without a readable inventory."""
    with unavailable():
        seq = client_of(client, keys.inventory(event_id)).hget(keys.inventory(event_id), "seq")
    return int(seq) if seq and seq.isdigit() else 0


def _texts(fields: dict[bytes, bytes]) -> dict[str, str]:
    return {_text(name): _text(value) for name, value in fields.items()}


def _text(value: bytes) -> str:
    """Decode any bytes: foreign data is shown too."""
    return value.decode(errors="backslashreplace")


def _entry(entry_id: bytes, fields: dict[bytes, bytes]) -> LogEntry | None:
    try:
        private = fields.get(b"private")
        told = (fields[b"change"].decode(), fields[b"link"].decode(), private.decode() if private else None)
        return LogEntry(Position.parse(entry_id.decode()), *told)
    except (KeyError, ValueError):  # A missing field, an id that is not a position, or invalid UTF-8.
        return None
