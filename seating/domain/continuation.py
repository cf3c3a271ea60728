"""Checks that a log continues from its reader's checkpoint, without gaps and without a lost end."""

from collections.abc import Sequence

from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position


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
