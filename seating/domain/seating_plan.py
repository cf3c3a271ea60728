"""A seating plan: blocks of rows of seats, best first. Immutable for as long as its event lives."""

import string
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, NamedTuple, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field

from seating.domain.errors import InvalidRequest, SeatNotFound
from seating.domain.seat_status import AVAILABLE

ROW_BREAK = "|"
MAX_SEATS = 100_000
BLOCK_SEATS = 1_000
"""The most seats of a block, and so of a row: what a purchase costs grows with the size of a block."""

UNREADABLE = (zlib.error, ValueError, TypeError, KeyError)

_T = TypeVar("_T")


class SeatRange(NamedTuple):
    """`length` neighbouring seats of one block, from the character at `start` of its map on (row breaks count)."""

    block: int
    start: int
    length: int

    def __str__(self) -> str:
        return f"{self.block}:{self.start}-{self.length}"

    @classmethod
    def parse_all(cls, text: str) -> list[Self]:
        """Reads `block:start-length,…` as the scripts write it; the empty text is no run."""
        runs = []
        for part in filter(None, text.split(",")):
            block, _, seats = part.partition(":")
            start, _, length = seats.partition("-")
            runs.append(cls(int(block), int(start), int(length)))
        return runs


def runs_text(runs: Iterable[SeatRange]) -> str:
    """As `SeatRange.parse_all` reads it."""
    return ",".join(map(str, runs))


class Spot(NamedTuple):
    """Where a stretch is. `row` is the same number for the stretches of one row, across its aisles.

    `x` and `y` are those of the stretch's centre, in hundredths of the plan's usual seat pitch; `step_x` and `step_y`
    lead from a seat to the next.
    """

    row: int
    x: int
    y: int
    step_x: int = 100
    step_y: int = 0


def spots_text(spots: Iterable[Spot]) -> str:
    """Return a block's stretches as `spots:{e}` keeps them, for the scripts: `row:x:y:step_x:step_y;…`."""
    return ";".join(":".join(map(str, spot)) for spot in spots)


def to_middles_text(starts: Iterable[int], to_middles: Iterable[int]) -> str:
    """Return a block's stretches off the middle of their rows, for the scripts: `;start in its map:to_middle…`."""
    stretches = zip(starts, to_middles, strict=True)
    return "".join(f";{start}:{to_middle}" for start, to_middle in stretches if to_middle)


Place = tuple[int, int]
"""A block, and a character of its map."""


def places(runs: Iterable[SeatRange]) -> Iterator[Place]:
    """Return each seat of `runs`."""
    return ((block, place) for block, start, length in runs for place in range(start, start + length))


def in_runs(found: Iterable[Place]) -> list[SeatRange]:
    """Return the places, in order, in as few runs as there can be."""
    runs: list[SeatRange] = []
    for block, place in found:
        if not runs or (block, place) != (runs[-1].block, runs[-1].start + runs[-1].length):
            runs.append(SeatRange(block, place, 0))
        runs[-1] = runs[-1]._replace(length=runs[-1].length + 1)
    return runs


class GeneratedPlan(BaseModel):
    """A hall of equal sections: section 1, row A, seat 1 is the best seat."""

    model_config = ConfigDict(extra="forbid", strict=True)

    sections: int = Field(ge=1, le=100)
    rows: int = Field(ge=1, le=26, description="rows of each section, A to Z")
    seats_per_row: int = Field(ge=1, le=100, alias="seatsPerRow")


class PlanParts(NamedTuple):
    """`categories` are the names of all, in the plan's order; each block has the number of its category in
    `category_of`, and the name of its zone in `zone_of`.
    """

    categories: list[str]
    category_of: list[int]
    zone_of: list[str]


