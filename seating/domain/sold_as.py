"""What seats were sold as: their categories and prices, from the tariff of a purchase."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Self

from seating.domain.seating_plan import SeatRange, places


class Charge(NamedTuple):
    """What a seat was sold as: the number of its category, and its price in minor units, None without one."""

    category: int
    price: int | None


def charges(tariff: str, runs: Sequence[SeatRange]) -> list[Charge]:
    """A charge for each seat of `runs`. `tariff` is `category:price,…`, one for each run, as scripts write it."""
    return (
        [charge for charge, run in zip(charges_of(tariff), runs, strict=True) for _ in range(run.length)]
        if tariff
        else []
    )


def total(tariff: str, runs: Sequence[SeatRange]) -> int:
    """What all seats cost together, in minor units."""
    return sum(charge.price or 0 for charge in charges(tariff, runs))


def total_of_part(tariff: str, runs: Sequence[SeatRange], part: Sequence[SeatRange]) -> int:
    """What those seats of `runs` cost together that are in `part`, in minor units."""
    prices = {place: charge.price or 0 for place, charge in zip(places(runs), charges(tariff, runs), strict=True)}
    return sum(prices[place] for place in places(part))


class SoldAs(NamedTuple):
    """What seats were sold as, one by one: the names of their categories and, of an event with prices, the prices.

    `prices` and `total` are in minor units of `currency`; all three are None for an event without prices.
    """

    categories: list[str]
    prices: list[int | None] | None = None
    total: int | None = None
    currency: str | None = None

    @classmethod
    def of(cls, tariff: str, currency: str | None, runs: Sequence[SeatRange], names: Sequence[str]) -> Self:
        """`names` are those of the event's categories."""
        each = charges(tariff, runs)
        categories = [names[charge.category] for charge in each]
        if currency is None:
            return cls(categories)
        return cls(categories, [charge.price for charge in each], total(tariff, runs), currency)


def charges_of(tariff: str) -> Iterator[Charge]:
    """A charge for each run of a purchase with this tariff."""
    for part in tariff.split(","):
        category, _, price = part.partition(":")
        yield Charge(int(category), int(price) if price else None)
