"""An inventory as of one moment."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from seating.domain import log_entry
from seating.domain.event import STATES, InventoryCounts
from seating.domain.log_entry import Checkpoint
from seating.domain.position import Position

_NUMBERS: Final = ("epoch", "seq", "persisted", "capacity", "sold", "held", "blocked", "updated")
FIELDS: Final = (*_NUMBERS, "state", "chain", "acknowledged", "seen", "stopped", "archived", "database")
"""What look.lua reads of `inventory:{e}`."""


class Backlog(NamedTuple):
    """Where an event's log ends, and how much of it SQL has.

    `trusted` is whether this server may sell; `stopped` says why SQL cannot record, empty as long as it can.
    """

    position: Position
    persisted: int
    trusted: bool
    stopped: str = ""

    @property
    def lag(self) -> int:
        """Entries that SQL does not have yet."""
        return self.position.seq - self.persisted

    @property
    def is_recorded(self) -> bool:
        """Whether SQL has all of a log that can be trusted."""
        return self.trusted and not self.lag

    @property
    def persisted_position(self) -> Position:
        return Position(self.position.epoch, self.persisted)


class Head(NamedTuple):
    """What trusting an inventory goes by, as of one moment.

    `server` is the one that answered. `checkpoint` is where the log ends; None for an inventory that was claimed
    before it was one, or archived. `acknowledged` is what SQL was known to have; without `has_terms` a version that
    knew no terms wrote the inventory.
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
    """An inventory as of one moment."""

    counts: InventoryCounts
    backlog: Backlog
    head: Head

    @classmethod
    def of(cls, values: Sequence[bytes | None]) -> Self | None:
        """From look.lua's reply; None where there is no inventory, it is archived, or it cannot be read."""
        found = head(values)
        if found is None or found.checkpoint is None:
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
        return cls(counts, backlog, found)


def head(values: Sequence[bytes | None]) -> Head | None:
    """From look.lua's reply; None where no key of that name exists. What cannot be read counts as missing."""
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
    return {name: int(fields[name]) for name in _NUMBERS if fields.get(name, "").isdecimal()}


def _fields(values: Sequence[bytes | None]) -> dict[str, str]:
    named = zip(FIELDS, values[3:], strict=True)
    return {name: value.decode(errors="replace") for name, value in named if value is not None}