class SeatingPlan:
    """`blocks[b][r]` is the list of seat ids of stretch `r` of block `b`, in the order in which they stand.

    `layout` is where they are and what they are called, as plan_document shows it; None for a generated plan.
    `spots[b][r]` is where stretch `r` of block `b` is, and `to_middles[b][r]` how far the middle of its row is from its
    own, in halves of a seat, towards its last seat; both are empty where that is unknown. `notes` say what was decided
    when a file was imported; they are not packed.
    """

    def __init__(
        self,
        blocks: list[list[list[str]]],
        layout: dict[str, Any] | None = None,
        spots: list[list[Spot]] | None = None,
        to_middles: list[list[int]] | None = None,
    ) -> None:
        self.blocks = blocks
        self.spots = spots or []
        self.to_middles = to_middles or []
        self.notes: tuple[str, ...] = ()
        self._layout = layout
        self._packed: bytes | None = None

    @property
    def layout(self) -> dict[str, Any] | None:
        """Of a plan that was unpacked it is read each time: it is large, and seldom asked for."""
        if self._packed is None:
            return self._layout
        kept = orjson.loads(zlib.decompress(self._packed))
        return kept["layout"] if isinstance(kept, dict) else None

    @cached_property
    def parts(self) -> PlanParts:
        """The zone and category of each block; a generated plan has one category and no zones."""
        layout = self.layout
        if layout is None:
            return PlanParts(["Seats"], [0] * len(self.blocks), [])
        names = [category["name"] for category in layout["categories"]]
        blocks = layout["blocks"]
        return PlanParts(names, [block["category"] for block in blocks], [block["name"] for block in blocks])

    @cached_property
    def capacity(self) -> int:
        return sum(len(row) for block in self.blocks for row in block)

    @cached_property
    def seats_by_character(self) -> list[list[str]]:
        """Per block, the seat at each character of its map; a row break has the empty id."""
        return [[seat for row in block for seat in (*row, "")] for block in self.blocks]

    def seats_of(self, runs: Iterable[SeatRange]) -> list[str]:
        """The ids of the seats in `runs`, in order."""
        return [seat for run in runs for seat in self.seats_by_character[run.block][run.start : run.start + run.length]]

    def rows_of(self, block: int) -> Iterator[SeatRange]:
        """Each row of a block as a run."""
        start = 0
        for row in self.blocks[block]:
            yield SeatRange(block, start, len(row))
            start += len(row) + 1

    def shown(self, runs: Iterable[SeatRange]) -> str:
        """The seats in `runs` for people to read, with their number where there are several."""
        seats = self.seats_of(runs)
        return seats[0] if len(seats) == 1 else f"{len(seats)} seats: {', '.join(seats)}"

    @cached_property
    def _place_of_seat(self) -> dict[str, tuple[int, int]]:
        return {
            seat: (block, place)
            for block, seats in enumerate(self.seats_by_character)
            for place, seat in enumerate(seats)
            if seat
        }

    def runs_of(self, seats: Iterable[str]) -> list[SeatRange]:
        """Where the seats are, in the plan's order. Raises SeatNotFound, or InvalidRequest for one given twice."""
        seats = list(seats)
        unknown = [seat for seat in seats if seat not in self._place_of_seat]
        if unknown:
            raise SeatNotFound(seats=unknown)
        if len(set(seats)) < len(seats):
            doubled = next(seat for seat in seats if seats.count(seat) > 1)
            raise InvalidRequest(f"Seat {doubled} is given twice", "seats")
        return in_runs(sorted(self._place_of_seat[seat] for seat in seats))

    def empty_maps(self) -> Iterator[str]:
        """Each block's map with every seat available, as `seats:{e}` keeps it."""
        for block in self.blocks:
            yield ROW_BREAK.join(AVAILABLE * len(row) for row in block)

    def pack(self) -> bytes:
        """Compressed JSON; `unpack` is its inverse."""
        if self._packed is None:
            drawn = {"layout": self._layout, "spots": self.spots, "to_middles": self.to_middles}
            kept = {"blocks": self.blocks, **drawn} if self._layout else self.blocks
            self._packed = zlib.compress(orjson.dumps(kept, default=list))  # Spots as lists.
            self._layout = None
        return self._packed

    @classmethod
    def unpack(cls, packed: bytes) -> Self:
        """Raises one of UNREADABLE for what `pack` has not made."""
        kept = orjson.loads(zlib.decompress(packed))
        if isinstance(kept, dict):
            spots = [[Spot(*spot) for spot in block] for block in kept.get("spots", ())]  # Older plans have none.
            plan = cls(kept["blocks"], spots=spots, to_middles=kept.get("to_middles"))
        else:
            plan = cls(kept)
        plan._packed = packed
        return plan


def in_blocks(rows: Iterable[_T], seats_of: Callable[[_T], int]) -> Iterator[list[_T]]:
    """`rows`, in order, in as few blocks as their size allows."""
    block: list[_T] = []
    size = 0
    for row in rows:
        size += seats_of(row)
        if block and size > BLOCK_SEATS:
            yield block
            block, size = [], seats_of(row)
        block.append(row)
    if block:
        yield block


def generate(hall: GeneratedPlan) -> SeatingPlan:
    """Seat ids are `sec-1-row-A-seat-1` …, a block a section, or more for a large one.

    Raises InvalidRequest above `MAX_SEATS`.
    """
    capacity = hall.sections * hall.rows * hall.seats_per_row
    if capacity > MAX_SEATS:
        raise InvalidRequest(f"A plan has at most {MAX_SEATS} seats, this one {capacity}", "seatingPlan")
    sections = (
        [
            [f"sec-{section}-row-{row}-seat-{seat}" for seat in range(1, hall.seats_per_row + 1)]
            for row in string.ascii_uppercase[: hall.rows]
        ]
        for section in range(1, hall.sections + 1)
    )
    return SeatingPlan([block for section in sections for block in in_blocks(section, len)])


DEMO_HALL = GeneratedPlan(sections=10, rows=20, seatsPerRow=25)
