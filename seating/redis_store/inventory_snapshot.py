"""A consistent snapshot of an inventory."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from seating.domain import log_entry
from seating.domain.event import STATES, InventoryCounts
from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position

_NUMBERS: Final = ("epoch", "seq", "persisted", "capacity", "sold", "held", "blocked", "updated")
FIELDS: Final = (*_NUMBERS, "state", "chain", "acknowledged", "seen", "stopped", "archived", "database")
"""The fields of `inventory:{e}` that look.lua reads."""


class Backlog(NamedTuple):
    """The end of an event's log, and how much of it SQL has.

    `trusted`: this server may sell. `stopped`: why SQL cannot record; empty if it can.
    """

    position: Position
    persisted: int
    trusted: bool
    stopped: str = ""

    @property
    def lag(self) -> int:
        """The number of entries that SQL lacks."""
        return self.position.seq - self.persisted

    @property
    def is_recorded(self) -> bool:
        """Whether the log is trusted and SQL has all of it."""
        return self.trusted and not self.lag

    @property
    def persisted_position(self) -> Position:
        return Position(self.position.epoch, self.persisted)


class Head(NamedTuple):
    """The fields that decide whether to trust an inventory, in one snapshot.

    `server` is the one that responded. `checkpoint` is the end of the log; None for an inventory that is archived, or
    claimed but not written yet. `acknowledged` is the last entry that SQL is known to have. Without `has_terms`, a
    version that did not know terms wrote the inventory.
    """

    server: str
    trusted: bool
    claimed: bool
    archived: bool
    checkpoint: Checkpoint | None
    acknowledged: Checkpoint | None
    seen_epoch: int
    stopped: bool
    has_terms: bool


class Snapshot(NamedTuple):
    """A consistent snapshot of an inventory."""

    counts: InventoryCounts
    backlog: Backlog
    head: Head
    now_ms: int
    """That moment by Redis's clock, in ms since 1970."""

    @classmethod
    def of(cls, values: Sequence[bytes | None] | None) -> Self | None:
        """Decode look.lua's reply; None if the inventory is missing, archived or unreadable."""
        found = head(values)
        if not values or found is None or found.checkpoint is None:
            return None
        fields = _fields(values)
        numbers = _numbers(fields)
        counts = InventoryCounts(
            state=fields["state"],
            capacity=numbers["capacity"],
            sold=numbers["sold"],
            held=numbers["held"],
            blocked=numbers["blocked"],
            updated_ms=numbers["updated"],
        )
        backlog = Backlog(
            found.checkpoint.position, numbers["persisted"], found.trusted, stopped=fields.get("stopped", "")
        )
        return cls(counts, backlog, found, int(values[-1] or 0))


def head(values: Sequence[bytes | None] | None) -> Head | None:
    """Decode look.lua's reply; None if there is none, or the key does not exist. Unreadable fields count as missing."""
    if not values:
        return None
    server, sells, claimed = (value.decode() for value in values[:3] if value is not None)
    fields = _fields(values)
    numbers = _numbers(fields)
    is_whole = len(numbers) == len(_NUMBERS) and log_entry.LINK.fullmatch(fields.get("chain", ""))
    checkpoint = None
    if is_whole and fields.get("state") in STATES:
        checkpoint = Checkpoint(Position(numbers["epoch"], numbers["seq"]), fields["chain"])
    acknowledged = Checkpoint.parse(fields.get("acknowledged", ""))
    seen = fields.get("seen", "0")
    return Head(
        server,
        bool(sells),
        bool(claimed),
        "archived" in fields,
        checkpoint,
        acknowledged,
        int(seen) if seen.isdecimal() else 0,
        "stopped" in fields,
        acknowledged is not None,
    )


def _numbers(fields: dict[str, str]) -> dict[str, int]:
    # Not isdigit, which is true of characters that int refuses, such as ².
    return {name: int(fields[name]) for name in _NUMBERS if fields.get(name, "").isdecimal()}


def _fields(values: Sequence[bytes | None]) -> dict[str, str]:
    named = zip(FIELDS, values[3:-1], strict=True)
    return {name: value.decode(errors="replace") for name, value in named if value is not None}
