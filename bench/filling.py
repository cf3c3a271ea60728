"""`make bench-filling`: how full halls get before a party is refused or split, by the rule that places it.

ARGS='HALLS'. Parties come until one has no seat. The same parties, from the same seeds, come to every rule: figures
are the same on every machine. docs/best-available.md has the table.
"""

import sys
from collections.abc import Callable, Iterator
from itertools import count
from random import Random
from statistics import mean
from typing import NamedTuple

from seating.domain.seating_plan import ROW_BREAK, SeatRange
from tests.inventory.best_place import best_place, best_seats, leaves_single, marked
from tests.system import PROJECT

PAGE = PROJECT / "docs" / "best-available.md"
BEGIN, END = "<!-- Made by `make bench-filling`. -->\n", "<!-- End of what is made. -->\n"
_ROWS, _SEATS_A_ROW = 12, (10, 14, 25)
_PARTIES: dict[str, tuple[int, ...]] = {"2": (2,), "3": (3,), "4": (4,), "6": (6,), "1 to 6": (1, 2, 2, 2, 3, 4, 4, 6)}

Place = Callable[[str, int], int | None]
"""Where in a block to seat that many together, if anywhere."""


class Filled(NamedTuple):
    """Percentages: seats sold before the first party that cannot sit together; parties split until all is sold."""

    together: float
    split: float


def _starts(seats: str, quantity: int) -> list[int]:
    return [start for start in range(len(seats)) if seats.startswith("a" * quantity, start)]


def first_fit(seats: str, quantity: int) -> int | None:
    """The first place there is."""
    return next(iter(_starts(seats, quantity)), None)


def middle_first(seats: str, quantity: int) -> int | None:
    """As before: in the first row, where no single seat is left, nearest the middle."""
    start = 0
    for row in seats.split(ROW_BREAK):
        places = _starts(row, quantity)
        if places:
            middle = (len(row) - quantity) / 2
            return start + min(places, key=lambda p: (leaves_single(row, p, quantity), abs(p - middle), p))
        start += len(row) + 1
    return None


def anywhere(random: Random) -> Place:
    """As if buyers chose for themselves, without a thought for others."""

    def place(seats: str, quantity: int) -> int | None:
        places = _starts(seats, quantity)
        return random.choice(places) if places else None

    return place


def _split(seats: str, quantity: int) -> list[SeatRange]:
    return best_seats([seats], quantity) or []


def fill(seats_a_row: int, sizes: tuple[int, ...], place: Place, seed: int) -> Filled:
    random, seats = Random(seed), ROW_BREAK.join(["a" * seats_a_row] * _ROWS)
    capacity = seats.count("a")
    together = split = 0
    refused = False
    for parties in count():
        quantity = random.choice(sizes)
        start = place(seats, quantity)
        runs = [SeatRange(0, start, quantity)] if start is not None else _split(seats, quantity)
        if not runs:
            return Filled(100 * together / capacity, 100 * split / parties)
        refused = refused or start is None
        for run in runs:
            seats = marked(seats, run, "s")
        together += 0 if refused else quantity
        split += start is None
    raise AssertionError


def rules(seed: int) -> dict[str, Place]:
    return {
        "this rule": best_place,
        "before: middle first": middle_first,
        "first fit, from the left": first_fit,
        "at random": anywhere(Random(seed)),
    }


def lines(halls: int) -> Iterator[str]:
    yield f"Sold together, in percent, and parties split, in percent; means of {halls} halls of each size.\n"
    yield "| parties of | seats a row | " + " | ".join(rules(0)) + " |"
    yield "|---|---:|" + "---:|" * len(rules(0))
    for name, sizes in _PARTIES.items():
        for seats_a_row in _SEATS_A_ROW:
            cells = []
            for rule in rules(0):
                found = [fill(seats_a_row, sizes, rules(seed)[rule], seed) for seed in range(halls)]
                cells.append(f"{mean(one.together for one in found):.0f} · {mean(one.split for one in found):.0f}")
            yield f"| {name} | {seats_a_row} | " + " | ".join(cells) + " |"


def main(halls: int = 20) -> None:
    table = "\n".join(lines(halls)) + "\n"
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}{table}{END}{after}")
    print(table)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
