"""Where seats are best, said in the most obvious way."""

from seating.domain.seating_plan import SeatRange


def best_seats(blocks: list[str], quantity: int, *, together: bool = False) -> list[SeatRange] | None:
    """Together in the best row that has them, or else the longest part that any row has, and so on; or None."""
    blocks = list(blocks)
    if sum(seats.count("a") for seats in blocks) < quantity:
        return None
    runs: list[SeatRange] = []
    while quantity:
        part, run = quantity, best_place(blocks, quantity)
        while run is None:
            if together:
                return None
            part -= 1
            run = best_place(blocks, part)
        runs.append(run)
        blocks[run.block] = marked(blocks[run.block], run, "s")
        quantity -= part
    return runs


def best_place(blocks: list[str], quantity: int) -> SeatRange | None:
    """The first row of the first block that has them; in it where none is left alone, nearest the middle, leftmost."""
    for block, seats in enumerate(blocks):
        row_start = 0
        for row in seats.split("|"):
            places = [
                place for place in range(len(row) - quantity + 1) if row[place : place + quantity] == "a" * quantity
            ]
            if places:
                row_middle = (len(row) - 1) / 2
                best = min(
                    places,
                    key=lambda place: (
                        leaves_single(row, place, quantity),
                        abs(place + (quantity - 1) / 2 - row_middle),
                        place,
                    ),
                )
                return SeatRange(block, row_start + best, quantity)
            row_start += len(row) + 1
    return None


def leaves_single(row: str, place: int, quantity: int) -> bool:
    """Whether one seat remains free with nobody free beside it, on either side."""
    before = len(row[:place]) - len(row[:place].rstrip("a"))
    after = len(row[place + quantity :]) - len(row[place + quantity :].lstrip("a"))
    return before == 1 or after == 1


def marked(seats: str, run: SeatRange, status: str) -> str:
    return seats[: run.start] + status * run.length + seats[run.start + run.length :]
