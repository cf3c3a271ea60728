"""One entry of an event's log, as both of its readers meet it."""

import hashlib
import re
from typing import Final, NamedTuple, Self

from seating.domain.changes import Change, UnknownChange, parse_change
from seating.domain.position import Position

GENESIS: Final = "0" * 40
LINK: Final = re.compile("[0-9a-f]{40}")


def chain_link(previous: str, position: Position, change: str) -> str:
    """The link of an entry, from the link before it: SHA-1 in hex, as prelude.lua computes it.

    The separators cannot occur in a link or a position, so no two entries spell the same.
    """
    epoch, seq = position
    return hashlib.sha1(f"{previous}\n{epoch}-{seq}\n{change}".encode(), usedforsecurity=False).hexdigest()


_LINK_START: Final = 8
_RESUME_POINT: Final = re.compile(r"([^.]+)(?:\.([0-9a-f]{8}))?", re.ASCII)


class LogEntry(NamedTuple):
    """`change` is the JSON text that a script wrote, kept to the letter; `link` ties it to all entries before it.

    `private` is the personal data beside it (personal_data.py), None where there is none, or none any more; `link` does
    not cover it, but `change` has its hash.
    """

    position: Position
    change: str
    link: str
    private: str | None = None

    @classmethod
    def first(cls, epoch: int, change: str) -> Self:
        """The entry that a log begins with."""
        return cls.after(Checkpoint(Position(epoch, 0), GENESIS), change)

    @classmethod
    def after(cls, checkpoint: "Checkpoint", change: str, epoch: int | None = None, private: str | None = None) -> Self:
        """The entry that goes on from `checkpoint`, in its epoch or in a new one."""
        position = Position(epoch or checkpoint.position.epoch, checkpoint.position.seq + 1)
        return cls(position, change, chain_link(checkpoint.link, position, change), private)

    def follows(self, previous: "LogEntry | Checkpoint") -> bool:
        """Whether this is the very next one: no gap, no earlier epoch, and its link made from that one's."""
        return (
            self.position.seq == previous.position.seq + 1
            and self.position.epoch >= previous.position.epoch
            and chain_link(previous.link, self.position, self.change) == self.link
        )

    def read(self) -> Change | None:
        """What `change` says; None if this version cannot read it."""
        try:
            return parse_change(self.change)
        except UnknownChange:
            return None

    @classmethod
    def beyond(cls, checkpoint: "Checkpoint | None", position: Position, change: str) -> Self:
        """An entry that goes on from `checkpoint` with a gap, or from nothing."""
        return cls(position, change, chain_link(checkpoint.link if checkpoint else GENESIS, position, change))


class Checkpoint(NamedTuple):
    """How far a reader has come: a position and the link of the entry there."""

    position: Position
    link: str

    @classmethod
    def of(cls, entry: LogEntry) -> Self:
        return cls(entry.position, entry.link)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Reads what `__str__` writes; None for anything else."""
        position, _, link = text.partition(" ")
        try:
            return cls(Position.parse(position), link) if LINK.fullmatch(link) else None
        except ValueError:
            return None

    def __str__(self) -> str:
        """As an inventory keeps what SQL acknowledged: `<position> <link>`."""
        return f"{self.position} {self.link}"

    def is_followed_by(self, entry: LogEntry) -> bool:
        return entry.follows(self)


class ResumePoint(NamedTuple):
    """How far a client has come: a position, and how the link of the entry there begins, empty if it does not say."""

    position: Position
    link_start: str

    def __str__(self) -> str:
        return f"{self.position}.{self.link_start}" if self.link_start else str(self.position)

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Self:
        return cls(checkpoint.position, checkpoint.link[:_LINK_START])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `<epoch>-<seq>.<8 hexadecimal digits>`, or `<epoch>-<seq>` alone. Raises ValueError."""
        match = _RESUME_POINT.fullmatch(text)
        if match is None:
            raise ValueError(f"not a position: {text[:40]!r}")
        return cls(Position.parse(match[1]), match[2] or "")

    def is_at(self, checkpoint: Checkpoint) -> bool:
        """Whether `checkpoint` is where the client is, in the same history as far as it says."""
        return self.position == checkpoint.position and checkpoint.link.startswith(self.link_start)
