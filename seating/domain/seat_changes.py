"""The public view of seats: four statuses, and which seats a log entry gives which status."""

from dataclasses import replace
from typing import Final, NamedTuple

from seating.domain.changes import Cancelled, Change, Held, HoldChanged, OfferSet, Purchased, Released, SeatSet
from seating.domain.offer import Offer
from seating.domain.seat_status import OFF_SALE, UNKNOWN, WORDS
from seating.domain.seating_plan import ROW_BREAK, SeatRange

LETTERS: Final = {word[0]: word for word in WORDS.values()}
"""The alphabet of `outside_map`: a, h, r and s."""

# A table of bytes: a snapshot is translated without an object for each seat.
_OUTSIDE = bytes(ord(WORDS.get(chr(character), UNKNOWN)[0]) for character in range(256))


class SeatChange(NamedTuple):
    """The seats of `runs` now have the status `word`."""

    word: str
    runs: list[SeatRange]


def seat_changes(change: Change) -> list[SeatChange]:
    """Return the seats that a change affects, by status; empty if none. `runs` is empty in general admission."""
    match change:
        case Purchased():
            return [SeatChange("sold", change.runs)]
        case Held():
            return [SeatChange("held", change.runs)]
        case HoldChanged():
            changed = [*_returned(change.removed, change.off_sale), SeatChange("held", change.added)]
            return [one for one in changed if one.runs]
        case SeatSet():
            changed = _returned(change.runs, change.off_sale) if change.off_sale else []
            return [one for one in changed if one.runs] or [SeatChange(WORDS[change.status], change.runs)]
        case Cancelled() | Released():
            changed = _returned(change.runs, change.off_sale)
            # In general admission there are no runs, and clients are told all the same.
            return [one for one in changed if one.runs] or changed[:1]
    return []


def _returned(runs: list[SeatRange], off_sale: list[SeatRange]) -> list[SeatChange]:
    kept = [run for run in runs if run not in off_sale]
    return [SeatChange("available", kept), SeatChange(WORDS[OFF_SALE], off_sale)]


def needs_snapshot(change: Change) -> bool:
    """Return whether messages lack part of it: of an offer they have only when the sale opens and closes."""
    if not isinstance(change, OfferSet):
        return False
    was = change.was or Offer()
    return was != replace(change.offer, on_sale_at_ms=was.on_sale_at_ms, off_sale_at_ms=was.off_sale_at_ms)


def outside_map(maps: bytes) -> str:
    """Return one letter per seat, in the order of `maps`, without row breaks."""
    return maps.translate(_OUTSIDE, ROW_BREAK.encode()).decode()
