"""An entry of an event's log, how far a reader has come, and whether the log continues there, without gaps."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from seating.domain.change_json import UnknownChange, parse_change
from seating.domain.changes import Change
from seating.domain.position import Position

GENESIS: Final = "0" * 40
LINK: Final = re.compile("[0-9a-f]{40}")


def chain_link(previous: str, position: Position, change: str) -> str:
    """Return an entry's link, computed from the previous link: SHA-1 in hex, as in prelude.lua.

    The separators cannot occur in a link or a position, so the hashed text is unambiguous.
    """
    epoch, seq = position
    # SHA-1, since scripts have no other hash (redis.sha1hex).
    return hashlib.sha1(f"{previous}\n{epoch}-{seq}\n{change}".encode(), usedforsecurity=False).hexdigest()


_LINK_START: Final = 8
_RESUME_POINT: Final = re.compile(r"([^.]+)(?:\.([0-9a-f]{8}))?", re.ASCII)


class LogEntry(NamedTuple):
    """`change` is the JSON text that a script wrote, verbatim; `link` ties it to all previous entries.

    `private` is the personal data beside it (personal_data.py), None if there is none, or none any more. `link` does
    not cover it, but `change` has its hash. `traceparent` names the span that appended the entry, where that is known:
    only Redis has it.
    """

    position: Position
    change: str
    link: str
    private: str | None = None
    traceparent: str | None = None

    @classmethod
    def first(cls, epoch: int, change: str) -> Self:
        """Return the first entry of a log."""
        return cls.after(Checkpoint(Position(epoch, 0), GENESIS), change)

    @classmethod
    def after(cls, checkpoint: "Checkpoint", change: str, epoch: int | None = None, private: str | None = None) -> Self:
        """Return the entry that follows `checkpoint`, in its epoch or a new one."""
        position = Position(epoch or checkpoint.position.epoch, checkpoint.position.seq + 1)
        return cls(position, change, chain_link(checkpoint.link, position, change), private)

    def follows(self, previous: "LogEntry | Checkpoint") -> bool:
        """Return whether this is the next entry: no gap, no earlier epoch, and a link that follows from the last."""
        return (
            self.position.seq == previous.position.seq + 1
            and self.position.epoch >= previous.position.epoch
            and chain_link(previous.link, self.position, self.change) == self.link
        )

    def read(self) -> Change | None:
        """Decode `change`; None if this version cannot read it."""
        try:
            return parse_change(self.change)
        except UnknownChange:
            return None

    @classmethod
    def beyond(cls, checkpoint: "Checkpoint | None", position: Position, change: str) -> Self:
        """Return an entry that continues `checkpoint` after a gap, or starts from nothing."""
        # A merge leaves a gap for the entries that only Redis had; the link still ties both ends.
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
        """Parse the result of `__str__`; None for anything else."""
        position, _, link = text.partition(" ")
        try:
            return cls(Position.parse(position), link) if LINK.fullmatch(link) else None
        except ValueError:
            return None

    def __str__(self) -> str:
        """Return `<position> <link>`, as the inventory stores it."""
        return f"{self.position} {self.link}"


class ResumePoint(NamedTuple):
    """How far a client has come: a position, and the beginning of the entry's link, or empty if unknown."""

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
        """Return whether the client is at `checkpoint`, in the same history as far as it knows."""
        return self.position == checkpoint.position and checkpoint.link.startswith(self.link_start)


class Diverged(Exception):
    """The log does not continue from its reader's checkpoint. The message says where."""


def continuation(checkpoint: Checkpoint, found: Sequence[LogEntry]) -> list[LogEntry]:
    """Return the entries of `found`, read from `checkpoint` on, that continue it, up to the first that does not.

    Raises Diverged unless `found` begins at `checkpoint` and its second entry follows.
    """
    if not found or Checkpoint.of(found[0]) != checkpoint:
        raise Diverged(f"no entry at {checkpoint.position} with the link that SQL has")
    entries: list[LogEntry] = []
    previous = found[0]
    for entry in found[1:]:
        if not entry.follows(previous):
            if entries:
                break  # Record these first; the next read fails at its first new entry.
            raise Diverged(f"the entry at {entry.position} does not follow {checkpoint.position}")
        entries.append(entry)
        previous = entry
    return entries


def refuse_shortened(end: Position, inventory: Checkpoint | None) -> None:
    """Raises Diverged if the log ends before its inventory's position: it has lost its end."""
    if inventory and end < inventory.position:
        raise Diverged(f"the log ends at {end}, its inventory is at {inventory.position}")
