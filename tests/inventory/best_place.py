"""Where n neighbours sit best, said in the most obvious way."""

from seating.domain.seating_plan import Run


def best_place(blocks: list[str], quantity: int) -> Run | None:
    """The first row of the first block that has them; in it, nearest the row's middle, then leftmost."""
    for block, seats in enumerate(blocks):
        row_start = 0
        for row in seats.split("|"):
            places = [
                place for place in range(len(row) - quantity + 1) if row[place : place + quantity] == "a" * quantity
            ]
            if places:
                row_middle = (len(row) - 1) / 2
                best = min(places, key=lambda place: (abs(place + (quantity - 1) / 2 - row_middle), place))
                return Run(block, row_start + best, quantity)
            row_start += len(row) + 1
    return None
