"""Stretches: the seats of a row that stand side by side, told from where they stand.

A row is cut where the next seat is more than one and a half times the row's usual pitch away. Rows of a zone that have
one name and continue each other are one row, and what stands together of them is one stretch. docs/plans.md has it in
pictures.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, pairwise
from typing import Final, NamedTuple

# Not a length: plans have no unit, and rows of one hall differ.
AISLE: Final = 1.5
"""Pitches. Seats that are farther from each other do not stand side by side."""

_ACROSS: Final = 8.0
"""Pitches. Pieces of one name are one row across a wider gap only if they are on a straight line."""

# The page shows hundredths. As a pitch, a rounding error would make distances that no integer holds.
_ONE_PLACE: Final = 1e-3
"""In the plan's unit. Seats that are nearer to each other are at one place."""

_BEND: Final = math.cos(math.radians(45))
# Each is compared with all others, so the work grows with the square.
_MAX_PIECES: Final = 32
"""Rows of a name in a zone; of more than that each is taken as it is."""


class Row(NamedTuple):
    """A row as a file lists it. `seats` are their positions, x + yi."""

    name: str
    seats: Sequence[complex]


class RowPlace(NamedTuple):
    """A seat: the number of its row in the zone, and its number in that row."""

    row: int
    seat: int


class Stretch(NamedTuple):
    """Seats side by side, in order. `line` is the same number for those that are one row, across its aisles."""

    line: int
    places: list[RowPlace]


class _Piece(NamedTuple):
    places: list[RowPlace]
    seats: list[complex]
    pitch: float

    def ends(self) -> list[tuple[int, complex, complex | None]]:
        """0 and 1 for either side, the last seat there, and the direction in which the piece points.

        A single seat has one end and no direction.
        """
        if len(self.seats) == 1:
            return [(0, self.seats[0], None)]
        before, after = _unit(self.seats[0] - self.seats[1]), _unit(self.seats[-1] - self.seats[-2])
        return [(0, self.seats[0], before), (1, self.seats[-1], after)]


def cut(rows: Sequence[Row]) -> list[Stretch]:
    """Cut the rows of a zone into stretches, in their order."""
    orders = [_in_line(row.seats) for row in rows]
    usual = usual_pitch([row.seats[place] for place in order] for row, order in zip(rows, orders, strict=True))
    pieces: list[_Piece] = []
    for number, (row, order) in enumerate(zip(rows, orders, strict=True)):
        seats = [row.seats[place] for place in order]
        pitch = _pitch_of_row(seats, usual)
        for start, end in _side_by_side(seats, pitch):
            places = [RowPlace(number, place) for place in order[start:end]]
            pieces.append(_Piece(places, seats[start:end], pitch))
    return _numbered(_joined(rows, pieces), rows)


