"""One entry of an event's log, as both of its readers meet it."""

from typing import NamedTuple, Self

from seating.domain import chain
from seating.domain.changes import Change, UnknownChange, parse_change
from seating.domain.position import Position


class LogEntry(NamedTuple):
    """`change` is the JSON text that a script wrote, kept to the letter; `link` ties it to all entries before it."""

    position: Position
    change: str
    link: str

    @classmethod
    def first(cls, change: str) -> Self:
        """The entry that a log begins with."""
        position = Position(1, 1)
        return cls(position, change, chain.link(chain.GENESIS, position, change))

    def read(self) -> Change | None:
        """What `change` says; None if this version cannot read it."""
        try:
            return parse_change(self.change)
        except UnknownChange:
            return None


class Mark(NamedTuple):
    """How far a reader has come: a position and the link of the entry there."""

    position: Position
    link: str

    @classmethod
    def of(cls, entry: LogEntry) -> Self:
        return cls(entry.position, entry.link)

    def is_followed_by(self, entry: LogEntry) -> bool:
        """Whether `entry` is the very next one: same epoch, no gap, and its link made from this mark's."""
        return (
            entry.position == (self.position.epoch, self.position.seq + 1)
            and chain.link(self.link, entry.position, entry.change) == entry.link
        )
