"""Whether a log goes on from where its reader is: every entry the next one, and none lost at the end."""

from collections.abc import Sequence

from seating.domain.log_entry import Checkpoint, LogEntry
from seating.domain.position import Position


class Diverged(Exception):
    """The log does not continue what its reader has. The message says where."""


def continuation(checkpoint: Checkpoint, found: Sequence[LogEntry]) -> list[LogEntry]:
    """What `found`, read from `checkpoint` on, adds to it, up to where it goes wrong.

    Raises Diverged unless it begins at `checkpoint` and the entry after that follows.
    """
    if not found or Checkpoint.of(found[0]) != checkpoint:
        raise Diverged(f"no entry at {checkpoint.position} with the link that SQL has")
    entries: list[LogEntry] = []
    previous = found[0]
    for entry in found[1:]:
        if not entry.follows(previous):
            if entries:
                break  # These come first; the next reading goes wrong at its very first entry.
            raise Diverged(f"the entry at {entry.position} does not follow {checkpoint.position}")
        entries.append(entry)
        previous = entry
    return entries


def refuse_shortened(end: Position, inventory: Checkpoint | None) -> None:
    """Raises Diverged for a log that ends before its inventory does: it has lost its end."""
    if inventory and end < inventory.position:
        raise Diverged(f"the log ends at {end}, its inventory is at {inventory.position}")