def usual_pitch(rows: Iterable[Sequence[complex]]) -> float:
    """The distance of seats that stand side by side: a third of all distances are smaller. 0 where there are none."""
    gaps = sorted(gap for seats in rows for gap in _gaps(seats) if gap)
    # Not the median: a row of pairs has as many aisles as it has neighbours.
    return gaps[(len(gaps) - 1) // 3] if gaps else 0.0


def _gaps(seats: Sequence[complex]) -> list[float]:
    gaps = (abs(after - before) for before, after in pairwise(seats))
    return [gap if gap >= _ONE_PLACE else 0.0 for gap in gaps]


def _pitch_of_row(seats: Sequence[complex], usual: float) -> float:
    """A short row has none of its own: it takes what is usual in its zone."""
    own = usual_pitch([seats])
    return own if len(seats) > 3 and own else min(own or usual, usual)


def _in_line(seats: Sequence[complex]) -> list[int]:
    """The order in which seats on a straight line stand, however they are listed. A curved row is taken as listed."""
    listed = list(range(len(seats)))
    if len(seats) < 3:
        return listed
    # Of a straight row, the seat farthest from any other is an end.
    one_end = max(seats, key=lambda seat: abs(seat - seats[0]))
    other_end = max(seats, key=lambda seat: abs(seat - one_end))
    along = _unit(other_end - one_end)
    if along is None:
        return listed
    turned = [(seat - one_end) * along.conjugate() for seat in seats]
    if turned[0].real > turned[-1].real:
        turned = [-seat for seat in turned]
    order = sorted(listed, key=lambda place: turned[place].real)
    off_line = max(abs(seat.imag) for seat in turned)
    return order if off_line <= usual_pitch([[seats[place] for place in order]]) / 2 else listed


def _side_by_side(seats: Sequence[complex], pitch: float) -> Iterator[tuple[int, int]]:
    start = 0
    for place, gap in enumerate(_gaps(seats), 1):
        if gap > AISLE * pitch:
            yield start, place
            start = place
    if seats:
        yield start, len(seats)


def _joined(rows: Sequence[Row], pieces: list[_Piece]) -> list[_Piece]:
    """Join the pieces of a name whose ends stand side by side. A joined one stands where its first piece stood."""
    joined: dict[int, _Piece] = dict(enumerate(pieces))
    for named in _by_name(rows, pieces):
        # The nearest first, for an end has one neighbour only.
        links = sorted(_links(named, pieces, AISLE), key=lambda link: link[0])
        where = {number: number for number in named}  # In which joined piece each of them is.
        for _, (one, one_end), (other, other_end) in links:
            first, second = sorted((where[one], where[other]))
            if first == second:
                continue
            before, after = joined[first], joined[second]
            ends = {pieces[one].seats[-one_end], pieces[other].seats[-other_end]}
            met = _end_to_end(before, after, ends)
            if met is None:
                continue  # One of the ends has another neighbour already.
            joined[first] = met
            del joined[second]
            where = {number: first if at == second else at for number, at in where.items()}
    return list(joined.values())


def _end_to_end(one: _Piece, other: _Piece, meeting: set[complex]) -> _Piece | None:
    """Both as one piece, in the direction of the first, if they meet at their ends."""
    for left in (one, _turned(one)):
        for right in (other, _turned(other)):
            if {left.seats[-1], right.seats[0]} == meeting:
                met = _Piece(left.places + right.places, left.seats + right.seats, min(one.pitch, other.pitch))
                return met if left is one else _turned(met)
    return None


def _turned(piece: _Piece) -> _Piece:
    return piece._replace(places=piece.places[::-1], seats=piece.seats[::-1])


def _numbered(pieces: list[_Piece], rows: Sequence[Row]) -> list[Stretch]:
    """Number the lines: pieces of one row of the file, and rows of one name that continue each other."""
    parent = list(range(len(pieces)))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    def unite(one: int, other: int) -> None:
        low, high = sorted((root(one), root(other)))
        parent[high] = low

    first_of_row: dict[int, int] = {}
    for number, piece in enumerate(pieces):
        for row in {place.row for place in piece.places}:
            unite(first_of_row.setdefault(row, number), number)
    for named in _by_name(rows, pieces):
        for _, (one, _), (other, _) in _links(named, pieces, _ACROSS):
            unite(one, other)
    numbers: dict[int, int] = {}
    lines = (numbers.setdefault(root(number), len(numbers)) for number in range(len(pieces)))
    return [Stretch(line, piece.places) for line, piece in zip(lines, pieces, strict=True)]


def _by_name(rows: Sequence[Row], pieces: Sequence[_Piece]) -> Iterator[list[int]]:
    """The numbers of the pieces under each name that has several. No name is not one name."""
    named: defaultdict[str, list[int]] = defaultdict(list)
    for number, piece in enumerate(pieces):
        named[rows[piece.places[0].row].name].append(number)
    return (numbers for name, numbers in named.items() if name and 1 < len(numbers) <= _MAX_PIECES)


def _links(
    numbers: Sequence[int], pieces: Sequence[_Piece], most: float
) -> Iterator[tuple[float, tuple[int, int], tuple[int, int]]]:
    """Pairs of ends that continue each other: their distance, and number and end, 0 or 1, of each piece.

    They are at most `most` pitches apart, or on one straight line if that is more than an aisle.
    """
    ends = {number: pieces[number].ends() for number in numbers}
    for one, other in combinations(numbers, 2):
        pitch = min(pieces[one].pitch, pieces[other].pitch)
        for one_end, here, out in ends[one]:
            for other_end, there, back in ends[other]:
                gap = there - here
                if abs(gap) <= most * pitch:
                    continues = _leads(out, gap, _BEND) and _leads(back, -gap, _BEND)
                else:
                    continues = most > AISLE and _on_line(out, gap, pitch) and _on_line(back, -gap, pitch)
                if continues:
                    yield abs(gap), (one, one_end), (other, other_end)


def _leads(out: complex | None, gap: complex, least: float) -> bool:
    return out is None or (gap * out.conjugate()).real >= least * abs(gap)


def _on_line(out: complex | None, gap: complex, pitch: float) -> bool:
    if out is None:
        return False
    turned = gap * out.conjugate()
    return turned.real > 0 and abs(turned.imag) <= pitch / 2


def _unit(vector: complex) -> complex | None:
    return vector / abs(vector) if vector else None
