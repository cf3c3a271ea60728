"""The terms of inventories: which server may sell, and how much of the log SQL has acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position
from seating.redis_store import keys
from seating.redis_store.book_snapshot import aside_text
from seating.redis_store.calls import Argument, Calls
from seating.redis_store.event_scripts import EventScripts
from seating.redis_store.inventory_snapshot import FIELDS, Head, head


@dataclass(frozen=True, slots=True)
class LogKeeping:
    """How long recorded entries stay in a log: `keep_s` while Redis uses less than `memory_percent` of its maxmemory;
    the newest `resume_entries` always."""

    keep_s: int = 86_400
    memory_percent: int = 50
    resume_entries: int = 0

    @property
    def arguments(self) -> tuple[int, int, int]:
        """The arguments of log_keeping.lua."""
        return self.keep_s * 1000, self.memory_percent, self.resume_entries


class Acknowledged(NamedTuple):
    """`lag` is how many entries SQL lacks; `sells` says whether the inventory is open."""

    lag: int
    sells: bool


class Terms:
    """Raises InventoryUnavailable if Redis does not answer."""

    def __init__(self, calls: Calls, keeping: LogKeeping) -> None:
        self._scripts = EventScripts(calls)
        self._keeping = keeping

    def head(self, event_id: str) -> Head | None:
        """Return the inventory's head; None if its key does not exist."""
        found = head(self._scripts.reply("look", _keys(event_id), FIELDS))
        if found and found.checkpoint and found.acknowledged is None:
            return found._replace(acknowledged=self._acknowledged_before_terms(event_id, found.checkpoint.position))
        return found

    def _acknowledged_before_terms(self, event_id: str, end: Position) -> Checkpoint | None:
        """Versions without terms stored only the seq; the entry itself is still in the log."""
        persisted = self._scripts.ask("HGET", keys.inventory(event_id), "persisted")
        position = f"{end.epoch}-{persisted.decode()}"
        entries = self._scripts.ask("XRANGE", keys.log(event_id), position, position)
        return Checkpoint(Position.parse(position), entries[0][1][3].decode()) if entries else None

    def begin(self, event_id: str, epoch: int, recorded: Checkpoint, nonce: str, database: str) -> Position | None:
        """Append `trusted` to a log that ends at `recorded`; return its position, or None if the log ends elsewhere."""
        event_keys = (*_keys(event_id), keys.terms(event_id))
        outcome, *position = self._scripts.reply("begin_term", event_keys, (epoch, recorded.link, nonce, database))
        return Position.parse(position[0].decode()) if outcome == b"BEGUN" else None

    def acknowledge(
        self, event_id: str, server: str, recorded: Checkpoint, database: str, quarantined: Sequence[LogEntry]
    ) -> Acknowledged | None:
        """Tell Redis how much of `server`'s log SQL has. Return None if the log or the server has changed."""
        asides = [word for entry in quarantined for word in (str(entry.position), aside_text(entry))]
        args: tuple[Argument, ...] = (
            *(server, str(recorded.position), recorded.position.seq, recorded.link, database),
            *self._keeping.arguments,
            *asides,
        )
        reply = self._scripts.reply("acknowledge", (*_keys(event_id), keys.quarantine(event_id)), args)
        return Acknowledged(reply[1], reply[2] == b"1") if reply[0] == b"ACKNOWLEDGED" else None

    def trim(self, event_ids: Sequence[str]) -> None:
        """Trim the logs of idle events, which get no acknowledgements."""
        self._scripts.run_for_each("trim_log", [_keys(event_id) for event_id in event_ids], self._keeping.arguments)

    def stop(self, event_id: str, acknowledged: Checkpoint, reason: str) -> None:
        """Mark the inventory as stopped, unless something else has been acknowledged in the meantime."""
        self._scripts.reply("stop", _keys(event_id), (str(acknowledged), reason))


def _keys(event_id: str) -> tuple[str, str]:
    return keys.inventory(event_id), keys.log(event_id)
