"""An inventory as of one moment."""

from typing import Final, NamedTuple, Self

from seating.domain.event import InventoryCounts
from seating.domain.position import Position

FIELDS: Final = ("server", "epoch", "seq", "persisted", "state", "capacity", "sold", "held", "blocked", "updated")
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
        """From the values of `FIELDS`; None where there is no inventory, or one that is being rebuilt."""
        if values[1] is None:
            return None
        fields = {name: value.decode() for name, value in zip(FIELDS, values, strict=True) if value is not None}
        counts = InventoryCounts(
            state=fields["state"],
            capacity=int(fields["capacity"]),
            sold=int(fields["sold"]),
            held=int(fields["held"]),
            blocked=int(fields["blocked"]),
            updated_ms=int(fields["updated"]),
        )
        position = Position(int(fields["epoch"]), int(fields["seq"]))
        return cls(counts, Backlog(position, int(fields["persisted"]), fields["server"] == run_id))
