"""An inventory as of one moment."""

import re
from typing import Final, NamedTuple, Self

from seating.domain.event import STATES, InventoryCounts
from seating.domain.position import Position

_NUMBERS: Final = ("epoch", "seq", "persisted", "capacity", "sold", "held", "blocked", "updated")
_LINK: Final = re.compile("[0-9a-f]{40}")
FIELDS: Final = ("server", *_NUMBERS, "state", "chain")
"""What is read of `inventory:{e}`, in one command."""


class Backlog(NamedTuple):
    """Where an event's log ends, and how much of it SQL has. `trusted` is whether this server may sell."""

    position: Position
    persisted: int
    trusted: bool

    @property
    def lag(self) -> int:
        """Entries that SQL does not have yet."""
        return self.position.seq - self.persisted

    @property
    def persisted_position(self) -> Position:
        return Position(self.position.epoch, self.persisted)


class Snapshot(NamedTuple):
    """An inventory as of one moment."""

    counts: InventoryCounts
    backlog: Backlog

    @classmethod
    def of(cls, values: list[bytes | None], run_id: str | None) -> Self | None:
        """From the values of `FIELDS`; None where there is no inventory, it is being rebuilt, or it cannot be read."""
        if values[1] is None:
            return None
        fields = {name: value.decode(errors="replace") for name, value in zip(FIELDS, values, strict=True) if value}
        numbers = {name: int(fields[name]) for name in _NUMBERS if fields.get(name, "").isdecimal()}
        is_whole = len(numbers) == len(_NUMBERS) and _LINK.fullmatch(fields.get("chain", ""))
        if not is_whole or fields.get("state") not in STATES:
            return None
        counts = InventoryCounts(
            state=fields["state"],
            capacity=numbers["capacity"],
            sold=numbers["sold"],
            held=numbers["held"],
            blocked=numbers["blocked"],
            updated_ms=numbers["updated"],
        )
        position = Position(numbers["epoch"], numbers["seq"])
        return cls(counts, Backlog(position, numbers["persisted"], fields.get("server") == run_id))
